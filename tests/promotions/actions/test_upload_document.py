"""One artifact's documents stay few enough to be judged at every evaluation, and nobody fills the places of others."""

from typing import Any

import pytest

from promotions.actions.trust_key import trust_key
from promotions.actions.upload_document import TooManyDocuments
from promotions.documents import bundles
from promotions.documents.newest_documents import read_newest_documents
from promotions.models import EvidenceDocument
from tests.promotions.formats.samples import ARTIFACT, cyclonedx, statement, trivy, trivy_entry
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.uploads import Signer, uploaded


@pytest.fixture
def kestrel(db: None, monkeypatch: pytest.MonkeyPatch) -> Kestrel:
    monkeypatch.setattr(bundles, "MOST_PRODUCERS", 2)
    kestrel = make_kestrel()
    for who in ("operator", "requester"):
        uploaded(kestrel[who], ARTIFACT, "sbom", cyclonedx(), clock=kestrel.clock)
    return kestrel


def known(kestrel: Kestrel) -> list[EvidenceDocument]:
    return [each.document for each in read_newest_documents(kestrel.tenant.pk, [ARTIFACT]).documents]


def test_one_producer_too_many_is_refused_and_nothing_is_kept(kestrel: Kestrel) -> None:
    with pytest.raises(TooManyDocuments):
        uploaded(kestrel["builder"], ARTIFACT, "sbom", cyclonedx(), clock=kestrel.clock)
    assert EvidenceDocument.objects.count() == 2


def test_newer_documents_of_the_same_producers_are_taken(kestrel: Kestrel) -> None:
    kestrel.wait()
    metadata = {**cyclonedx()["metadata"], "timestamp": "2026-11-02T08:00:00Z"}
    newer = uploaded(kestrel["operator"], ARTIFACT, "sbom", cyclonedx(metadata=metadata), clock=kestrel.clock)
    assert newer in known(kestrel)


def test_another_artifact_has_room_of_its_own(kestrel: Kestrel) -> None:
    other = "sha256:" + "e" * 64
    uploaded(kestrel["builder"], other, "sbom", cyclonedx(), clock=kestrel.clock)


def by_tool(name: str) -> dict[str, Any]:
    return cyclonedx(metadata={"tools": {"components": [{"type": "application", "name": name}]}})


def fills_their_places(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    monkeypatch.setattr(bundles, "MOST_PRODUCERS", 100)
    monkeypatch.setattr(bundles, "MOST_OF_ONE", 3)
    for number in range(2):
        uploaded(kestrel[who], ARTIFACT, "sbom", by_tool(f"invented {number}"), clock=kestrel.clock)


def test_one_account_names_so_many_tools_and_no_more(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    fills_their_places(kestrel, monkeypatch, "requester")
    with pytest.raises(TooManyDocuments) as refused:
        uploaded(kestrel["requester"], ARTIFACT, "sbom", by_tool("one more"), clock=kestrel.clock)
    assert refused.value.details == {"artifactDigest": ARTIFACT, "limit": 3}


def test_who_fills_their_places_keeps_out_nobody_else(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    fills_their_places(kestrel, monkeypatch, "requester")
    critical = uploaded(kestrel["builder"], ARTIFACT, "vulnerabilities", trivy(trivy_entry()), clock=kestrel.clock)
    assert critical in known(kestrel)


def test_a_trusted_signer_has_room_when_all_places_are_filled(kestrel: Kestrel) -> None:
    signer = Signer()
    trust_key("scanner", signer.pem, by=kestrel["admin"], clock=kestrel.clock)
    report = signer.envelope(statement("https://example.test/scan/v1", trivy(trivy_entry())))
    with pytest.raises(TooManyDocuments):
        uploaded(kestrel["builder"], ARTIFACT, "vulnerabilities", trivy(trivy_entry()), clock=kestrel.clock)
    critical = uploaded(kestrel["requester"], ARTIFACT, "vulnerabilities", report, clock=kestrel.clock)
    assert critical in known(kestrel)


def test_signed_documents_take_no_place_of_unsigned_ones(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer()
    trust_key("scanner", signer.pem, by=kestrel["admin"], clock=kestrel.clock)
    uploaded(kestrel["builder"], ARTIFACT, "sbom", signer.envelope(statement("x", cyclonedx())), clock=kestrel.clock)
    monkeypatch.setattr(bundles, "MOST_PRODUCERS", 3)
    assert uploaded(kestrel["builder"], ARTIFACT, "sbom", cyclonedx(), clock=kestrel.clock)


def test_one_key_has_its_limit_too(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer()
    trust_key("scanner", signer.pem, by=kestrel["admin"], clock=kestrel.clock)
    monkeypatch.setattr(bundles, "MOST_OF_A_KEY", 1)
    first, second = (signer.envelope(statement("x", each)) for each in (cyclonedx(), by_tool("another")))
    uploaded(kestrel["builder"], ARTIFACT, "sbom", first, clock=kestrel.clock)
    with pytest.raises(TooManyDocuments):
        uploaded(kestrel["builder"], ARTIFACT, "sbom", second, clock=kestrel.clock)
