"""Events of environments and policies, derived from the sealed audit chain and the calendar (domain.md §10)."""

from datetime import timedelta
from typing import Any

import pytest

from environments.actions.archive_environment import archive_environment
from environments.actions.clear_freeze_window import clear_freeze_window
from environments.actions.update_environment import update_environment
from promotions.models import OutboxEvent
from promotions.worker import outbox
from promotions.worker.round import run_round, tidy
from tests.factories import make_environment, make_freeze, make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    kestrel = make_kestrel()
    run_round("worker", kestrel.clock)
    OutboxEvent.objects.all().delete()
    kestrel.wait()
    return kestrel


def told(kestrel: Kestrel, **later: float) -> list[tuple[str, Any]]:
    """What there is to tell after a round of the worker: event and name of what it is about."""
    kestrel.wait(**later)
    run_round("worker", kestrel.clock)
    events = OutboxEvent.objects.filter(promotion=None, tenant=kestrel.tenant).order_by("created_at", "payload__at")
    return [(event.name, event.payload["name"]) for event in events]


def freeze(kestrel: Kestrel, begins: timedelta, ends: timedelta) -> Any:
    now = kestrel.clock.now()
    times = ((now + begins).isoformat(), (now + ends).isoformat())
    return make_freeze(kestrel["admin"], kestrel.dev, *times, name="quiet", clock=kestrel.clock)


def test_what_environments_and_policies_did_is_told_once_and_in_order(kestrel: Kestrel) -> None:
    admin, clock = kestrel["admin"], kestrel.clock
    made = make_environment(admin, "canary", 9, clock=clock)
    kestrel.wait()
    update_environment(by=admin, clock=clock, environment_id=made.pk, changes={"display_name": "Bird"})
    kestrel.wait()
    archive_environment(by=admin, clock=clock, environment_id=made.pk, active_promotions=0)
    kestrel.wait()
    make_promotion_policy(admin, "strict", clock=clock)
    expected = [
        ("environment.created", "canary"),
        ("environment.updated", "canary"),
        ("environment.archived", "canary"),
        ("policy.published", "strict"),
    ]
    assert told(kestrel) == expected
    assert told(kestrel) == expected


def test_an_event_names_what_changed_and_not_to_what(kestrel: Kestrel) -> None:
    changes = {"config": {"variables": {"REGION": "eu-1"}}}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)
    told(kestrel)
    payload = OutboxEvent.objects.get(name="environment.updated").payload
    assert (payload["environmentId"], payload["changed"]) == (str(kestrel.dev.pk), ["config"])
    assert "eu-1" not in str(payload)


def test_a_freeze_is_told_when_it_begins_and_when_it_ends(kestrel: Kestrel) -> None:
    freeze(kestrel, timedelta(hours=1), timedelta(hours=2))
    assert told(kestrel) == []
    began = [("environment.freeze_started", "quiet")]
    assert told(kestrel, hours=1) == began
    assert told(kestrel, seconds=5) == began
    assert told(kestrel, hours=1) == [*began, ("environment.freeze_ended", "quiet")]


def test_a_freeze_that_begins_at_once_and_is_lifted_is_told_both_times(kestrel: Kestrel) -> None:
    window = freeze(kestrel, timedelta(hours=-1), timedelta(hours=2))
    told(kestrel)
    clear_freeze_window(
        by=kestrel["admin"], clock=kestrel.clock, window_id=window.pk, environment_id=kestrel.dev.pk, reason="Over"
    )
    assert told(kestrel) == [("environment.freeze_started", "quiet"), ("environment.freeze_ended", "quiet")]


def test_a_freeze_called_off_before_it_began_is_never_told(kestrel: Kestrel) -> None:
    window = freeze(kestrel, timedelta(hours=1), timedelta(hours=2))
    clear_freeze_window(
        by=kestrel["admin"], clock=kestrel.clock, window_id=window.pk, environment_id=kestrel.dev.pk, reason="Over"
    )
    assert told(kestrel, hours=3) == []


def test_a_freeze_that_passed_while_no_worker_ran_is_told(kestrel: Kestrel) -> None:
    freeze(kestrel, timedelta(hours=1), timedelta(hours=2))
    found = told(kestrel, days=20)
    assert found == [("environment.freeze_started", "quiet"), ("environment.freeze_ended", "quiet")]


def test_what_was_told_and_tidied_away_is_not_told_again(kestrel: Kestrel) -> None:
    freeze(kestrel, timedelta(hours=1), timedelta(days=40))
    told(kestrel, hours=1)
    for _ in range(3):
        told(kestrel, seconds=6)
    kestrel.wait(days=35)
    tidy(kestrel.clock)
    assert told(kestrel) == []
    assert told(kestrel, days=5) == [("environment.freeze_ended", "quiet")]


def test_a_long_chain_is_followed_in_steps(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "LINKS", 2)
    for place in range(10, 15):
        make_environment(kestrel["admin"], f"more-{place}", place, clock=kestrel.clock)
    assert len(told(kestrel)) < 5
    while outbox.derive(kestrel.tenant.pk, kestrel.clock.now()):
        pass
    assert [name for _, name in told(kestrel)] == [f"more-{place}" for place in range(10, 15)]
