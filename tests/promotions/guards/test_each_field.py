"""Each field of a model that is marked as a guard, loosened alone by one administrator."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps

from environments.actions.clear_freeze_window import clear_freeze_window
from environments.actions.create_environment import create_environment
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.actions.save_draft import save_draft
from policies.models import Proposal, WeakeningEdit
from stellapromote.clock import rfc3339
from tests.factories import make_freeze
from tests.promotions.guards.fields import GATES, LOOSENINGS, Strict, kev, make_strict
from tests.promotions.verification.story import rows_found
from tests.proposals import confirmed

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

SAME = {"TrustedKey.key_id": "TrustedKey.name", "ScopeGrant.user": "ScopeGrant.scope"}
"""Stored by one action together with another guard."""


@pytest.fixture
def world(db: None) -> Iterator[Strict]:
    """Whatever was done, each row is the one that the audit log tells of."""
    world = make_strict()
    yield world
    assert rows_found(world.kestrel.tenant.pk) == []


def test_each_guard_has_its_loosening() -> None:
    rooms = ("accounts", "environments", "policies", "promotions")
    models = [model for room in rooms for model in apps.get_app_config(room).get_models()]
    guards = {f"{model.__name__}.{guard}" for model in models for guard in getattr(model, "GUARDS", ())}
    assert guards == LOOSENINGS.keys() | SAME.keys()
    assert LOOSENINGS.keys() >= set(SAME.values())


@pytest.mark.parametrize("name", LOOSENINGS)
def test_it_waits_for_a_second_person(world: Strict, name: str) -> None:
    edits = set(WeakeningEdit.objects.values_list("pk", flat=True))
    if name == "Environment.auto_promote_from":
        world.environment(auto_promote_from=None)
    before = world.state()
    proposal = LOOSENINGS[name](world)
    assert isinstance(proposal, Proposal)
    assert proposal.guards == ["production"]
    assert without_marks(world.state()) == without_marks(before)
    assert set(WeakeningEdit.objects.values_list("pk", flat=True)) == edits
    world.kestrel.wait()
    confirmed(proposal, world.clock)
    assert without_marks(world.state()) != without_marks(before)
    noted = WeakeningEdit.objects.exclude(pk__in=edits)
    assert sorted(each.what for each in noted) == proposal.weakens != []
    assert {(each.actor_username, each.confirmed_at) for each in noted} == {("admin", world.clock.now())}


def without_marks(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_marks(each) for name, each in value.items() if name not in ("updatedAt", "version")}
    return [without_marks(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "changes",
    [
        {"required_approvals": 3},
        {"approval_policies": ["owned", "release-only", "two-person"]},
        {"auto_promote_from": None},
        {"order_index": 4},
        {"display_name": "Live"},
        {"config": {"deploymentTimeout": 60}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_asks_for_as_much_or_more_is_in_force_at_once(world: Strict, changes: dict[str, Any]) -> None:
    assert not isinstance(world.environment(**changes), Proposal)
    assert not Proposal.objects.open().exists()


def test_a_longer_freeze_is_in_force_at_once(world: Strict) -> None:
    assert not isinstance(world.freeze(exceptions=[], end=world.window.ends_at.replace(year=2027)), Proposal)


def test_a_feed_that_lists_more_is_in_force_at_once(world: Strict) -> None:
    more = (("CVE-2026-0001", "2026-10-01"), ("CVE-2025-0009", "2025-02-03"), ("CVE-2026-0002", "2026-11-01"))
    assert not isinstance(world.feed("kev", kev(*more)), Proposal)


def test_a_key_that_no_gate_of_a_protected_environment_reads_is_trusted_at_once(world: Strict) -> None:
    assert not isinstance(world.trusts("laptop"), Proposal)


def test_all_that_a_shorter_catalogue_leaves_out_is_shown(world: Strict) -> None:
    many = [(f"CVE-2026-{number}", "2026-10-01") for number in range(1000, 1030)]
    confirmed(
        world.feed("kev", kev(("CVE-2026-0001", "2026-10-01"), ("CVE-2025-0009", "2025-02-03"), *many)), world.clock
    )
    newer = kev(("CVE-2026-0001", "2026-10-01"), ("CVE-2025-0009", "2025-02-03")).replace(b"18:00", b"19:00")
    proposal = world.feed("kev", newer)
    assert proposal.after["missing"] == [cve for cve, _ in many]
    assert proposal.weakens[0].endswith("CVE-2026-1019 and 10 more.")


def test_a_freeze_of_an_environment_that_a_gate_waits_for_is_a_guard_too(world: Strict) -> None:
    staging, clock = world.kestrel.staging, world.clock
    thawed = {"type": "environment", "environment": "staging", "state": "not-frozen"}
    gates = [*GATES, {"kind": "dependency", "config": {"targets": [thawed]}}]
    save_draft(by=world.by, clock=clock, name="strict", changes={"gates": gates})
    publish_promotion_policy(by=world.by, clock=clock, name="strict")
    start, end = (rfc3339(clock.now() + timedelta(hours=hours)) for hours in (1, 2))
    window = make_freeze(world.by_machine, staging, start, end, clock=clock)
    lifted = clear_freeze_window(by=world.by, clock=clock, window_id=window.pk, environment_id=staging.pk)
    assert isinstance(lifted, Proposal)
    assert lifted.guards == ["production"]


def test_a_new_environment_asks_for_something_and_is_made_at_once(world: Strict) -> None:
    made = create_environment(by=world.by, clock=world.clock, name="canary", display_name="Canary", order_index=9)
    assert made.order_index == 9
