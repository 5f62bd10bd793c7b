"""The worker's step that uses the network: claims due questions, commits, asks, stores (architecture.md, 9).

All questions are asked side by side, in threads that use no database; no question is asked inside a transaction. A
round waits for answers as long as its worker's patience allows, and a later round stores the rest: one tenant's slow
address must not delay the audit log and time gates of all.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, transaction

from policies.engines.ask import input_about
from policies.engines.opa import ask_server
from policies.facts import policy_of
from policies.library import DocumentMissing
from policies.outbound import Allowed, OutboundFailed, Request, fetch
from promotions.fastpath import rows as rows_of
from promotions.judging.collected_facts import gates_with_collected_facts, has_policy_server, http_targets, max_age
from promotions.judging.evaluation_context import gather_context
from promotions.models import CollectedFact, Promotion
from promotions.states import OPEN
from stellapromote.clock import Clock
from stellapromote.database.errors import is_away
from stellapromote.database_clock import running_from_now
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes

logger = logging.getLogger(__name__)

AT_ONCE = 16
OF_ONE_TENANT = 8
"""Of those so many for one tenant, whose addresses may all be slow."""

CLAIMED = timedelta(minutes=1)
"""Longer than any asking takes: a worker that dies in it has its claim run out."""

OPA_SECONDS = 5.0
RETRY = timedelta(seconds=30)

# A failed one may be started once more while its approval lasts, and the start check wants fresh facts. Tenants take
# turns: the first of each, then the second; what of a tenant is under way here counts as turns that it had.
_CLAIM = """
UPDATE promotions_collectedfact SET due_at = %(until)s WHERE id IN (
  SELECT c.id FROM promotions_collectedfact c JOIN (
    SELECT d.id, d.due_at, coalesce((%(under_way)s::jsonb ->> d.tenant_id::text)::int, 0)
      + row_number() OVER (PARTITION BY d.tenant_id ORDER BY d.due_at, d.id) AS turn
    FROM promotions_collectedfact d JOIN promotions_promotion p ON p.id = d.promotion_id
    WHERE d.due_at <= %(now)s AND p.subject_digest = d.subject_digest
      AND (p.status = ANY(%(open)s) OR p.status = 'failed' AND p.approval_expires_at > %(now)s)) waiting
    ON waiting.id = c.id
  WHERE waiting.turn <= %(of_one_tenant)s AND c.due_at <= %(now)s
  ORDER BY waiting.turn, waiting.due_at, c.id LIMIT %(batch)s FOR UPDATE OF c SKIP LOCKED)
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class CollectedAnswer:
    """The content to store, whether it is good, and its time: an older answer expires sooner."""

    content: dict[str, Any]
    good: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class CollectionTask:
    """One claimed row, and the question to its server, which uses no database."""

    fact: CollectedFact
    gate: Any
    ask: Callable[[], CollectedAnswer]


class Collector:
    """The tasks of one worker. ``patience``: seconds that a round waits for answers; None: until all are there."""

    def __init__(self, patience: float | None = None) -> None:
        self._patience = patience
        self._threads = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="collect")
        self._under_way: dict[Future[CollectedAnswer], CollectionTask] = {}

    def collect(self, clock: Clock) -> list[tuple[UUID, UUID, str]]:
        """Asks the due questions; returns (promotion id, tenant id, its slug) of promotions with a stored answer.

        The caller evaluates them again. One failure stops no other: a failed question is asked again when its claim
        ends.
        """
        for fact in _claim(clock.now(), [task.fact.tenant_id for task in self._under_way.values()]):
            task = _prepare_task(fact, clock)
            if task is not None:
                self._under_way[self._threads.submit(task.ask)] = task
        stored = {}
        for future in wait(self._under_way, timeout=self._patience).done if self._under_way else ():
            task = self._under_way.pop(future)
            fact = task.fact
            if (error := future.exception()) is not None:
                logger.error("collecting_failed", exc_info=error, extra={"promotion_id": str(fact.promotion_id)})
            else:
                try:
                    _store(task, future.result())
                except Exception as failed:
                    _log_failure(failed, fact)
                    continue
                stored[fact.promotion_id] = (fact.promotion_id, fact.tenant_id, fact.tenant.slug)
        return list(stored.values())


def _claim(now: datetime, under_way: Sequence[UUID] = ()) -> list[CollectedFact]:
    """Claims the rows that are due. ``under_way``: the tenant of each task that this worker has not ended."""
    places = AT_ONCE - len(under_way)
    if places <= 0:
        return []
    parameters: dict[str, Any] = {
        "until": now + CLAIMED,
        "now": now,
        "open": sorted(OPEN),
        "batch": places,
        "of_one_tenant": OF_ONE_TENANT,
        "under_way": orjson.dumps({str(tenant): count for tenant, count in Counter(under_way).items()}).decode(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        ids = [row[0] for row in cursor.fetchall()]
    return list(CollectedFact.objects.filter(pk__in=ids).select_related("tenant").order_by("pk")) if ids else []


def _prepare_task(fact: CollectedFact, clock: Clock) -> CollectionTask | None:
    try:
        return _task(fact, clock)
    except Exception as failed:
        _log_failure(failed, fact)
        return None


def _log_failure(error: Exception, fact: CollectedFact) -> None:
    if is_away(error):
        raise error
    logger.exception("collecting_failed", extra={"promotion_id": str(fact.promotion_id)})


@transaction.atomic
def _task(fact: CollectedFact, clock: Clock) -> CollectionTask | None:
    """The question of a claimed row; None when the promotion's policy has no such gate, or its subject has changed."""
    found: list[Promotion] = rows_of.promotions([fact.promotion_id])
    if not found:
        return None
    promotion = found[0]
    time_is = running_from_now(clock)
    context = gather_context(promotion, max(time_is(), promotion.last_evaluated_at))
    facts = context.facts.gate_input
    policy = policy_of(facts["requirements"], context.documents)
    gate = next((each for each in gates_with_collected_facts(policy) if each["name"] == fact.gate), None)
    if gate is None or facts["subject"]["digest"] != fact.subject_digest:
        return None
    allow: Allowed = settings.OUTBOUND_ALLOW
    if not has_policy_server(gate):
        targets = http_targets(gate)
        return CollectionTask(fact, gate, lambda: _health_of(targets, allow, time_is))
    try:
        about = input_about(facts, context.documents)
    except DocumentMissing:
        return None
    known = settings.OPA_CONNECTIONS

    def ask() -> CollectedAnswer:
        said = ask_server(gate["config"], about, known, allow, seconds=OPA_SECONDS)
        return CollectedAnswer(dict(said), said["error"] is None, time_is())

    return CollectionTask(fact, gate, ask)


def _health_of(targets: list[Any], allow: Allowed, time_is: Callable[[], datetime]) -> CollectedAnswer:
    """Of all targets together, so as old as the first answer."""

    def observe(target: Any) -> tuple[dict[str, Any], datetime]:
        return observe_health(target, allow), time_is()

    with ThreadPoolExecutor(max_workers=len(targets), thread_name_prefix="health") as threads:
        observed = list(threads.map(observe, targets))
    seen = [{"target": target, "observed": each} for target, (each, _) in zip(targets, observed, strict=True)]
    good = all(each["problem"] is None for each, _ in observed)
    return CollectedAnswer({"targets": seen}, good, min(at for _, at in observed))


def observe_health(target: Any, allow: Allowed) -> dict[str, Any]:
    """One health answer, as a dependency gate judges it: of the body only its digest and the match are kept."""
    try:
        answer = fetch(Request(target["url"], float(target["timeout"])), allow)
    except OutboundFailed as failure:
        return {"problem": failure.code, "status": None, "durationMs": None, "bodyDigest": None, "matched": None}
    wanted = target["expect"].get("bodyContains")
    return {
        "problem": None,
        "status": answer.status,
        "durationMs": answer.duration_ms,
        "bodyDigest": digest_bytes(answer.body),
        "matched": None if wanted is None else wanted.encode() in answer.body,
    }


def _store(task: CollectionTask, answer: CollectedAnswer) -> None:
    """Keeps the answer, and says when it is asked next: before it is too old, or soon when there was none.

    A newer one that another worker stored, because this task outlived its claim, stays.
    """
    written = canonical_bytes(answer.content)
    again = max_age(task.gate) / 2
    source = task.gate["config"]["connection"] if has_policy_server(task.gate) else "http"
    CollectedFact.objects.filter(pk=task.fact.pk).exclude(collected_at__gt=answer.at).update(
        collected_at=answer.at,
        due_at=answer.at + (again if answer.good else min(again, RETRY)),
        source=source,
        digest=digest_bytes(written),
        content=written,
    )
