"""How many deployments run in an environment: one of each product, or with `exclusive: environment` one at all."""

import pytest

from environments.actions.update_environment import update_environment
from promotions.actions.start_check import EnvironmentBusy
from promotions.models import Promotion
from stellapromote.clock import rfc3339
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def lock_whole(kestrel: Kestrel, exclusive: str) -> None:
    update_environment(
        by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes={"exclusive": exclusive}
    )


def approved_in_dev(kestrel: Kestrel, product: str) -> Promotion:
    return kestrel.ask(kestrel.release(product=product), kestrel.dev)


def test_two_products_are_deployed_side_by_side(kestrel: Kestrel) -> None:
    for product in ("api", "web"):
        assert kestrel.reports(approved_in_dev(kestrel, product), "started").status == "deploying"


def test_of_one_product_one_release_at_a_time(kestrel: Kestrel) -> None:
    running, second = approved_in_dev(kestrel, "api"), approved_in_dev(kestrel, "api")
    kestrel.reports(running, "started")
    with pytest.raises(EnvironmentBusy):
        kestrel.reports(second, "started")


def test_an_environment_that_is_locked_as_a_whole_takes_one_product_at_a_time(kestrel: Kestrel) -> None:
    lock_whole(kestrel, "environment")
    running, second = approved_in_dev(kestrel, "api"), approved_in_dev(kestrel, "web")
    due = kestrel.reports(running, "started").deployment_due_at
    assert due is not None
    with pytest.raises(EnvironmentBusy) as refused:
        kestrel.reports(second, "started")
    named = {"promotionId": str(running.pk), "number": running.number, "mayPassAt": rfc3339(due)}
    assert refused.value.details == named
    second.refresh_from_db()
    assert second.status == "approved"
    kestrel.reports(running, "succeeded")
    assert kestrel.reports(second, "started").status == "deploying"


@pytest.mark.parametrize("exclusive", ["environment", "product"])
def test_a_lock_that_is_changed_while_something_runs_holds_for_what_comes(kestrel: Kestrel, exclusive: str) -> None:
    """Widened to the whole, what runs of one product stops the others; narrowed, what runs under the whole does too."""
    lock_whole(kestrel, "product" if exclusive == "environment" else "environment")
    running, second = approved_in_dev(kestrel, "api"), approved_in_dev(kestrel, "web")
    kestrel.reports(running, "started")
    lock_whole(kestrel, exclusive)
    with pytest.raises(EnvironmentBusy):
        kestrel.reports(second, "started")
