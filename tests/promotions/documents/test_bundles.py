"""Which document of a producer stands in a bundle: the one that was made last, whoever sent it last."""

import json
from typing import Any

import pytest

from promotions.actions.trust_key import trust_key
from promotions.documents import bundles
from promotions.documents.newest_documents import read_newest_documents
from promotions.models import EvidenceDocument
from tests.promotions.formats.samples import (
    ARTIFACT,
    OTHER,
    grype,
    grype_match,
    openvex,
    osv,
    statement,
    trivy,
    trivy_entry,
)
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.uploads import Signer, uploaded

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
    return [each.parsed for each in read_newest_documents(kestrel.tenant.pk, [artifact]).documents]


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
    lifts = scanner.envelope(statement(VEX, {**openvex(), "timestamp": "2026-11-01T08:00:00Z"}))
    sends(kestrel, "builder", lifts, "vex")
    newer = statement(VEX, {**openvex(status="affected"), "timestamp": "2026-11-01T09:00:00Z"})
    affected = sends(kestrel, "builder", scanner.envelope(newer), "vex")
    sends(kestrel, "requester", lifts, "vex")
    assert taken(kestrel) == [affected.parsed_id]


def test_signed_reports_without_a_time_stand_beside_each_other(kestrel: Kestrel, scanner: Signer) -> None:
    """Which one is older nobody can tell: an old one that was never sent before replaces none."""
    clean = statement(SCAN, CLEAN_OSV)
    sends(kestrel, "builder", scanner.envelope(clean))
    found = sends(kestrel, "builder", scanner.envelope(statement(SCAN, osv())))
    varied = {**scanner.envelope(clean), "note": "other bytes around the same payload"}
    sends(kestrel, "requester", varied)
    assert found.parsed_id in taken(kestrel)
    assert len(taken(kestrel)) == 2


def test_one_without_a_time_does_not_replace_one_with_a_time(kestrel: Kestrel, scanner: Signer) -> None:
    critical = sends(kestrel, "builder", scanner.envelope(report("2026-11-01T10:00:00Z", trivy_entry())))
    for clean in (statement(SCAN, trivy(CreatedAt=None)), report("0001-01-01T00:00:00Z")):
        sends(kestrel, "requester", scanner.envelope(clean))
        assert critical.parsed_id in taken(kestrel)


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_in_one_file_both_stand(kestrel: Kestrel, scanner: Signer, turned: bool) -> None:
    reports = [scanner.envelope(statement(SCAN, trivy(*entries, CreatedAt=None))) for entries in ((trivy_entry(),), ())]
    if turned:
        reports.reverse()
    sends(kestrel, "builder", b"\n".join(json.dumps(each).encode() for each in reports))
    assert len(taken(kestrel)) == 2


SCOPES: list[tuple[Any, Any]] = [
    # the libraries alone, after the system and the libraries
    (
        trivy(Results=[{"Class": "os-pkgs", "Type": "alpine", "Vulnerabilities": [trivy_entry()]}]),
        trivy(Results=[{"Class": "lang-pkgs", "Type": "npm"}], CreatedAt="2026-11-02T08:00:00Z"),
    ),
    # another lock file
    (osv(), {"results": [{**osv()["results"][0], "source": {"path": "b/package-lock.json", "type": "lockfile"}}]}),
    # a directory after the image
    (grype(grype_match()), grype(source={"type": "directory", "target": "./empty"})),
]


@pytest.mark.parametrize(("wider", "narrower"), SCOPES)
def test_a_scan_of_something_else_replaces_nothing(kestrel: Kestrel, wider: Any, narrower: Any) -> None:
    first = sends(kestrel, "builder", wider)
    second = sends(kestrel, "builder", narrower)
    assert sorted(taken(kestrel)) == sorted([first.parsed_id, second.parsed_id])


def test_another_vex_document_of_the_same_author_replaces_nothing(kestrel: Kestrel) -> None:
    affected = sends(kestrel, "builder", openvex(status="affected"), "vex")
    other = {**openvex(vulnerability={"name": "CVE-2026-9"}), "@id": "https://example.test/vex/2"}
    sends(kestrel, "builder", {**other, "timestamp": "2026-11-02T08:00:00Z"}, "vex")
    assert affected.parsed_id in taken(kestrel)


def test_the_first_upload_counts_for_whichever_artifact_it_was(kestrel: Kestrel, scanner: Signer) -> None:
    clean = scanner.envelope(statement(SCAN, CLEAN_OSV, ARTIFACT, OTHER))
    sends(kestrel, "builder", clean)
    found = sends(kestrel, "builder", scanner.envelope(statement(SCAN, osv(), ARTIFACT, OTHER)), artifact=OTHER)
    sends(kestrel, "requester", clean, artifact=OTHER)
    assert found.parsed_id in taken(kestrel, OTHER)


def test_a_report_from_before_its_key_was_trusted_is_as_old_as_it_is(kestrel: Kestrel) -> None:
    signer = Signer()
    clean = signer.envelope(statement(SCAN, CLEAN_OSV))
    sends(kestrel, "builder", clean)
    key = trust_key("scanner", signer.pem, by=kestrel["admin"], clock=kestrel.clock).key_id
    found = sends(kestrel, "builder", signer.envelope(statement(SCAN, osv())))
    sends(kestrel, "requester", clean)
    signed = [each for each in read_newest_documents(kestrel.tenant.pk, [ARTIFACT]).documents if each.signer == key]
    assert found.parsed_id in [each.parsed for each in signed]


def test_reports_of_one_time_stand_beside_each_other(kestrel: Kestrel, scanner: Signer) -> None:
    at = "2026-11-01T08:00:00Z"
    clean = scanner.envelope(report(at))
    sends(kestrel, "builder", clean)
    critical = sends(kestrel, "builder", scanner.envelope(report(at, trivy_entry())))
    sends(kestrel, "requester", clean)
    assert critical.parsed_id in taken(kestrel)
    assert len(taken(kestrel)) == 2


def test_a_signed_document_gets_no_younger_by_being_sent_again(kestrel: Kestrel, scanner: Signer) -> None:
    clean = scanner.envelope(statement(SCAN, CLEAN_OSV))
    first = sends(kestrel, "builder", clean)
    kestrel.wait(days=300)
    sends(kestrel, "requester", clean)
    taken_now = bundles.compose_bundle(kestrel.tenant.pk, [ARTIFACT])
    assert taken_now is not None
    (fact,) = json.loads(taken_now.content)["documents"]
    assert fact["uploadedAt"] == first.uploaded_at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_a_newer_report_replaces_the_older(kestrel: Kestrel, scanner: Signer) -> None:
    sends(kestrel, "builder", scanner.envelope(report("2026-11-01T08:00:00Z", trivy_entry())))
    fixed = sends(kestrel, "builder", scanner.envelope(report("2026-11-02T08:00:00Z")))
    assert taken(kestrel) == [fixed.parsed_id]
    assert EvidenceDocument.objects.count() == 2
