from collections.abc import Sequence
from uuid import UUID

from promotions.documents import bundles
from promotions.fastpath import rows
from promotions.judging.evaluation_context import gather_context, instant
from promotions.judging.judge import adopt_subject, conclude, expire_if_due
from promotions.judging.locks import lock_promotion
from promotions.judging.unit_of_work import UnitOfWork
from promotions.models import EvidenceBundle, Promotion
from promotions.voting import rules
from promotions.voting.outcome import Outcome
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import EVIDENCE_WRITE
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import RuleViolation
from stellapromote.transactions import transactional


class NoDocuments(RuleViolation):
    """None of the artifacts has a document, so there is no bundle to take."""

    code = "EVD_NO_DOCUMENTS"


@transactional
def take_bundle(artifacts: Sequence[str], *, by: Actor, clock: Clock = DATABASE_CLOCK) -> EvidenceBundle:
    """The bundle of the newest documents of these artifacts, new or not. Raises Refused, NoDocuments."""
    by.require(EVIDENCE_WRITE)
    composed = bundles.compose_bundle(by.tenant, artifacts)
    if composed is None:
        raise NoDocuments("There is no document about any of these artifacts: upload one first.")
    known = EvidenceBundle.objects.filter(tenant_id=by.tenant, content_id=composed.digest).exists()
    bundle = bundles.store_bundle(composed, tenant_id=by.tenant, at=(at := clock.now()))
    if not known:
        record(
            by=by,
            at=at,
            action="evidence.bundle_taken",
            resource="evidence_bundle",
            resource_id=bundle.pk,
            metadata={"bundleDigest": composed.digest, "documents": composed.documents},
        )
    return bundle


def take_newest_documents(promotion_id: UUID, *, by: Actor, clock: Clock = DATABASE_CLOCK) -> Promotion:
    """Binds an open promotion to the newest documents of its components and judges it again (domain.md §6).

    When they differ, the subject changes: votes become void. Raises Http404, Refused, and StateForbids when the
    promotion is not open or just expired, NoDocuments.
    """
    return _take(promotion_id, by, clock).result()


@transactional
def _take(promotion_id: UUID, by: Actor, clock: Clock) -> Outcome:
    promotion, superseded, moment = lock_promotion(promotion_id, by.tenant, clock)
    rules.check_can_evaluate(by, promotion)
    at = instant(moment, promotion)
    work = UnitOfWork(by, at)
    if expire_if_due(promotion, at, work):
        rows.store(promotion)
        work.write()
        return Outcome(promotion, rules.StateForbids(promotion.status_detail))
    before = promotion.evidence_bundle_digest
    if bundles.adopt_newest_bundle(promotion, at):
        work.note(
            "promotion.evidence_taken",
            promotion,
            before={"evidenceBundleDigest": before},
            after={"evidenceBundleDigest": promotion.evidence_bundle_digest},
            outside=False,
        )
    elif before is None:
        raise NoDocuments("There is no document about any component of this release: upload one first.")
    context = gather_context(promotion, at)
    adopt_subject(context, work)
    conclude(context, work, superseded=superseded)
    rows.store(promotion)
    work.write()
    return Outcome(promotion)
