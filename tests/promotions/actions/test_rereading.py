"""What an older reader read is read again before it counts: a document, its bundle, what runs there, and feeds."""

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.db import DatabaseError, transaction

from environments.actions.update_environment import update_environment
from promotions.actions import rereading, upload_document, upload_feed
from promotions.actions.rereading import Rereader
from promotions.actions.trust_key import trust_key
from promotions.documents import bundles, document_readings
from promotions.documents.newest_documents import read_newest_documents
from promotions.documents.uploading import DocumentUnread, read_in_isolation
from promotions.formats.document import READER
from promotions.judging.document_gathering import gather_documents
from promotions.models import (
    BundleReading,
    DecisionRecord,
    DocumentReading,
    EvidenceDocument,
    Feed,
    FeedEntry,
    FeedReading,
    Promotion,
    Release,
    Vote,
)
from promotions.verification.replay import replay
from promotions.worker.round import run_round
from stellapromote.audit.models import AuditEvent
from tests.factories import make_promotion_policy
from tests.promotions.formats.samples import EPSS, cyclonedx, trivy, trivy_entry
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel
from tests.promotions.uploads import Signer, feed, uploaded
from tests.promotions.verification.story import found_in

pytestmark = pytest.mark.slow

OF_ANOTHER_TOOL: dict[str, Any] = {"version": "2.1.0", "runs": []}


@pytest.fixture
def kestrel(db: None) -> Iterator[Kestrel]:
    """After each test nothing is found: what the product did is no finding."""
    kestrel = make_kestrel()
    yield kestrel
    assert found_in(kestrel) == []


def artifact(release: Release) -> str:
    return release.components.get().digest


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Uploads as an installation of before has them: read by version 1, which said `answer` where that is given."""

    def upload(kestrel: Kestrel, release: Release, kind: str, document: Any, **answer: Any) -> EvidenceDocument:
        sound = cyclonedx() if kind == "sbom" else trivy(trivy_entry())

        def read(kind: str, digest: str, content: bytes, **more: Any) -> dict[str, Any]:
            given = json.dumps(sound).encode() if answer else content
            return {**read_in_isolation(kind, digest, given, **more), **answer}

        with monkeypatch.context() as before:
            before.setattr(upload_document, "READER", READER - 1)
            before.setattr(upload_document, "read_in_isolation", read)
            return uploaded(kestrel["operator"], artifact(release), kind, document, clock=kestrel.clock)

    return upload


def parsed(*severities: str) -> dict[str, Any]:
    findings = [
        {
            "id": f"CVE-2026-000{number}",
            "aliases": [],
            "purl": None,
            "component": "openssl",
            "version": "1.0",
            "severity": severity,
            "cvss": None,
            "reachable": None,
            "publishedAt": None,
            "fixedVersion": None,
        }
        for number, severity in enumerate(severities)
    ]
    return {"schema": "stella.findings/v1", "hasScores": False, "findings": findings}


def waiting(kestrel: Kestrel, release: Release) -> Promotion:
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    return kestrel.ask(release, kestrel.staging)


def read_by(promotion: Promotion) -> int | None:
    fact = gather_documents(promotion, None, None).fact
    assert fact is not None
    return fact["readBy"]


def again(kestrel: Kestrel, promotion: Promotion) -> Promotion:
    kestrel.wait()
    run_round("test", clock=kestrel.clock)
    return Promotion.objects.get(pk=promotion.pk)


def test_what_this_reader_read_is_believed_at_once(kestrel: Kestrel) -> None:
    release = kestrel.release()
    uploaded(kestrel["operator"], artifact(release), "vulnerabilities", trivy(), clock=kestrel.clock)
    assert read_by(waiting(kestrel, release)) == READER
    assert not BundleReading.objects.exists()


def test_the_same_facts_stay_the_same_subject(kestrel: Kestrel, older: Any) -> None:
    release = kestrel.release()
    older(kestrel, release, "vulnerabilities", trivy(trivy_entry()))
    promotion = waiting(kestrel, release)
    assert read_by(promotion) is None
    kestrel.approves("approver", promotion)
    after = again(kestrel, promotion)
    assert after.subject_digest == promotion.subject_digest
    assert Vote.objects.get(promotion=promotion).ended_at is None
    assert read_by(after) == READER


def test_other_facts_are_another_subject_and_void_the_votes(kestrel: Kestrel, older: Any) -> None:
    release = kestrel.release()
    document = older(kestrel, release, "vulnerabilities", trivy(trivy_entry()), parsed=parsed("low"))
    promotion = waiting(kestrel, release)
    kestrel.approves("approver", promotion)
    after = again(kestrel, promotion)
    told = AuditEvent.objects.get(action="promotion.evidence_read_again")
    assert told.before == {"evidenceBundleDigest": promotion.evidence_bundle_digest}
    assert told.after == {"evidenceBundleDigest": after.evidence_bundle_digest} != told.before
    assert Vote.objects.get(promotion=promotion).ended_reason == "SUBJECT_CHANGED"
    (held,) = read_newest_documents(kestrel.tenant.pk, [artifact(release)]).documents
    assert (held.document, held.reader) == (document, READER)
    assert held.parsed != document.parsed_id
    assert not bundles.has_newer(after)


def test_what_is_refused_now_counts_as_missing(kestrel: Kestrel, older: Any) -> None:
    release = kestrel.release()
    document = older(kestrel, release, "vulnerabilities", OF_ANOTHER_TOOL, parsed=parsed())
    older(kestrel, release, "sbom", cyclonedx())
    promotion = waiting(kestrel, release)
    after = again(kestrel, promotion)
    assert [each.document.kind for each in read_newest_documents(kestrel.tenant.pk, [artifact(release)]).documents] == [
        "sbom"
    ]
    content = orjson.loads(bytes(after.evidence_bundle.content.content))  # type: ignore[union-attr]
    assert [each["kind"] for each in content["documents"]] == ["sbom"]
    assert "none of the formats" in DocumentReading.objects.get(document=document).refused


def test_old_records_replay_on_what_they_were_made_of(kestrel: Kestrel, older: Any) -> None:
    release = kestrel.release()
    older(kestrel, release, "vulnerabilities", trivy(trivy_entry()), parsed=parsed("low"))
    promotion = waiting(kestrel, release)
    before = DecisionRecord.objects.filter(promotion=promotion).latest("sequence")
    again(kestrel, promotion)
    assert replay(before).equal is True


def test_a_document_that_is_used_for_the_first_time_waits_for_its_reading(kestrel: Kestrel, older: Any) -> None:
    """Nobody had asked for its release when the new version came."""
    release = kestrel.release()
    older(kestrel, release, "vulnerabilities", trivy())
    run_round("test", clock=kestrel.clock)
    assert not DocumentReading.objects.exists()
    assert read_by(again(kestrel, waiting(kestrel, release))) == READER


def test_what_runs_in_the_target_is_read_again_too(kestrel: Kestrel, older: Any) -> None:
    running = kestrel.release()
    older(kestrel, running, "vulnerabilities", trivy(), parsed=parsed("low"))
    kestrel.deploys(kestrel.ask(running, kestrel.dev))
    release = kestrel.release()
    uploaded(kestrel["operator"], artifact(release), "vulnerabilities", trivy(), clock=kestrel.clock)
    promotion = kestrel.ask(release, kestrel.dev)
    kestrel.wait()
    run_round("test", clock=kestrel.clock)
    fact = gather_documents(promotion, str(running.pk), None).fact
    assert fact is not None
    reading = BundleReading.objects.get()
    assert (fact["readBy"], fact["currentBundleDigest"]) == (READER, reading.read_as.content_id)
    assert reading.read_as_id != reading.bundle_id


def test_a_signature_that_no_longer_names_the_artifact_counts_no_more(
    kestrel: Kestrel, older: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer, release = Signer(), kestrel.release()
    trust_key("scanner", signer.pem, by=kestrel["admin"], clock=kestrel.clock)
    with monkeypatch.context() as before:
        before.setattr(upload_document, "READER", READER - 1)
        before.setattr(
            upload_document,
            "read_in_isolation",
            lambda *given, **more: {**read_in_isolation(*given, **more), "namesArtifact": True},
        )
        envelope = signer.envelope(trivy(trivy_entry()))
        uploaded(kestrel["operator"], artifact(release), "vulnerabilities", envelope, clock=kestrel.clock)
    assert read_newest_documents(kestrel.tenant.pk, [artifact(release)]).documents[0].signer
    after = again(kestrel, waiting(kestrel, release))
    content = orjson.loads(bytes(after.evidence_bundle.content.content))  # type: ignore[union-attr]
    assert [each["signer"] for each in content["documents"]] == [None]
    assert not read_newest_documents(kestrel.tenant.pk, [artifact(release)]).documents[0].signer


def test_what_cannot_be_read_in_time_is_left_alone_for_a_while_and_not_believed(
    kestrel: Kestrel, older: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = kestrel.release()
    older(kestrel, release, "vulnerabilities", trivy(trivy_entry()))
    promotion = waiting(kestrel, release)
    tries = []

    def slow(*_given: Any, **_more: Any) -> Any:
        tries.append(1)
        raise DocumentUnread("too slow")

    rereader = Rereader()
    with monkeypatch.context() as now:
        now.setattr(document_readings, "read_in_isolation", slow)
        assert [rereader.read_due(kestrel.clock) for _ in range(3)] == [0, 0, 0]
    assert (len(tries), DocumentReading.objects.count(), read_by(promotion)) == (1, 0, None)
    assert Rereader().read_due(kestrel.clock) == 1


def test_a_feed_of_which_only_a_part_was_read_is_read_again(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    release = kestrel.release()
    uploaded(kestrel["operator"], artifact(release), "vulnerabilities", trivy(trivy_entry()), clock=kestrel.clock)
    with monkeypatch.context() as before:
        before.setattr(upload_feed, "READER", READER - 1)
        stored = feed(kestrel["admin"], "epss", EPSS, clock=kestrel.clock)
    FeedEntry.objects.filter(feed=stored, cve="CVE-2026-0001").delete()
    promotion = waiting(kestrel, release)
    assert read_by(promotion) is None
    after = again(kestrel, promotion)
    fact = gather_documents(after, None, None)
    assert fact.fact is not None
    assert fact.fact["readBy"] == READER
    assert b"CVE-2026-0001" in fact.extracts[fact.fact["epss"]["extract"]]  # type: ignore[index]


def test_a_feed_that_is_refused_now_counts_as_missing(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    release = kestrel.release()
    uploaded(kestrel["operator"], artifact(release), "vulnerabilities", trivy(trivy_entry()), clock=kestrel.clock)
    with monkeypatch.context() as before:
        before.setattr(upload_feed, "READER", READER - 1)
        before.setattr(upload_feed, "read_in_isolation", lambda kind, digest, _: read_in_isolation(kind, digest, EPSS))
        feed(kestrel["admin"], "epss", b"not a feed", clock=kestrel.clock)
    after = again(kestrel, waiting(kestrel, release))
    fact = gather_documents(after, None, None).fact
    assert fact is not None
    assert (fact["readBy"], fact["epss"]) == (READER, None)
    assert FeedReading.objects.get(feed=Feed.objects.get()).refused


@pytest.mark.parametrize("model", [DocumentReading, BundleReading, FeedReading])
def test_readings_are_written_once(model: Any, kestrel: Kestrel) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        model.objects.update(reader=9)
    with pytest.raises(DatabaseError), transaction.atomic():
        model.objects.all()._raw_delete("default")


def test_page_and_api_show_what_the_newest_reader_says(kestrel: Kestrel, older: Any) -> None:
    release = kestrel.release()
    refused = older(kestrel, release, "vulnerabilities", OF_ANOTHER_TOOL, parsed=parsed())
    other = older(kestrel, release, "sbom", cyclonedx(), parsed={"schema": "stella.components/v1", "components": []})
    again(kestrel, waiting(kestrel, release))
    client = client_of(kestrel, "viewer")
    assert "does not take this document any more" in client.get(f"/evidence/documents/{refused.pk}").content.decode()
    assert ">openssl<" in client.get(f"/evidence/documents/{other.pk}").content.decode()
    told = client.get(f"/api/v1/evidence/documents/{refused.pk}").json()
    assert (told["reader"], "none of the formats" in told["refused"]) == (READER, True)
    told = client.get(f"/api/v1/evidence/documents/{other.pk}").json()
    assert (told["refused"], len(told["parsed"]["components"])) == (None, 2)


def test_what_fails_for_whatever_reason_stops_nothing_else(
    kestrel: Kestrel, older: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = kestrel.release(), kestrel.release()
    promotions = []
    for release in (sound, broken):
        older(kestrel, release, "vulnerabilities", trivy(trivy_entry()))
        promotions.append(kestrel.ask(release, kestrel.dev))

    def read(kind: str, digest: str, content: bytes, **more: Any) -> dict[str, Any]:
        if digest == artifact(broken):
            raise KeyError("a blob that is not there")
        return read_in_isolation(kind, digest, content, **more)

    monkeypatch.setattr(document_readings, "read_in_isolation", read)
    kestrel.wait()
    run_round("test", clock=kestrel.clock)
    assert [read_by(each) for each in promotions] == [READER, None]


def test_what_is_left_alone_takes_no_place_in_a_batch(
    kestrel: Kestrel, older: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = kestrel.release(), kestrel.release()
    for release in (first, last):
        older(kestrel, release, "vulnerabilities", trivy(trivy_entry()))
        promotion = kestrel.ask(release, kestrel.dev)

    def read(kind: str, digest: str, content: bytes, **more: Any) -> dict[str, Any]:
        if digest == artifact(last):
            raise DocumentUnread("too slow")
        return read_in_isolation(kind, digest, content, **more)

    monkeypatch.setattr(document_readings, "read_in_isolation", read)
    limit = f"LIMIT {rereading.BATCH}"
    assert limit in rereading._UNREAD_BUNDLES
    monkeypatch.setattr(rereading, "_UNREAD_BUNDLES", rereading._UNREAD_BUNDLES.replace(limit, "LIMIT 1"))
    rereader = Rereader()
    assert [rereader.read_due(kestrel.clock) for _ in range(3)] == [0, 1, 0]
    assert read_by(promotion) is None


def test_a_gate_with_on_error_fail_does_not_reject_what_is_not_read_yet(kestrel: Kestrel, older: Any) -> None:
    gate = {
        "name": "cve",
        "kind": "security",
        "onError": "fail",
        "config": {"rules": {"release-aggregate-cve": {}}, "trustedUploaders": ["operator"]},
    }
    make_promotion_policy(kestrel["admin"], "scanned", clock=kestrel.clock, gates=[gate])
    changes = {"promotion_policy": "scanned"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)
    release = kestrel.release()
    older(kestrel, release, "vulnerabilities", trivy())
    promotion = kestrel.ask(release, kestrel.dev)
    assert promotion.status == "pending"
    assert again(kestrel, promotion).status == "approved"


def test_the_same_bytes_from_before_the_key_was_trusted_lend_no_signature(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer, release = Signer(), kestrel.release()
    envelope = signer.envelope(trivy(trivy_entry()))
    with monkeypatch.context() as before:
        before.setattr(upload_document, "READER", READER - 1)
        before.setattr(
            upload_document,
            "read_in_isolation",
            lambda *given, **more: {**read_in_isolation(*given, **more), "namesArtifact": True},
        )
        uploaded(kestrel["operator"], artifact(release), "vulnerabilities", envelope, clock=kestrel.clock)
        kestrel.wait()
        trust_key("scanner", signer.pem, by=kestrel["admin"], clock=kestrel.clock)
        uploaded(kestrel["operator"], artifact(release), "vulnerabilities", envelope, clock=kestrel.clock)
    after = again(kestrel, waiting(kestrel, release))
    content = orjson.loads(bytes(after.evidence_bundle.content.content))  # type: ignore[union-attr]
    assert [each["signer"] for each in content["documents"]] == [None, None]


def test_one_that_failed_and_may_start_again_is_read_again(kestrel: Kestrel, older: Any) -> None:
    release = kestrel.release()
    older(kestrel, release, "vulnerabilities", trivy(trivy_entry()))
    promotion = kestrel.ask(release, kestrel.dev)
    kestrel.reports(promotion, "started")
    kestrel.reports(promotion, "failed")
    assert read_by(again(kestrel, promotion)) == READER


def test_a_start_is_judged_on_what_was_read_again(kestrel: Kestrel, older: Any) -> None:
    release = kestrel.release()
    older(kestrel, release, "vulnerabilities", trivy(trivy_entry()), parsed=parsed("low"))
    promotion = kestrel.ask(release, kestrel.dev)
    assert Rereader().read_due(kestrel.clock) == 1
    kestrel.reports(promotion, "started")
    promotion.refresh_from_db()
    assert promotion.evidence_bundle_id == BundleReading.objects.get().read_as_id


def test_an_older_application_takes_no_entries_from_a_feed_that_a_newer_one_has_read(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot tell them from changed ones: a finding says so until the newer one is back."""
    kestrel = make_kestrel()
    stored = feed(kestrel["admin"], "epss", EPSS, clock=kestrel.clock)
    every = [{"cve": f"CVE-2026-000{number}", "epss": 0.5} for number in range(1, 6)]
    monkeypatch.setattr(upload_feed, "READER", READER + 2)
    upload_feed.reload_feed(stored, every, at=kestrel.clock.now())
    monkeypatch.setattr(upload_feed, "READER", READER + 1)
    upload_feed.reload_feed(stored, every[:1], at=kestrel.clock.now())
    assert FeedEntry.objects.filter(feed=stored).count() == len(every)
    assert [what for _, what, _ in found_in(kestrel)] == ["DOCUMENT_CHANGED"]


def test_a_round_ends_in_time_and_the_next_goes_on(
    kestrel: Kestrel, older: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = kestrel.release()
    older(kestrel, release, "vulnerabilities", trivy(trivy_entry()))
    promotion = waiting(kestrel, release)
    rereader = Rereader()
    with monkeypatch.context() as now:
        now.setattr(rereading, "ROUND_SECONDS", -1.0)
        assert rereader.read_due(kestrel.clock) == 0
    assert not rereader.left_alone
    assert rereader.read_due(kestrel.clock) == 1
    assert read_by(promotion) == READER


def test_what_this_reader_read_once_more_for_an_index_counts_as_it_was_read_last(db: None, older: Any) -> None:
    """A reading that nobody read, which a verification finds."""
    kestrel = make_kestrel()
    release = kestrel.release()
    older(kestrel, release, "sbom", cyclonedx())
    report = uploaded(kestrel["operator"], artifact(release), "vulnerabilities", trivy(), clock=kestrel.clock)
    promotion = waiting(kestrel, release)
    DocumentReading.objects.create(
        document=report, reader=READER, summary={}, binds=False, refused="of no platform", read_at=kestrel.clock.now()
    )
    again(kestrel, promotion)
    (reading,) = BundleReading.objects.filter(bundle_id=promotion.evidence_bundle_id)
    documents = orjson.loads(bytes(reading.read_as.content.content))["documents"]
    assert [each["kind"] for each in documents] == ["sbom"]
