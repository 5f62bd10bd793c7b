"""The lines of webhooks in the database: events get their places, deliveries are claimed, and their ends are noted
(docs/adr/0245).

Each function is one transaction, without the network. A worker that dies leaves claims that run out.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from promotions.actions.webhooks import TRIED_FOR, disable_gone
from promotions.models import OutboxEvent, Promotion, WebhookDelivery
from promotions.worker.cdevents import OF_ONE_PERSON, SENT
from stellapromote.accounts.actor import system_actor
from stellapromote.clock import Clock, whole_milliseconds
from stellapromote.transactions import transactional

MOST_EVENTS: Final = 500
"""Events that get their places in one transaction."""
ORDERED_FOR: Final = timedelta(hours=1)
"""The time for which an event of a promotion waits for the one before."""
CLAIMED: Final = timedelta(minutes=1)
"""Longer than any attempt takes."""
FIRST_DELAY: Final = timedelta(seconds=5)
LONGEST_DELAY: Final = timedelta(hours=6)
"""Between two attempts; a receiver may ask for as long by Retry-After."""
_LOOK_AGAIN: Final = timedelta(seconds=1)
GONE: Final = 410

_NEW_EVENTS = """
SELECT t.id FROM accounts_tenant t
WHERE EXISTS (SELECT 1 FROM promotions_outboxevent e WHERE e.tenant_id = t.id AND e.sequence IS NULL)
ORDER BY t.id
"""

_COUNTER = """
INSERT INTO promotions_outboxcounter (tenant_id, last) VALUES (%s, 0) ON CONFLICT DO NOTHING;
"""
_LOCKED_COUNTER = "SELECT last FROM promotions_outboxcounter WHERE tenant_id = %s FOR UPDATE SKIP LOCKED"

# Written for rows of any content: a payload that is no object matches no filter by mistake, and stops nothing.
_GIVE_PLACES = """
WITH waiting AS (
  SELECT id, row_number() OVER (ORDER BY created_at, id) AS place FROM (
    SELECT id, created_at FROM promotions_outboxevent WHERE tenant_id = %(tenant)s AND sequence IS NULL
    ORDER BY created_at, id LIMIT %(most)s) first),
placed AS (
  UPDATE promotions_outboxevent e SET sequence = %(last)s + waiting.place FROM waiting WHERE e.id = waiting.id
  RETURNING e.id, e.tenant_id, e.promotion_id, e.name, e.payload, e.created_at, e.sequence),
known AS (
  SELECT placed.*, p.product, p.blind, coalesce(target.name, named.name) AS environment FROM placed
  LEFT JOIN promotions_promotion p ON p.id = placed.promotion_id
  LEFT JOIN environments_environment target ON target.id = p.target_environment_id
  LEFT JOIN environments_environment named ON placed.promotion_id IS NULL
    AND named.tenant_id = placed.tenant_id AND named.id::text = placed.payload ->> 'environmentId'),
queued AS (
  INSERT INTO promotions_webhookdelivery (id, tenant_id, webhook_id, event_id, promotion_id, event_name, event_at,
    sequence, status, created_at, due_at, ends_at, attempts, out_of_order, response_excerpt, problem)
  SELECT gen_random_uuid(), k.tenant_id, w.id, k.id, k.promotion_id, k.name, k.created_at, k.sequence, 'waiting',
    %(now)s, %(now)s, %(ends)s, 0, false, '', ''
  FROM known k JOIN promotions_webhook w ON w.tenant_id = k.tenant_id
    AND w.ended_at IS NULL AND w.disabled_at IS NULL AND w.created_at <= k.created_at
    AND (w.events = '{}' OR k.name = ANY(w.events))
    AND (w.environments = '{}' OR k.environment IS NULL OR k.environment = ANY(w.environments))
    AND (w.products = '{}' OR CASE WHEN k.promotion_id IS NOT NULL THEN k.product = ANY(w.products)
      ELSE coalesce(k.payload -> 'products', '[]') = '[]' OR (k.payload -> 'products') ?| w.products::text[] END)
    AND (w.format <> 'cdevents' OR k.name = ANY(%(cdevents)s)
      AND NOT (coalesce(k.blind, false) AND k.name = ANY(%(of_one_person)s)))
  ON CONFLICT DO NOTHING)
UPDATE promotions_outboxcounter SET last = last + (SELECT count(*) FROM placed) WHERE tenant_id = %(tenant)s
RETURNING last - %(last)s
"""

_DUE_WEBHOOKS = """
SELECT w.id, w.tenant_id FROM promotions_webhook w
WHERE w.ended_at IS NULL AND w.disabled_at IS NULL AND EXISTS (
  SELECT 1 FROM promotions_webhookdelivery d WHERE d.webhook_id = w.id AND d.status = 'waiting' AND d.due_at <= %s)
"""

# One that waits for an event before it is looked at again with that one, or in a moment while that one is being sent.
_CLAIM = """
WITH due AS (
  SELECT id, promotion_id, sequence, created_at, due_at, resent_at FROM promotions_webhookdelivery
  WHERE webhook_id = %(webhook)s AND status = 'waiting' AND due_at <= %(now)s
  ORDER BY due_at, sequence LIMIT %(look)s FOR UPDATE SKIP LOCKED),
judged AS (
  SELECT due.*, before.due_at AS before_due, before.under_way,
    before.due_at IS NOT NULL AND due.resent_at IS NULL AND due.created_at + %(ordered)s > %(now)s AS waits,
    EXISTS (SELECT 1 FROM promotions_webhookdelivery later WHERE later.webhook_id = %(webhook)s
      AND later.promotion_id = due.promotion_id AND later.sequence > due.sequence
      AND later.status = 'delivered') AS overtaken
  FROM due LEFT JOIN LATERAL (
    SELECT max(e.due_at) AS due_at, bool_or(e.claimed_until > %(now)s) AS under_way FROM promotions_webhookdelivery e
    WHERE e.webhook_id = %(webhook)s AND e.promotion_id = due.promotion_id AND e.sequence < due.sequence
      AND e.status = 'waiting' AND e.resent_at IS NULL) before ON true),
put_off AS (
  UPDATE promotions_webhookdelivery d SET due_at = CASE WHEN judged.under_way THEN %(soon)s
    ELSE least(greatest(judged.before_due, %(soon)s), judged.created_at + %(ordered)s) END
  FROM judged WHERE d.id = judged.id AND judged.waits RETURNING d.id),
taken AS (SELECT * FROM judged WHERE NOT waits ORDER BY due_at, sequence LIMIT %(room)s),
claimed AS (
  UPDATE promotions_webhookdelivery d SET claimed_until = %(until)s, due_at = %(until)s, attempts = d.attempts + 1,
    attempted_at = %(now)s, out_of_order = taken.before_due IS NOT NULL OR taken.overtaken
  FROM taken WHERE d.id = taken.id RETURNING d.id)
SELECT id FROM claimed
"""

# What is lost with the server's last moments is done again: a message is sent twice.
_WITHOUT_WAITING = "SET LOCAL synchronous_commit TO off"

_NOTE_TAKEN = """
WITH taken AS (
  SELECT * FROM json_to_recordset(%(taken)s) AS taken (id uuid, status smallint, excerpt text, took integer)),
noted AS (
  UPDATE promotions_webhookdelivery d SET status = 'delivered', claimed_until = NULL, problem = '',
    response_status = taken.status, response_excerpt = taken.excerpt, duration_ms = taken.took
  FROM taken WHERE d.id = taken.id AND d.status = 'waiting'
  RETURNING d.webhook_id, d.promotion_id, d.sequence)
UPDATE promotions_webhookdelivery d SET due_at = %(now)s FROM noted CROSS JOIN LATERAL (
  SELECT f.id FROM promotions_webhookdelivery f WHERE f.webhook_id = noted.webhook_id
    AND f.promotion_id = noted.promotion_id AND f.sequence > noted.sequence AND f.status = 'waiting'
    AND f.attempts = 0 AND f.due_at > %(now)s
  ORDER BY f.sequence LIMIT 1) following
WHERE d.id = following.id
"""

_WAKE_NEXT = """
UPDATE promotions_webhookdelivery SET due_at = %(now)s WHERE id = (
  SELECT id FROM promotions_webhookdelivery WHERE webhook_id = %(webhook)s AND promotion_id = %(promotion)s
    AND sequence > %(sequence)s AND status = 'waiting' AND attempts = 0 AND due_at > %(now)s
  ORDER BY sequence LIMIT 1)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one attempt. ``status``: of the answer; None without one. ``problem``: empty where it was taken."""

    problem: str = ""
    status: int | None = None
    excerpt: str = ""
    duration_ms: int | None = None
    retry_after: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Claimed:
    """Deliveries to make, and the promotions among theirs that are under a blind approval policy."""

    deliveries: list[WebhookDelivery] = field(default_factory=list)
    blind: frozenset[UUID] = frozenset()


def with_new_events() -> list[UUID]:
    """The tenants with events that have no place yet."""
    with connection.cursor() as cursor:
        cursor.execute(_NEW_EVENTS)
        return [row[0] for row in cursor.fetchall()]


@transactional
def give_places(tenant_id: UUID, now: datetime) -> int:
    """Gives the new events of the tenant their places, in their order, and puts them into the lines of its webhooks;
    the number of events. 0 while another worker does it."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTER, [tenant_id])
        cursor.execute(_LOCKED_COUNTER, [tenant_id])
        counter = cursor.fetchone()
        if counter is None:
            return 0
        given: dict[str, Any] = {
            "tenant": tenant_id,
            "last": counter[0],
            "most": MOST_EVENTS,
            "now": now,
            "ends": now + TRIED_FOR,
            "cdevents": list(SENT),
            "of_one_person": list(OF_ONE_PERSON),
        }
        cursor.execute(_GIVE_PLACES, given)
        placed: int = cursor.fetchone()[0]
    return placed


def due_webhooks(now: datetime) -> list[tuple[UUID, UUID]]:
    """(webhook, tenant) with a delivery that is due."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE_WEBHOOKS, [now])
        return list(cursor.fetchall())


@transactional
def claim(webhook_id: UUID, now: datetime, room: int) -> Claimed:
    """Claims at most so many deliveries of the webhook that are due, the oldest first."""
    given: dict[str, Any] = {
        "webhook": webhook_id,
        "now": now,
        "soon": now + _LOOK_AGAIN,
        "until": now + CLAIMED,
        "ordered": ORDERED_FOR,
        "room": room,
        "look": 4 * room,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WITHOUT_WAITING)
        cursor.execute(_CLAIM, given)
        ids = [row[0] for row in cursor.fetchall()]
    if not ids:
        return Claimed()
    found = WebhookDelivery.objects.filter(pk__in=ids).select_related("webhook__tenant").order_by("sequence")
    blind = Promotion.objects.filter(pk__in=[each.promotion_id for each in found], blind=True)
    return Claimed(list(found), frozenset(blind.values_list("pk", flat=True)))


def events_of(deliveries: Sequence[WebhookDelivery]) -> dict[UUID, OutboxEvent]:
    return OutboxEvent.objects.in_bulk([each.event_id for each in deliveries])


@transactional
def note_taken(taken: Iterable[tuple[WebhookDelivery, Outcome]], now: datetime) -> None:
    """Notes attempts that succeeded. A claim that ran out does not matter: the message was taken. Two statements for
    all of them."""
    rows = [
        {"id": str(each.pk), "status": said.status, "excerpt": said.excerpt, "took": said.duration_ms}
        for each, said in taken
    ]
    with connection.cursor() as cursor:
        cursor.execute(_WITHOUT_WAITING)
        cursor.execute(_NOTE_TAKEN, {"taken": orjson.dumps(rows).decode(), "now": now})


@transactional
def note(delivery: WebhookDelivery, outcome: Outcome, clock: Clock) -> None:
    """Notes the end of an attempt, and when the next one is. Nothing where the claim ran out and another worker has the
    delivery, unless it was taken."""
    now = clock.now()
    row = WebhookDelivery.objects.select_for_update().filter(pk=delivery.pk).first()
    if row is None or row.status != WebhookDelivery.Status.WAITING:
        return
    if outcome.problem and row.claimed_until != delivery.claimed_until:
        return
    row.claimed_until = None
    row.response_status, row.response_excerpt = outcome.status, outcome.excerpt
    row.duration_ms, row.problem = outcome.duration_ms, outcome.problem
    row.due_at = whole_milliseconds(now + max(_delay(row.attempts), min(outcome.retry_after, LONGEST_DELAY)))
    if not outcome.problem:
        row.status = WebhookDelivery.Status.DELIVERED
    elif outcome.status == GONE or row.due_at > row.ends_at:
        row.status = WebhookDelivery.Status.FAILED
    row.save()
    if row.status != WebhookDelivery.Status.WAITING and row.promotion_id is not None:
        following: dict[str, Any] = {
            "now": now,
            "webhook": row.webhook_id,
            "promotion": row.promotion_id,
            "sequence": row.sequence,
        }
        with connection.cursor() as cursor:
            cursor.execute(_WAKE_NEXT, following)
    if outcome.status == GONE:
        tenant = delivery.webhook.tenant
        disable_gone(by=system_actor(tenant.pk, tenant.slug), clock=clock, webhook_id=row.webhook_id)


def end_late(now: datetime) -> int:
    """Ends what waits for longer than anything is tried; the number of deliveries."""
    late = WebhookDelivery.objects.filter(status=WebhookDelivery.Status.WAITING, ends_at__lte=now)
    return late.exclude(claimed_until__gt=now).update(
        status=WebhookDelivery.Status.FAILED, problem="It was not taken in three days."
    )


def _delay(attempts: int) -> timedelta:
    """The time until the next attempt: three times the one before, and some of it by chance."""
    delay: timedelta = min(LONGEST_DELAY, FIRST_DELAY * 3 ** min(attempts - 1, 10))
    return delay * random.uniform(0.8, 1.2)  # noqa: S311 - spreads the attempts, no secret
