"""One round of what time or committed facts make due: it decides nothing itself, it calls the same actions.

Every step claims its work by query, does each item in its own transaction, and survives the failure of one item, which
is tried again later and later (architecture.md, 9; docs/adr/0141). Rounds are idempotent: a worker killed anywhere
leaves whole transactions behind, and the next round, of any worker, finds the rest.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from django.db import DatabaseError
from django.db.models import BooleanField, F, QuerySet, Window
from django.db.models.expressions import OrderBy, RawSQL
from django.db.models.functions import RowNumber

from promotions.actions.auto_promote import auto_promote
from promotions.actions.evaluate import reevaluate
from promotions.actions.mark_overdue import mark_overdue
from promotions.actions.proposals import expire_proposals
from promotions.actions.rereading import Rereader
from promotions.formats.document import READER
from promotions.judging.locks import is_held
from promotions.models import OutboxEvent, ProcessHeartbeat, Promotion, WebhookDelivery
from promotions.models.promotion_vocabulary import running_sql
from promotions.states import OPEN, Status
from promotions.worker import outbox
from promotions.worker.collecting import Collector
from promotions.worker.failures import forget_old, postpone, without_postponed
from promotions.worker.heartbeats import beat
from promotions.worker.mailing import Mailer
from promotions.worker.steps import Steps
from promotions.worker.turns import DuePromotion, Turns
from promotions.worker.webhook_queue import end_late
from stellapromote.accounts.actor import Actor, system_actor
from stellapromote.api.idempotency import forget_expired
from stellapromote.audit.refusals import record_counted_refusals
from stellapromote.audit.sealer import chains_with_pending, seal_some
from stellapromote.clock import Clock, rfc3339
from stellapromote.database.errors import is_away
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity import throttle
from stellapromote.identity.messages import forget_messages, send_due
from stellapromote.identity.sessions import SessionStore

logger = logging.getLogger(__name__)

BATCH = 200
OUTBOX_KEPT = timedelta(days=30)

# A change reads its instant before it commits, so an evaluation may have missed a change that is older than itself by
# as long as the change's transaction took. Everything is judged again until its evaluation is this much younger.
SETTLED = "10 seconds"

_BY_DEPENDENCY = '[{"type": "dependency"}]'
_RUNNING = running_sql(
    "d.evidence_bundle_id",
    environment="promotions_promotion.target_environment_id",
    product="promotions_promotion.product",
)

# The open promotions that are due: their instant has come, or one of their facts changed. A freeze of the target or
# tenant was written, a right was granted, confirmed or ended, a key trusted or revoked, a feed came, the release
# changed, or documents of theirs or of the running release were read again. The running releases change by deployment
# reports, which set next_change_at themselves, but not that of a request that is not stored yet: such a request with a
# dependency gate is judged once more when those reports have ended.
_DUE = f"""
promotions_promotion.next_change_at <= %s OR (
  promotions_promotion.gates @> '{_BY_DEPENDENCY}'
  AND promotions_promotion.last_evaluated_at < promotions_promotion.requested_at + interval '{SETTLED}'
  AND promotions_promotion.requested_at + interval '{SETTLED}' <= %s
) OR EXISTS (
  SELECT 1 FROM promotions_bundlereading r
  JOIN promotions_evidencebundle b ON b.id = r.bundle_id AND b.reader < r.reader
  WHERE r.bundle_id = promotions_promotion.evidence_bundle_id AND r.reader = %s
    AND (r.read_as_id <> r.bundle_id OR r.read_at > promotions_promotion.last_evaluated_at - interval '{SETTLED}')
) OR EXISTS (
  SELECT 1 FROM promotions_bundlereading r
  JOIN promotions_evidencebundle b ON b.id = r.bundle_id AND b.reader < r.reader
  WHERE promotions_promotion.evidence_bundle_id IS NOT NULL AND r.reader = %s
    AND r.read_at > promotions_promotion.last_evaluated_at - interval '{SETTLED}'
    AND r.bundle_id = ({_RUNNING})
) OR EXISTS (
  SELECT 1 FROM (
    SELECT tenant_id, environment_id, NULL::uuid AS release_id, changed_at AS at FROM environments_freezewindow
    UNION ALL SELECT tenant_id, NULL, NULL, greatest(granted_at, confirmed_at, ended_at) FROM accounts_rolegrant
    UNION ALL SELECT tenant_id, NULL, NULL, greatest(granted_at, confirmed_at, ended_at) FROM accounts_teamgrant
    UNION ALL SELECT tenant_id, NULL, NULL, greatest(granted_at, ended_at) FROM accounts_membership
    UNION ALL SELECT tenant_id, NULL, NULL, greatest(held_at, confirmed_at) FROM accounts_heldaccount
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


def run_round(
    name: str,
    clock: Clock = DATABASE_CLOCK,
    collector: Collector | None = None,
    rereader: Rereader | None = None,
    steps: Steps | None = None,
    turns: Turns | None = None,
    mailer: Mailer | None = None,
) -> int:
    """Does all due work; returns the number of things done. ``name`` is this worker's, for its heartbeat.

    The network comes last, by the worker's ``collector`` and ``mailer``; without them the round waits for all answers.
    ``rereader``, ``steps`` and ``turns`` are the worker's, too.
    """
    now = clock.now()
    steps = steps or Steps()
    turns = turns or Turns()
    turns.begin_round()
    each = partial(_each, clock=clock, turns=turns)
    done = steps.take("read_again", lambda: (rereader or Rereader()).read_due(clock))
    done += steps.take("find_due", lambda: each("reevaluate", _due_promotions(now), reevaluate))
    done += steps.take("find_to_close", lambda: each("reevaluate", _to_close(now), reevaluate))
    done += steps.take("find_overdue", lambda: each("overdue", _overdue(now), mark_overdue))
    done += steps.take("find_automatic", lambda: each("auto_promote", _to_auto_promote(now), auto_promote))
    done += steps.take("expire_proposals", lambda: expire_proposals(now))
    done += steps.take("tell_counted", lambda: record_counted_refusals(now))
    done += steps.of_each("seal", chains_with_pending, seal_some)
    done += steps.of_each("outbox", lambda: outbox.behind(now), lambda tenant_id: outbox.derive(tenant_id, now))
    beat(name, ProcessHeartbeat.Role.WORKER, clock.now(), steps.failing())
    done += steps.take("mail", lambda: send_due(clock) if mailer is None else mailer.send(clock))
    return done + steps.take("collect", lambda: _collect(collector or Collector(), clock, turns))


def tidy(clock: Clock = DATABASE_CLOCK) -> None:
    """Deletes what is kept for a time: outbox events and their deliveries (30 days, domain.md §10), answers, e-mails,
    sessions, attempts to sign in, heartbeats, failures."""
    now = clock.now()
    end_late(now)
    WebhookDelivery.objects.filter(event_at__lt=now - OUTBOX_KEPT).delete()
    OutboxEvent.objects.filter(created_at__lt=now - OUTBOX_KEPT).delete()
    ProcessHeartbeat.objects.filter(at__lt=now - timedelta(days=1)).delete()
    forget_old(now)
    forget_expired(now)
    forget_messages(now)
    SessionStore.clear_expired()
    while throttle.forget(now=now):
        pass


class _Step(Protocol):
    """An action with one promotion."""

    def __call__(self, promotion_id: UUID, /, *, by: Actor, clock: Clock) -> object: ...


def _each(step: str, due: Iterable[DuePromotion], act: _Step, *, clock: Clock, turns: Turns) -> int:
    """Does it with each for which there is time."""
    done, _ = _as_time_allows(step, due, act, clock, turns)
    return done


def _as_time_allows(
    step: str, due: Iterable[DuePromotion], act: _Step, clock: Clock, turns: Turns
) -> tuple[int, list[DuePromotion]]:
    """The number of promotions done, and those that are left. A failing one is postponed for every error, unless the
    database is away. One that another transaction holds is left: that one may take as long as the database lets it."""
    done = 0
    held: list[DuePromotion] = []

    def attempt(one: DuePromotion) -> None:
        nonlocal done
        if is_held(one.promotion_id):
            logger.debug("worker_promotion_held", extra={"step": step, "promotion_id": str(one.promotion_id)})
            held.append(one)
            return
        try:
            act(one.promotion_id, by=one.by, clock=clock)
            done += 1
        except Exception as error:
            if is_away(error):
                raise
            _note_failure(one.promotion_id, step, clock.now())

    left = turns.take(due, attempt)
    return done, [*left, *held]


def _note_failure(promotion_id: UUID, step: str, now: datetime) -> None:
    """In the log, and for the promotion's next turn. Where that cannot be stored, the next round tries it again."""
    found: dict[str, Any] = {"step": step, "promotion_id": str(promotion_id)}
    try:
        failed = postpone(promotion_id, step, now)
        found |= {"failures": failed.failures, "retry_at": rfc3339(failed.retry_at)}
    except DatabaseError as error:
        if is_away(error):
            raise
        logger.exception("worker_failure_not_stored", extra=found)
    logger.exception("worker_step_failed", extra=found)


def _collect(collector: Collector, clock: Clock, turns: Turns) -> int:
    """Evaluates the promotions about which the outside just said something."""
    found = {each.promotion_id: each for each in turns.left}
    for promotion_id, tenant, slug in collector.collect(clock):
        found[promotion_id] = DuePromotion(promotion_id, system_actor(tenant, slug))
    turns.left = list(found.values())
    done, turns.left = _as_time_allows("reevaluate", turns.left, reevaluate, clock, turns)
    return done


def _due_promotions(now: datetime) -> list[DuePromotion]:
    is_due = RawSQL(_DUE, (now, now, READER, READER, sorted(OPEN)), output_field=BooleanField())  # noqa: S611 - a constant of this module
    due = Promotion.objects.filter(is_due, status__in=sorted(OPEN))
    return _as_due(due, now, F("next_change_at").asc(nulls_last=True))


def _to_close(now: datetime) -> list[DuePromotion]:
    """Failed ones whose reject waits for a signing key."""
    waiting = Promotion.objects.filter(status=Status.FAILED, next_change_at__lte=now)
    return _as_due(waiting, now, F("next_change_at").asc())


def _overdue(now: datetime) -> list[DuePromotion]:
    late = Promotion.objects.filter(status=Status.DEPLOYING, overdue_at=None, deployment_due_at__lte=now)
    return _as_due(late, now, F("deployment_due_at").asc())


def _to_auto_promote(now: datetime) -> list[DuePromotion]:
    return _as_due(Promotion.objects.filter(auto_promote_due=True), now, F("pk").asc())


def _as_due(promotions: QuerySet[Promotion], now: datetime, first: OrderBy) -> list[DuePromotion]:
    """A batch in which tenants take turns: the first of each, then the second."""
    order = [first, F("pk").asc()]
    turn = Window(RowNumber(), partition_by=F("tenant_id"), order_by=order)
    rows = without_postponed(promotions, now).annotate(turn=turn).order_by("turn", *order)
    found = rows.values_list("pk", "tenant_id", "tenant__slug")[:BATCH]
    return [DuePromotion(promotion_id, system_actor(tenant_id, slug)) for promotion_id, tenant_id, slug in found]
