"""Refusals of permission in the audit log (domain.md §9): at most one event per actor, action, object and minute.

The first refusal is an event at once. Those of the following minute are counted; the next event has their number, at
the next refusal after that minute, or when the worker finds the minute over.
"""

import hashlib
import logging
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest

from stellapromote.accounts.actor import Actor
from stellapromote.audit.models import RefusalCount
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK

logger = logging.getLogger(__name__)

QUIET = timedelta(minutes=1)
_LONGEST_OBJECT = 200
_BATCH = 200

# The actor, without the rights of that moment; the request id is that of the first refusal in the event.
_RIGHTS = ("roles", "teams", "scopes", "limits")
_ACTOR_FIELDS = tuple(field.name for field in fields(Actor) if field.name not in _RIGHTS)
_ACTOR_IDS = ("user_id", "tenant_id", "token_id", "token_issuer_id")

# The count and the row's lock in one statement: refusals side by side wait for each other here.
_COUNT = """
INSERT INTO audit_refusalcount AS count (key, facts, last_event_at, untold) VALUES (%s, %s, '-infinity', 1)
ON CONFLICT (key) DO UPDATE SET untold = count.untold + 1
RETURNING untold, last_event_at <= %s
"""


def note_refused_request(request: HttpRequest, code: str) -> None:
    """note_refusal for a request that was answered with this code: its method and route, and its path."""
    match = request.resolver_match
    note_refusal(
        by=getattr(request, "actor", None),
        code=code,
        action=f"{request.method} {match.route if match else ''}",
        target=request.path,
    )


def note_refusal(*, by: Actor | None, code: str, action: str, target: str, clock: Clock = DATABASE_CLOCK) -> None:
    """Notes a refusal of the actor, in a transaction of its own; to be called when the refused one is rolled back.

    `action` names the attempt (`POST promotions/<uuid:pk>/approve`), `target` its object (the path). Only PERM_* codes
    of known accounts are noted. Never raises: a refusal must be answered even where it cannot be noted.
    """
    if by is None or not code.startswith("PERM_"):
        return
    facts = {"actor": _actor_facts(by), "code": code, "action": action, "target": target[:_LONGEST_OBJECT]}
    key = hashlib.sha256(orjson.dumps([by.user_id, by.tenant_id, code, action, target]))
    try:
        with transaction.atomic():
            at = clock.now()
            with connection.cursor() as cursor:
                cursor.execute(_COUNT, [key.hexdigest(), orjson.dumps(facts).decode(), at - QUIET])
                untold, is_due = cursor.fetchone()
            if is_due:
                _record_event(facts, untold, by=by, at=at)
                RefusalCount.objects.filter(pk=key.hexdigest()).update(untold=0, last_event_at=at)
    except DatabaseError:
        logger.exception("A refusal could not be noted")


def record_counted_refusals(now: datetime) -> int:
    """Writes the events of refusals that were counted and whose minute is over, and deletes the rest: for the worker.

    Returns the number of events. Rows that another process works on are left for the next time.
    """
    with transaction.atomic():
        due = RefusalCount.objects.filter(last_event_at__lte=now - QUIET).order_by("last_event_at")
        counts = list(due.select_for_update(skip_locked=True)[:_BATCH])
        recorded = [count for count in counts if count.untold]
        for count in recorded:
            _record_event(count.facts, count.untold, by=_actor(count.facts["actor"]), at=now)
        RefusalCount.objects.filter(pk__in=[count.pk for count in recorded]).update(untold=0, last_event_at=now)
        RefusalCount.objects.filter(pk__in=[count.pk for count in counts if not count.untold]).delete()
    return len(recorded)


def _record_event(facts: dict[str, Any], count: int, *, by: Actor, at: datetime) -> None:
    record(
        by=by,
        at=at,
        action="permission.refused",
        resource="request",
        resource_id=facts["target"],
        metadata={"code": facts["code"], "action": facts["action"], "count": count},
    )


def _actor_facts(by: Actor) -> dict[str, Any]:
    facts = {name: getattr(by, name) for name in _ACTOR_FIELDS}
    return {name: str(value) if isinstance(value, UUID) else value for name, value in facts.items()}


def _actor(facts: dict[str, Any]) -> Actor:
    ids = {name: UUID(facts[name]) if facts[name] else None for name in _ACTOR_IDS}
    return Actor(**{**facts, **ids})
