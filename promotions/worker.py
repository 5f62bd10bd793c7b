"""One round of what time or committed facts make due: it decides nothing itself, it calls the same actions.

Every step claims its work by query, does each item in its own transaction, and survives the failure of one item, which
is tried again later and later (architecture.md, 9; docs/adr/0141). Rounds are idempotent: a worker killed anywhere
leaves whole transactions behind, and the next round, of any worker, finds the rest.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection
from django.db.models import BooleanField, F, QuerySet
from django.db.models.expressions import RawSQL

from promotions import outbox
from promotions.actions.auto_promote import auto_promote
from promotions.actions.evaluate import reevaluate
from promotions.actions.mark_overdue import mark_overdue
from promotions.actions.proposals import expire_proposals
from promotions.collecting import Collector
from promotions.failures import forget_old, postpone, without_postponed
from promotions.formats.document import READER
from promotions.models import OutboxEvent, Promotion, WorkerHeartbeat
from promotions.rereading import Rereader
from promotions.states import OPEN, Status
from stellapromote.accounts.actor import Actor, system_actor
from stellapromote.api.idempotency import forget_expired
from stellapromote.audit.refusals import tell_counted
from stellapromote.audit.sealer import seal_pending
from stellapromote.clock import SYSTEM_CLOCK, Clock, rfc3339
from stellapromote.identity.sessions import SessionStore

logger = logging.getLogger(__name__)

BATCH = 200
OUTBOX_KEPT = timedelta(days=30)

# A change reads its instant before it commits, so an evaluation may have missed a change that is older than itself by
# as long as the change's transaction took. Everything is looked at again until its evaluation is this much younger.
SETTLED = "10 seconds"

_BY_DEPENDENCY = '[{"type": "dependency"}]'

# Which open promotions are due: their instant has come, or something happened to their facts. A freeze of the target
# or tenant was written, a right was granted, confirmed or ended, a key trusted or revoked, a feed came, the release
# changed, documents of theirs or of what runs in the target were read again. What runs anywhere changes by deployment
# reports, which set next_change_at themselves, but not of a request that is not stored yet: what such a request waits
# for by a dependency gate is looked at once more when those reports have ended.
_DUE = f"""
promotions_promotion.next_change_at <= %s OR (
  promotions_promotion.gates @> '{_BY_DEPENDENCY}'
  AND promotions_promotion.last_evaluated_at < promotions_promotion.requested_at + interval '{SETTLED}'
  AND promotions_promotion.requested_at + interval '{SETTLED}' <= %s
) OR EXISTS (
  SELECT 1 FROM promotions_bundlereading r
  WHERE r.bundle_id = promotions_promotion.evidence_bundle_id AND r.reader = %s
    AND (r.read_as_id <> r.bundle_id OR r.read_at > promotions_promotion.last_evaluated_at - interval '{SETTLED}')
) OR EXISTS (
  SELECT 1 FROM promotions_bundlereading r
  WHERE promotions_promotion.evidence_bundle_id IS NOT NULL AND r.reader = %s
    AND r.read_at > promotions_promotion.last_evaluated_at - interval '{SETTLED}'
    AND r.bundle_id = (
      SELECT d.evidence_bundle_id FROM promotions_promotion d
      WHERE d.target_environment_id = promotions_promotion.target_environment_id
        AND d.product = promotions_promotion.product AND d.status = 'deployed'
      ORDER BY d.completed_at DESC, d.number DESC LIMIT 1)
) OR EXISTS (
  SELECT 1 FROM (
    SELECT tenant_id, environment_id, NULL::uuid AS release_id, changed_at AS at FROM environments_freezewindow
    UNION ALL SELECT tenant_id, NULL, NULL, greatest(granted_at, confirmed_at, ended_at) FROM accounts_rolegrant
    UNION ALL SELECT tenant_id, NULL, NULL, greatest(granted_at, confirmed_at, ended_at) FROM accounts_teamgrant
    UNION ALL SELECT tenant_id, NULL, NULL, greatest(granted_at, ended_at) FROM accounts_membership
    UNION ALL SELECT tenant_id, NULL, NULL, greatest(added_at, revoked_at) FROM promotions_trustedkey
    UNION ALL SELECT tenant_id, NULL, NULL, uploaded_at FROM promotions_feed
    UNION ALL SELECT r.tenant_id, NULL, r.id, r.changed_at FROM promotions_release r
      WHERE r.id IN (SELECT release_id FROM promotions_promotion WHERE status = ANY(%s))
    UNION ALL SELECT f.tenant_id, NULL, NULL, r.read_at FROM promotions_feedreading r
      JOIN promotions_feed f ON f.id = r.feed_id) changed
  WHERE changed.tenant_id = promotions_promotion.tenant_id
    AND changed.at > promotions_promotion.last_evaluated_at - interval '{SETTLED}'
    AND (changed.environment_id IS NULL OR changed.environment_id = promotions_promotion.target_environment_id
         OR promotions_promotion.gates @> '{_BY_DEPENDENCY}')
    AND (changed.release_id IS NULL OR changed.release_id = promotions_promotion.release_id))
"""  # noqa: S608 - the part is a constant of this module


@dataclass(frozen=True, slots=True)
class Due:
    """One promotion that needs a look, and the system acting in its tenant."""

    promotion_id: UUID
    by: Actor


def run_round(
    name: str,
    clock: Clock = SYSTEM_CLOCK,
    collector: Collector | None = None,
    rereader: Rereader | None = None,
) -> int:
    """Does everything that is due now; returns how many things it did. ``name`` is this worker's, for its heartbeat.

    The outside is asked last, by the worker's ``collector``; without one until everybody has answered. ``rereader`` is
    the worker's, too.
    """
    now = clock.now()
    done = (rereader or Rereader()).read_due(clock)
    done += _each("reevaluate", _due_promotions(now), reevaluate, clock)
    done += _each("reevaluate", _to_close(now), reevaluate, clock)
    done += _each("overdue", _overdue(now), mark_overdue, clock)
    done += _each("auto_promote", _to_auto_promote(now), auto_promote, clock)
    done += expire_proposals(now)
    done += tell_counted(now)
    done += seal_pending()
    done += outbox.derive(now)
    WorkerHeartbeat.objects.update_or_create(name=name, defaults={"at": now})
    answered = _answered((collector or Collector()).collect(clock))
    return done + _each("reevaluate", answered, reevaluate, clock)


def tidy(clock: Clock = SYSTEM_CLOCK) -> None:
    """Deletes what is kept for a time: outbox events (30 days, domain.md §10), answers, sessions, heartbeats,
    failures."""
    now = clock.now()
    OutboxEvent.objects.filter(created_at__lt=now - OUTBOX_KEPT).delete()
    WorkerHeartbeat.objects.filter(at__lt=now - timedelta(days=1)).delete()
    forget_old(now)
    forget_expired(now)
    SessionStore.clear_expired()


class _Step(Protocol):
    """An action with one promotion."""

    def __call__(self, promotion_id: UUID, /, *, by: Actor, clock: Clock) -> object: ...


def _each(step: str, items: Iterable[Due], act: _Step, clock: Clock) -> int:
    """Does it with each; one that fails is postponed, whatever it fails of, unless the database is away altogether."""
    done = 0
    for due in items:
        try:
            act(due.promotion_id, by=due.by, clock=clock)
            done += 1
        except Exception as error:
            if isinstance(error, OperationalError | InterfaceError) and not connection.is_usable():
                raise  # nothing else of this round can be done either
            failed = postpone(due.promotion_id, step, clock.now())
            found = {"step": step, "promotion_id": str(due.promotion_id), "failures": failed.failures}
            logger.exception("worker_step_failed", extra={**found, "retry_at": rfc3339(failed.retry_at)})
    return done


def _answered(found: Iterable[tuple[UUID, UUID, str]]) -> list[Due]:
    """Promotions about which the outside just said something."""
    return [Due(promotion_id, system_actor(tenant_id, slug)) for promotion_id, tenant_id, slug in found]


def _due_promotions(now: datetime) -> list[Due]:
    is_due = RawSQL(_DUE, (now, now, READER, READER, sorted(OPEN)), output_field=BooleanField())  # noqa: S611 - a constant of this module
    due = Promotion.objects.filter(is_due, status__in=sorted(OPEN))
    return _as_due(due.order_by(F("next_change_at").asc(nulls_last=True), "pk"), now)


def _to_close(now: datetime) -> list[Due]:
    """Failed ones whose reject waits for a signing key."""
    waiting = Promotion.objects.filter(status=Status.FAILED, next_change_at__lte=now)
    return _as_due(waiting.order_by("next_change_at"), now)


def _overdue(now: datetime) -> list[Due]:
    late = Promotion.objects.filter(status=Status.DEPLOYING, overdue_at=None, deployment_due_at__lte=now)
    return _as_due(late.order_by("deployment_due_at"), now)


def _to_auto_promote(now: datetime) -> list[Due]:
    return _as_due(Promotion.objects.filter(auto_promote_due=True).order_by("pk"), now)


def _as_due(promotions: QuerySet[Promotion], now: datetime) -> list[Due]:
    rows = without_postponed(promotions, now).values_list("pk", "tenant_id", "tenant__slug")[:BATCH]
    return [Due(promotion_id, system_actor(tenant_id, slug)) for promotion_id, tenant_id, slug in rows]
