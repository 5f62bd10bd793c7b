"""The sending of webhooks, beside the rounds of a worker: a receiver that is down or slow delays no decision, and as
few other receivers as it can (docs/adr/0246).

One thread has the database. It claims, and notes what the others did, which have the network and no database.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from policies.outbound import Allowed, OutboundFailed, Request, fetch
from promotions.models import WebhookDelivery
from promotions.models.webhook import LONGEST_EXCERPT
from promotions.worker import webhook_queue as queue
from promotions.worker.steps import Steps
from promotions.worker.webhook_messages import message_body, signed_headers
from promotions.worker.webhook_queue import Outcome
from stellapromote.clock import Clock
from stellapromote.database.ended_connections import close_ended
from stellapromote.database.errors import is_away
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.one_time_links import absolute

logger = logging.getLogger(__name__)

PLACES: Final = 64
"""Attempts at the same time."""
OF_ONE_TENANT: Final = 32
OF_ONE_WEBHOOK: Final = 16
SLOW_TOGETHER: Final = 32
SLOW_OF_ONE_TENANT: Final = 12
"""A receiver whose last attempt failed or took long has one place, and all such receivers have so many."""
SLOW_MS: Final = 1000
SECONDS: Final = 10.0
"""The limit for one attempt."""
MOST_BYTES: Final = 64 * 1024
"""Of an answer, of which an excerpt is kept."""
IDLE_SECONDS: Final = 0.2
GATHER_SECONDS: Final = 0.01
"""The time after the first end of an attempt in which others are noted with it."""

UNREADABLE: Final = "The secret cannot be read with SECRET_KEY: give the webhook another secret."
NO_MESSAGE: Final = "The event cannot be written as a message."


class Sender:
    """The line and the threads of one worker."""

    def __init__(self, clock: Clock = DATABASE_CLOCK) -> None:
        self.steps = Steps()
        self._clock = clock
        self._threads = ThreadPoolExecutor(max_workers=PLACES, thread_name_prefix="webhook")
        self._under_way: dict[Future[Outcome], WebhookDelivery] = {}
        self._slow: set[UUID] = set()

    def start(self, stop: threading.Event) -> None:
        """Sends in a thread of its own until ``stop``. What it leaves is sent again."""
        threading.Thread(target=self._run, args=(stop,), name="webhooks", daemon=True).start()

    def send_some(self, patience: float = IDLE_SECONDS) -> int:
        """Notes what has ended, gives events their places and begins to send what is due. The number of things done.
        Waits so many seconds for an attempt to end."""
        self._wait(patience)
        done = self._note_ended()
        now = self._clock.now()
        done += self.steps.of_each(
            "webhooks: events", queue.with_new_events, lambda tenant_id: queue.give_places(tenant_id, now)
        )
        return done + self.steps.take("webhooks: look", lambda: self._begin_due(now))

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            busy = 0
            try:
                busy = self.send_some()
            except (DatabaseError, InterfaceError) as error:
                unexpected = None if is_away(error) else error
                logger.error("webhooks_database_unavailable", extra={"reason": str(error)}, exc_info=unexpected)
                connection.close()
            close_ended()
            close_old_connections()
            if not busy and not self._under_way:
                stop.wait(IDLE_SECONDS)
        self._threads.shutdown(wait=False, cancel_futures=True)
        connection.close()

    def _wait(self, patience: float) -> None:
        if self._under_way:
            wait(self._under_way, timeout=patience, return_when=FIRST_COMPLETED)
            wait(self._under_way, timeout=GATHER_SECONDS)

    def _note_ended(self) -> int:
        ended = {each: self._under_way[each] for each in self._under_way if each.done()}
        outcomes = [(delivery, future.result()) for future, delivery in ended.items()]
        for delivery, outcome in outcomes:
            if outcome.problem or (outcome.duration_ms or 0) > SLOW_MS:
                self._slow.add(delivery.webhook_id)
            else:
                self._slow.discard(delivery.webhook_id)
        taken = [(delivery, outcome) for delivery, outcome in outcomes if not outcome.problem]
        if taken and not self._note_taken(taken):
            taken = []
        for delivery, outcome in outcomes:
            if outcome.problem or not taken:
                self._note(delivery, outcome)
        for future in ended:
            del self._under_way[future]
        return len(ended)

    def _note_taken(self, taken: list[tuple[WebhookDelivery, Outcome]]) -> bool:
        """Whether they were noted together."""
        try:
            queue.note_taken(taken, self._clock.now())
        except Exception as error:
            if is_away(error):
                raise
            logger.exception("webhook_deliveries_not_noted")
            return False
        return True

    def _note(self, delivery: WebhookDelivery, outcome: Outcome) -> None:
        """One that cannot be noted is sent again when its claim runs out."""
        try:
            queue.note(delivery, outcome, self._clock)
        except Exception as error:
            if is_away(error):
                raise
            logger.exception("webhook_delivery_not_noted", extra={"delivery_id": str(delivery.pk)})

    def _begin_due(self, now: datetime) -> int:
        begun = 0
        for webhook_id, tenant_id in self._in_turn(queue.due_webhooks(now)):
            room = self._room(webhook_id, tenant_id)
            if room > 0:
                begun += self.steps.take(
                    "webhooks: claim", partial(self._begin, webhook_id, now, room), tenant_id=tenant_id
                )
        return begun

    def _in_turn(self, due: Iterable[tuple[UUID, UUID]]) -> list[tuple[UUID, UUID]]:
        """First those of which the fewest attempts are under way."""
        under_way = Counter(each.webhook_id for each in self._under_way.values())
        return sorted(due, key=lambda each: (each[0] in self._slow, under_way[each[0]], str(each[0])))

    def _room(self, webhook_id: UUID, tenant_id: UUID) -> int:
        """The number of attempts that may begin at this webhook now."""
        under_way = list(self._under_way.values())
        of_tenant = [each for each in under_way if each.tenant_id == tenant_id]
        of_webhook = sum(each.webhook_id == webhook_id for each in of_tenant)
        free = min(PLACES - len(under_way), OF_ONE_TENANT - len(of_tenant))
        if webhook_id not in self._slow:
            return min(free, OF_ONE_WEBHOOK - of_webhook)
        slow = sum(each.webhook_id in self._slow for each in under_way)
        slow_of_tenant = sum(each.webhook_id in self._slow for each in of_tenant)
        return min(free, 1 - of_webhook, SLOW_TOGETHER - slow, SLOW_OF_ONE_TENANT - slow_of_tenant)

    def _begin(self, webhook_id: UUID, now: datetime, room: int) -> int:
        claimed = queue.claim(webhook_id, now, room)
        deliveries = claimed.deliveries
        events = queue.events_of(deliveries)
        if not deliveries:
            return 0
        webhook, origin = deliveries[0].webhook, absolute("")
        secrets = webhook.signing_secrets(now)
        allow: Allowed = settings.OUTBOUND_ALLOW
        for delivery in deliveries:
            event = events.get(delivery.event_id)
            if event is None or not secrets:
                self._note(delivery, Outcome(UNREADABLE if event else NO_MESSAGE))
                continue
            blind = delivery.promotion_id in claimed.blind
            try:
                body = message_body(webhook, event, delivery, origin=origin, blind=blind)
            except Exception:
                logger.exception("webhook_message_failed", extra={"delivery_id": str(delivery.pk)})
                self._note(delivery, Outcome(NO_MESSAGE))
                continue
            headers = signed_headers(event, body, secrets, now)
            request = Request(webhook.url, SECONDS, "POST", body, headers, MOST_BYTES)
            self._under_way[self._threads.submit(attempt, request, allow)] = delivery
        return len(deliveries)


def attempt(request: Request, allow: Allowed) -> Outcome:
    """Sends one message. Uses no database, and never raises."""
    began = time.monotonic()
    try:
        answer = fetch(request, allow)
    except OutboundFailed as failure:
        return Outcome(_sentence(str(failure)), duration_ms=round((time.monotonic() - began) * 1000))
    except Exception:
        logger.exception("webhook_attempt_failed")
        return Outcome("It could not be sent.")
    problem = "" if 200 <= answer.status < 300 else _problem_of(answer.status)
    return Outcome(problem, answer.status, _excerpt(answer.body), answer.duration_ms, _retry_after(answer.headers))


def _sentence(text: str) -> str:
    return f"Not taken: {text}."[:200]


def _problem_of(status: int) -> str:
    if 300 <= status < 400:
        return f"The receiver answered {status}: no redirect is followed."
    return f"The receiver answered {status}."


def _excerpt(body: bytes) -> str:
    text = body[: 4 * LONGEST_EXCERPT].decode("utf-8", "replace")
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)[:LONGEST_EXCERPT]


def _retry_after(headers: Mapping[str, str]) -> timedelta:
    """In seconds; the form with a date is not read."""
    said = headers.get("retry-after", "").strip()
    return timedelta(seconds=int(said)) if said.isascii() and said.isdigit() and len(said) < 8 else timedelta()
