"""Which document of a producer stands in a bundle: the one that was made last, whoever sent it last."""

import json
from typing import Any

import pytest

from promotions import bundles
from promotions.actions.trust_key import trust_key
from promotions.holdings import holdings
from promotions.models import EvidenceDocument
from tests.promotions.documents import Signer, uploaded
from tests.promotions.formats.samples import ARTIFACT, OTHER, openvex, osv, statement, trivy, trivy_entry
from tests.promotions.kestrel import Kestrel, make_kestrel

SCAN = "https://example.test/scan/v1"
VEX = "https://openvex.dev/ns/v0.2.0"
CLEAN_OSV: dict[str, Any] = {
    "results": [{"source": {"path": "go.mod", "type": "lockfile"}, "packages": [{"package": {"name": "a"}}]}]
}


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_kestrel()


@pytest.fixture
def scanner(kestrel: Kestrel) -> Signer:
    """A scanner whose key the tenant trusts."""
    signer = Signer()
    trust_key("scanner", signer.pem, by=kestrel["admin"], clock=kestrel.clock)
    return signer


def sends(kestrel: Kestrel, who: str, envelope: Any, kind: str = "vulnerabilities", artifact: str = ARTIFACT) -> Any:
    kestrel.wait()
    return uploaded(kestrel[who], artifact, kind, envelope, clock=kestrel.clock)


def taken(kestrel: Kestrel, artifact: str = ARTIFACT) -> list[str]:
    return [each.parsed for each in holdings(kestrel.tenant.pk, [artifact]).documents]


def report(at: str, *entries: Any) -> dict[str, Any]:
    return statement(SCAN, trivy(*entries, CreatedAt=at))


def test_an_older_report_that_is_sent_again_does_not_replace_the_newer(kestrel: Kestrel, scanner: Signer) -> None:
    clean = scanner.envelope(report("2026-11-01T08:00:00Z"))
    sends(kestrel, "builder", clean)
    critical = sends(kestrel, "builder", scanner.envelope(report("2026-11-02T08:00:00Z", trivy_entry())))
    again = sends(kestrel, "requester", clean)
    assert again.signer == critical.signer != ""
    assert taken(kestrel) == [critical.parsed_id]


def test_a_statement_that_lifts_does_not_come_back_over_the_newer_that_does_not(
    kestrel: Kestrel, scanner: Signer
) -> None:
    lifts = scanner.envelope(statement(VEX, openvex(timestamp="2026-11-01T08:00:00Z")))
    sends(kestrel, "builder", lifts, "vex")
    newer = statement(VEX, openvex(timestamp="2026-11-01T09:00:00Z", status="affected"))
    affected = sends(kestrel, "builder", scanner.envelope(newer), "vex")
    sends(kestrel, "requester", lifts, "vex")
    assert taken(kestrel) == [affected.parsed_id]


def test_a_report_without_a_time_is_as_old_as_its_first_upload(kestrel: Kestrel, scanner: Signer) -> None:
    clean = statement(SCAN, CLEAN_OSV)
    sends(kestrel, "builder", scanner.envelope(clean))
    found = sends(kestrel, "builder", scanner.envelope(statement(SCAN, osv())))
    varied = {**scanner.envelope(clean), "note": "other bytes around the same payload"}
    sends(kestrel, "requester", varied)
    assert taken(kestrel) == [found.parsed_id]


def test_the_first_upload_counts_for_whichever_artifact_it_was(kestrel: Kestrel, scanner: Signer) -> None:
    clean = scanner.envelope(statement(SCAN, CLEAN_OSV, ARTIFACT, OTHER))
    sends(kestrel, "builder", clean)
    found = sends(kestrel, "builder", scanner.envelope(statement(SCAN, osv(), ARTIFACT, OTHER)), artifact=OTHER)
    sends(kestrel, "requester", clean, artifact=OTHER)
    assert taken(kestrel, OTHER) == [found.parsed_id]


def test_a_report_from_before_its_key_was_trusted_is_as_old_as_it_is(kestrel: Kestrel) -> None:
    signer = Signer()
    clean = signer.envelope(statement(SCAN, CLEAN_OSV))
    sends(kestrel, "builder", clean)
    key = trust_key("scanner", signer.pem, by=kestrel["admin"], clock=kestrel.clock).key_id
    found = sends(kestrel, "builder", signer.envelope(statement(SCAN, osv())))
    sends(kestrel, "requester", clean)
    signed = [each for each in holdings(kestrel.tenant.pk, [ARTIFACT]).documents if each.signer == key]
    assert [each.parsed for each in signed] == [found.parsed_id]


def test_of_reports_of_one_time_the_one_that_came_first_last_stays(kestrel: Kestrel, scanner: Signer) -> None:
    at = "2026-11-01T08:00:00Z"
    clean = scanner.envelope(report(at))
    sends(kestrel, "builder", clean)
    critical = sends(kestrel, "builder", scanner.envelope(report(at, trivy_entry())))
    sends(kestrel, "requester", clean)
    assert taken(kestrel) == [critical.parsed_id]


def test_a_signed_document_gets_no_younger_by_being_sent_again(kestrel: Kestrel, scanner: Signer) -> None:
    clean = scanner.envelope(statement(SCAN, CLEAN_OSV))
    first = sends(kestrel, "builder", clean)
    kestrel.wait(days=300)
    sends(kestrel, "requester", clean)
    taken_now = bundles.take(kestrel.tenant.pk, [ARTIFACT])
    assert taken_now is not None
    (fact,) = json.loads(taken_now.content)["documents"]
    assert fact["uploadedAt"] == first.uploaded_at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_a_newer_report_replaces_the_older(kestrel: Kestrel, scanner: Signer) -> None:
    sends(kestrel, "builder", scanner.envelope(report("2026-11-01T08:00:00Z", trivy_entry())))
    fixed = sends(kestrel, "builder", scanner.envelope(report("2026-11-02T08:00:00Z")))
    assert taken(kestrel) == [fixed.parsed_id]
    assert EvidenceDocument.objects.count() == 2
