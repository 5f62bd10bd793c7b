"""The worker's step that touches the world: claims what is due, commits, asks, stores (architecture.md, 9).

All asking of one round happens side by side, in threads that use no database; nothing is asked inside a transaction.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from policies.engines.ask import input_about
from policies.engines.opa import ask_server
from policies.facts import GateInput
from policies.library import DocumentMissing
from policies.outbound import Allowed, OutboundFailed, Request, fetch
from promotions import rows as rows_of
from promotions.collected import http_targets, is_asked, max_age, outside_gates
from promotions.models import CollectedFact, Promotion
from promotions.scene import instant, look
from promotions.states import OPEN
from stellapromote.clock import Clock
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes

logger = logging.getLogger(__name__)

AT_ONCE = 16
CLAIMED = timedelta(minutes=1)
"""Longer than any asking takes: a worker that dies in it has its claim run out."""

OPA_SECONDS = 5.0
RETRY = timedelta(seconds=30)

# A failed one may be started once more while its approval lasts, and the start check wants fresh facts.
_CLAIM = """
UPDATE promotions_collectedfact SET due_at = %(until)s WHERE id IN (
  SELECT c.id FROM promotions_collectedfact c JOIN promotions_promotion p ON p.id = c.promotion_id
  WHERE c.due_at <= %(now)s AND p.subject_digest = c.subject_digest
    AND (p.status = ANY(%(open)s) OR p.status = 'failed' AND p.approval_expires_at > %(now)s)
  ORDER BY c.due_at, c.id LIMIT %(batch)s FOR UPDATE OF c SKIP LOCKED)
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Errand:
    """One claimed row, and how to ask about it: without the database. Gives the content to store, and if it is good."""

    fact: CollectedFact
    gate: Any
    ask: Callable[[], tuple[dict[str, Any], bool]]


def collect(clock: Clock) -> list[tuple[UUID, UUID, str]]:
    """Collects what is due; (promotion id, tenant id, its slug) of those about which something was stored.

    The caller evaluates them again. One failure stops no other: what raises is tried again when its claim ends.
    """
    claimed = _claimed(clock.now())
    if not claimed:
        return []
    errands = [errand for fact in claimed if (errand := _prepared(fact, clock)) is not None]
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="collect") as threads:
        asked = [(errand, threads.submit(errand.ask)) for errand in errands]
    stored = {}
    for errand, future in asked:
        if (error := future.exception()) is not None:
            logger.error("collecting_failed", exc_info=error, extra={"promotion_id": str(errand.fact.promotion_id)})
        else:
            _store(errand, *future.result(), clock.now())
            fact = errand.fact
            stored[fact.promotion_id] = (fact.promotion_id, fact.tenant_id, fact.tenant.slug)
    return list(stored.values())


def _claimed(now: datetime) -> list[CollectedFact]:
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {"until": now + CLAIMED, "now": now, "open": sorted(OPEN), "batch": AT_ONCE}
        cursor.execute(_CLAIM, parameters)
        ids = [row[0] for row in cursor.fetchall()]
    return list(CollectedFact.objects.filter(pk__in=ids).select_related("tenant").order_by("pk")) if ids else []


def _prepared(fact: CollectedFact, clock: Clock) -> Errand | None:
    try:
        return _errand(fact, clock)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("collecting_failed", extra={"promotion_id": str(fact.promotion_id)})
        return None


@transaction.atomic
def _errand(fact: CollectedFact, clock: Clock) -> Errand | None:
    """What to ask; None when the promotion's policy has no such gate, or its subject is another by now."""
    found: list[Promotion] = rows_of.promotions([fact.promotion_id])
    if not found:
        return None
    promotion = found[0]
    scene = look(promotion, instant(clock, promotion))
    facts = cast("GateInput", scene.facts.gate_input)
    policy = scene.documents[facts["requirements"]["promotionPolicy"]["digest"]]
    gate = next((each for each in outside_gates(policy) if each["name"] == fact.gate), None)
    if gate is None or facts["subject"]["digest"] != fact.subject_digest:
        return None
    allow: Allowed = settings.OUTBOUND_ALLOW
    if not is_asked(gate):
        targets = http_targets(gate)
        return Errand(fact, gate, lambda: _health_of(targets, allow))
    try:
        about = input_about(facts, scene.documents)
    except DocumentMissing:
        return None
    known = settings.OPA_CONNECTIONS

    def ask() -> tuple[dict[str, Any], bool]:
        said = ask_server(gate["config"], about, known, allow, seconds=OPA_SECONDS)
        return dict(said), said["error"] is None

    return Errand(fact, gate, ask)


def _health_of(targets: list[Any], allow: Allowed) -> tuple[dict[str, Any], bool]:
    with ThreadPoolExecutor(max_workers=len(targets), thread_name_prefix="health") as threads:
        observed = list(threads.map(lambda target: observe_health(target, allow), targets))
    seen = [{"target": target, "observed": each} for target, each in zip(targets, observed, strict=True)]
    return {"targets": seen}, all(each["problem"] is None for each in observed)


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


def _store(errand: Errand, content: dict[str, Any], good: bool, at: datetime) -> None:
    """Keeps the answer, and says when it is asked next: before it is too old, or soon when there was none."""
    written = canonical_bytes(content)
    again = max_age(errand.gate) / 2
    source = errand.gate["config"]["connection"] if is_asked(errand.gate) else "http"
    CollectedFact.objects.filter(pk=errand.fact.pk).update(
        collected_at=at,
        due_at=at + (again if good else min(again, RETRY)),
        source=source,
        digest=digest_bytes(written),
        content=written,
    )
