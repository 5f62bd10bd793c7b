"""What a deployment report makes the worker judge again, wherever it waits, and what it leaves alone."""

from typing import Any

import pytest

from environments.actions.update_environment import update_environment
from promotions.models import DecisionRecord, Promotion, Release
from promotions.worker.round import run_round
from tests.factories import make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db

DATABASE_IN_DEV = {"type": "release", "release": "database-1", "environment": "dev"}


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def status_after_a_round(kestrel: Kestrel, promotion: Promotion) -> str:
    kestrel.wait()
    run_round("worker", kestrel.clock)
    return Promotion.objects.get(pk=promotion.pk).status


def state(promotion: Promotion) -> tuple[Any, ...]:
    """What changes where the worker is to judge again."""
    return Promotion.objects.values_list("version", "next_change_at").get(pk=promotion.pk)


def staging_waits_for(kestrel: Kestrel, target: dict[str, Any]) -> Release:
    """A release that runs in dev, and may enter staging as soon as the dependency gate passes."""
    gate = {"kind": "dependency", "config": {"targets": [target]}}
    make_promotion_policy(kestrel["admin"], "after", clock=kestrel.clock, gates=[gate])
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    changes = {"promotion_policy": "after", "required_approvals": 0}
    staging = kestrel.staging.pk
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=staging, changes=changes)
    return release


def test_what_waits_for_another_release_goes_on_when_that_is_deployed(kestrel: Kestrel) -> None:
    database = kestrel.release(name="database-1", product="database")
    waiting = kestrel.ask(staging_waits_for(kestrel, DATABASE_IN_DEV), kestrel.staging)
    assert status_after_a_round(kestrel, waiting) == "pending"
    kestrel.deploys(kestrel.ask(database, kestrel.dev))
    assert status_after_a_round(kestrel, waiting) == "approved"


@pytest.mark.parametrize("end", ["succeeded", "failed"])
def test_what_waits_for_an_idle_environment_goes_on_when_a_deployment_there_ends(kestrel: Kestrel, end: str) -> None:
    release = staging_waits_for(kestrel, {"type": "environment", "environment": "dev", "state": "idle"})
    busy = kestrel.reports(kestrel.ask(kestrel.release(product="database"), kestrel.dev), "started")
    waiting = kestrel.ask(release, kestrel.staging)
    assert status_after_a_round(kestrel, waiting) == "pending"
    kestrel.reports(busy, end)
    assert status_after_a_round(kestrel, waiting) == "approved"


def test_what_waits_by_dependency_for_elsewhere_is_left_alone(kestrel: Kestrel) -> None:
    waiting = kestrel.ask(staging_waits_for(kestrel, {**DATABASE_IN_DEV, "environment": "production"}), kestrel.staging)
    assert status_after_a_round(kestrel, waiting) == "pending"
    before = state(waiting)
    kestrel.deploys(kestrel.ask(kestrel.release(product="database"), kestrel.dev))
    assert state(waiting) == before


def test_what_waits_for_the_same_target_is_judged_again_only_when_another_release_runs_there(kestrel: Kestrel) -> None:
    first, second = kestrel.reaches_staging(), kestrel.release()
    other = kestrel.reaches_staging(product="database")
    kestrel.deploys(kestrel.ask(second, kestrel.dev))
    waiting = kestrel.approves("approver", kestrel.ask(second, kestrel.staging))
    kestrel.wait()
    run_round("worker", kestrel.clock)
    before = state(waiting)

    again = kestrel.approves("approver", kestrel.ask(first, kestrel.staging))
    failed = kestrel.reports(kestrel.reports(again, "started"), "failed")
    assert state(waiting) == before
    kestrel.reports(failed, "rolled_back", message="Clean up")
    assert state(waiting) == before
    kestrel.deploys(kestrel.approves("approver", kestrel.ask(first, kestrel.staging)))
    assert state(waiting) == before, "the same release runs there"
    kestrel.deploys(kestrel.approves("approver", kestrel.ask(other, kestrel.staging)))
    assert state(waiting) == before, "of another product"
    records = DecisionRecord.objects.filter(promotion=waiting)
    assert records.count() == waiting.decision_sequence

    third = kestrel.release()
    kestrel.deploys(kestrel.ask(third, kestrel.dev))
    kestrel.deploys(kestrel.approves("approver", kestrel.ask(third, kestrel.staging)))
    assert state(waiting) != before
    assert status_after_a_round(kestrel, waiting) == "awaiting_approval", "it is another change now"


def test_what_is_to_come_from_there_is_left_alone_when_the_release_still_runs_there(kestrel: Kestrel) -> None:
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    waiting = kestrel.ask(release, kestrel.staging)
    before = state(waiting)
    again = kestrel.deploys(kestrel.ask(release, kestrel.dev))
    assert state(waiting) == before
    kestrel.reports(again, "rolled_back", message="It was slow")
    assert state(waiting) == before


def test_what_was_to_come_from_there_is_rejected_when_it_is_rolled_back_there(kestrel: Kestrel) -> None:
    release = kestrel.release()
    origin = kestrel.deploys(kestrel.ask(release, kestrel.dev))
    waiting = kestrel.ask(release, kestrel.staging)
    kestrel.reports(origin, "rolled_back", message="It was slow")
    assert status_after_a_round(kestrel, waiting) == "rejected"


def test_a_name_without_a_product_waits_for_the_releases_of_every_product(kestrel: Kestrel) -> None:
    first, second = (kestrel.release(name="database-1", product=product) for product in ("database", "cache"))
    waiting = kestrel.ask(staging_waits_for(kestrel, DATABASE_IN_DEV), kestrel.staging)
    kestrel.deploys(kestrel.ask(first, kestrel.dev))
    assert status_after_a_round(kestrel, waiting) == "pending"
    kestrel.deploys(kestrel.ask(second, kestrel.dev))
    assert status_after_a_round(kestrel, waiting) == "approved"


def test_a_name_with_a_product_waits_for_the_release_of_that_one(kestrel: Kestrel) -> None:
    first, second = (kestrel.release(name="database-1", product=product) for product in ("database", "cache"))
    target = {**DATABASE_IN_DEV, "product": "cache"}
    waiting = kestrel.ask(staging_waits_for(kestrel, target), kestrel.staging)
    kestrel.deploys(kestrel.ask(first, kestrel.dev))
    assert status_after_a_round(kestrel, waiting) == "pending"
    kestrel.deploys(kestrel.ask(second, kestrel.dev))
    assert status_after_a_round(kestrel, waiting) == "approved"
