"""What a deployment report makes the worker judge again, wherever it waits."""

import pytest

from environments.actions.update_environment import update_environment
from promotions.models import Promotion
from promotions.worker import run_round
from tests.factories import make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def status_after_a_round(kestrel: Kestrel, promotion: Promotion) -> str:
    kestrel.wait()
    run_round("worker", kestrel.clock)
    return Promotion.objects.get(pk=promotion.pk).status


def test_what_waits_for_another_release_goes_on_when_that_is_deployed(kestrel: Kestrel) -> None:
    database = kestrel.release(name="database-1", product="database")
    wanted = {"type": "release", "release": "database-1", "environment": "dev"}
    gate = {"kind": "dependency", "config": {"targets": [wanted]}}
    make_promotion_policy(kestrel["admin"], "after-database", clock=kestrel.clock, gates=[gate])
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    changes = {"promotion_policy": "after-database", "required_approvals": 0}
    staging = kestrel.staging.pk
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=staging, changes=changes)
    waiting = kestrel.ask(release, kestrel.staging)
    assert status_after_a_round(kestrel, waiting) == "pending"
    kestrel.deploys(kestrel.ask(database, kestrel.dev))
    assert status_after_a_round(kestrel, waiting) == "approved"


def test_what_was_to_come_from_there_is_rejected_when_it_is_rolled_back_there(kestrel: Kestrel) -> None:
    release = kestrel.release()
    origin = kestrel.deploys(kestrel.ask(release, kestrel.dev))
    waiting = kestrel.ask(release, kestrel.staging)
    kestrel.reports(origin, "rolled_back", message="It was slow")
    assert status_after_a_round(kestrel, waiting) == "rejected"
