"""One artifact's documents stay few enough to be judged at every evaluation."""

import pytest

from promotions import bundles
from promotions.actions.upload_evidence import TooManyDocuments
from promotions.models import EvidenceDocument
from tests.promotions.documents import uploaded
from tests.promotions.formats.samples import ARTIFACT, cyclonedx
from tests.promotions.kestrel import Kestrel, make_kestrel


@pytest.fixture
def kestrel(db: None, monkeypatch: pytest.MonkeyPatch) -> Kestrel:
    monkeypatch.setattr(bundles, "MOST_PRODUCERS", 2)
    kestrel = make_kestrel()
    for who in ("operator", "requester"):
        uploaded(kestrel[who], ARTIFACT, "sbom", cyclonedx(), clock=kestrel.clock)
    return kestrel


def test_one_producer_too_many_is_refused_and_nothing_is_kept(kestrel: Kestrel) -> None:
    with pytest.raises(TooManyDocuments):
        uploaded(kestrel["builder"], ARTIFACT, "sbom", cyclonedx(), clock=kestrel.clock)
    assert EvidenceDocument.objects.count() == 2


def test_newer_documents_of_the_same_producers_are_taken(kestrel: Kestrel) -> None:
    kestrel.wait()
    newer = uploaded(kestrel["operator"], ARTIFACT, "sbom", cyclonedx(version=2), clock=kestrel.clock)
    assert newer in bundles.newest(kestrel.tenant.pk, [ARTIFACT])


def test_another_artifact_has_room_of_its_own(kestrel: Kestrel) -> None:
    other = "sha256:" + "e" * 64
    uploaded(kestrel["builder"], other, "sbom", cyclonedx(), clock=kestrel.clock)
