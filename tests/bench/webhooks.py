"""How soon a decision reaches a receiver, and how many deliveries there are in a second.

`python -m tests.bench.webhooks --deliveries 100000`, on a machine where nothing else runs.
"""

import argparse
import statistics
import threading
import time
from datetime import datetime
from typing import Any

from tests.bench.setting import set_up_django

SLUG = "bench-hooks"
DECISIONS = 50
"""In a second; each has the events of a final vote."""
EVENTS = ("approval.granted", "promotion.approved", "evidence.packet_created")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0, help="of decisions")
    parser.add_argument("--deliveries", type=int, default=5_000, help="that wait at once")
    options = parser.parse_args()
    set_up_django()
    from django.conf import settings
    from django.core.management import call_command

    from policies.outbound import allowed
    from tests.promotions.receiver import receiver

    settings.OUTBOUND_ALLOW = allowed(["127.0.0.0/8"])
    with settings.EMBEDDED_POSTGRES.in_use():
        call_command("migrate", database="owner", interactive=False, verbosity=0)
        with receiver() as takes:
            arrived: dict[str, float] = {}

            def answer(got: Any) -> int:
                arrived.setdefault(got.headers["webhook-id"], time.time())
                return 204

            takes.answer = answer
            tenant = ready(takes.url)
            stop = threading.Event()
            sending(stop)
            decided = decide(tenant, options.seconds)
            late = [arrived[each] - at for each, at in wait_for(decided, arrived).items()]
            print(f"decision to first attempt at {DECISIONS}/s: median {statistics.median(late):.2f} s", end="")
            print(f", p99 {sorted(late)[int(0.99 * len(late))]:.2f} s (< 2 s)", flush=True)
            many = write(tenant, options.deliveries)
            began = time.monotonic()
            wait_for(many, arrived)
            took = time.monotonic() - began
            print(f"{options.deliveries:,} deliveries: {took:.0f} s, {options.deliveries / took:,.0f}/s")
            stop.set()


def ready(url: str) -> Any:
    """A tenant whose one webhook is this receiver."""
    from promotions.actions.create_tenant import create_tenant
    from promotions.actions.webhooks import add_webhook
    from promotions.models import Webhook
    from stellapromote.accounts.command_line import command_actor
    from stellapromote.accounts.models import Tenant, User
    from stellapromote.database_clock import DATABASE_CLOCK
    from tests.factories import actor_of, make_person

    tenant = Tenant.objects.filter(slug=SLUG).first()
    if tenant is None:
        tenant = create_tenant(slug=SLUG, name="Hooks", by=command_actor())
        make_person(tenant, "hooks-admin", roles=["admin"])
    Webhook.objects.filter(tenant=tenant, disabled_at=None).update(disabled_at=DATABASE_CLOCK.now())
    admin = actor_of(User.objects.get(username="hooks-admin"), tenant)
    add_webhook(by=admin, clock=DATABASE_CLOCK, url=url)
    return tenant


def sending(stop: threading.Event) -> None:
    from promotions.worker.webhooks import Sender

    Sender().start(stop)


def decide(tenant: Any, seconds: float) -> dict[str, float]:
    """The events of so many decisions a second, each in a transaction; when each was committed."""
    decided: dict[str, float] = {}
    began = time.monotonic()
    for number in range(int(seconds * DECISIONS)):
        time.sleep(max(0.0, began + number / DECISIONS - time.monotonic()))
        decided |= write(tenant, len(EVENTS))
    return decided


def write(tenant: Any, count: int) -> dict[str, float]:
    from promotions.models import OutboxEvent
    from stellapromote.clock import rfc3339
    from stellapromote.database_clock import DATABASE_CLOCK

    now: datetime = DATABASE_CLOCK.now()
    payload = {"at": rfc3339(now), "number": 1, "status": "approved"}
    rows = [
        OutboxEvent(tenant=tenant, name=EVENTS[number % len(EVENTS)], payload=payload, created_at=now)
        for number in range(count)
    ]
    OutboxEvent.objects.bulk_create(rows, batch_size=5_000)
    return dict.fromkeys((str(each.pk) for each in rows), time.time())


def wait_for(sent: dict[str, float], arrived: dict[str, float]) -> dict[str, float]:
    while not sent.keys() <= arrived.keys():
        time.sleep(0.05)
    return sent


if __name__ == "__main__":
    main()
