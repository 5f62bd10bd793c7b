"""Uploads, feeds and bundles at one instant, on real connections."""

from typing import Any

import pytest

from promotions.actions.approve import approve
from promotions.actions.take_bundle import take_bundle, take_newest_documents
from promotions.models import DecisionRecord, EvidenceBundle, EvidenceDocument, Feed, FeedEntry, Promotion, Vote
from promotions.verification.replay import replay
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import ProductError
from tests.database import CommittedDatabase
from tests.promotions.formats.samples import ARTIFACT, KEV, cyclonedx, trivy, trivy_entry
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.uploads import feed, uploaded


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    return make_kestrel()


def without_mistakes(results: list[Any]) -> list[Any]:
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, ProductError):
            raise result
    return results


def test_the_same_document_sent_at_once_is_kept_and_audited_once(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    def send() -> Any:
        return uploaded(kestrel["operator"], ARTIFACT, "sbom", cyclonedx(), clock=kestrel.clock).pk

    found = without_mistakes(committed_db.at_once(send, send, send, send))
    assert len(set(found)) == 1
    assert EvidenceDocument.objects.count() == 1
    assert AuditEvent.objects.filter(action="evidence.uploaded").count() == 1


def test_the_same_bundle_taken_at_once_is_one(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    uploaded(kestrel["operator"], ARTIFACT, "sbom", cyclonedx(), clock=kestrel.clock)

    def take() -> Any:
        return take_bundle([ARTIFACT], by=kestrel["operator"], clock=kestrel.clock).pk

    assert len(set(without_mistakes(committed_db.at_once(take, take, take)))) == 1
    assert EvidenceBundle.objects.count() == 1


def test_two_feeds_at_once_leave_the_entries_of_the_newer(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    older = {**KEV, "dateReleased": "2026-10-01T00:00:00Z", "count": 1, "vulnerabilities": KEV["vulnerabilities"][:1]}
    newer = {**KEV, "dateReleased": "2026-10-02T00:00:00Z"}
    without_mistakes(
        committed_db.at_once(
            lambda: feed(kestrel["admin"], "kev", older, clock=kestrel.clock),
            lambda: feed(kestrel["admin"], "kev", newer, clock=kestrel.clock),
        )
    )
    newest = Feed.objects.newest_first()[0]
    assert newest.entry_count == 2
    assert list(FeedEntry.objects.values_list("feed_id", flat=True)) == [newest.pk] * 2


def test_a_vote_and_newer_evidence_at_once_never_approve_what_was_not_seen(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    artifact = promotion.release.components.get().digest
    uploaded(kestrel["operator"], artifact, "vulnerabilities", trivy(trivy_entry()), clock=kestrel.clock)
    kestrel.wait()
    without_mistakes(
        committed_db.at_once(
            lambda: approve(promotion.pk, by=kestrel["second"], clock=kestrel.clock),
            lambda: take_newest_documents(promotion.pk, by=kestrel["requester"], clock=kestrel.clock),
        )
    )
    promotion = Promotion.objects.get(pk=promotion.pk)
    live = Vote.objects.filter(promotion=promotion, ended_at=None)
    assert promotion.evidence_bundle_digest is not None
    assert {vote.subject_digest for vote in live} <= {promotion.subject_digest}
    assert promotion.status == "awaiting_approval"
    assert all(replay(record).equal for record in DecisionRecord.objects.filter(promotion=promotion))
