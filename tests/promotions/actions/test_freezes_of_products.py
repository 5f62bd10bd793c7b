"""A freeze of single products holds their promotions and no others (domain.md §1b, §2)."""

from datetime import timedelta
from typing import Any

import pytest

from environments.actions.update_environment import update_environment
from environments.actions.update_freeze_window import update_freeze_window
from environments.models import Environment, FreezeWindow
from promotions.actions.evaluate import evaluate
from promotions.actions.start_check import Frozen
from promotions.models import Promotion
from stellapromote.clock import rfc3339
from tests.factories import make_freeze, make_product, make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    kestrel = make_kestrel()
    make_product(kestrel.tenant, "ledger")
    return kestrel


def freeze(kestrel: Kestrel, where: Environment | None, **options: Any) -> FreezeWindow:
    now = kestrel.clock.now()
    start, end = rfc3339(now), rfc3339(now + timedelta(hours=1))
    return make_freeze(kestrel["admin"], where, start, end, clock=kestrel.clock, **options)


def asked(kestrel: Kestrel, product: str) -> Promotion:
    return kestrel.ask(kestrel.release(product=product), kestrel.dev)


def waiting_gates(promotion: Promotion) -> list[str]:
    return [gate["type"] for gate in promotion.gates if gate["status"] == "pending"]


@pytest.mark.parametrize("whole_tenant", [False, True])
def test_it_holds_its_products_alone(kestrel: Kestrel, whole_tenant: bool) -> None:
    freeze(kestrel, None if whole_tenant else kestrel.dev, products=["ledger"])
    ledger, main = asked(kestrel, "ledger"), asked(kestrel, "main")
    assert (ledger.status, waiting_gates(ledger)) == ("pending", ["freeze-window"])
    assert main.status == "approved"
    kestrel.reports(main, "started")


def test_one_that_begins_after_the_approval_holds_the_start(kestrel: Kestrel) -> None:
    ledger, main = asked(kestrel, "ledger"), asked(kestrel, "main")
    assert {ledger.status, main.status} == {"approved"}
    kestrel.wait(minutes=1)
    freeze(kestrel, kestrel.dev, products=["ledger"])
    with pytest.raises(Frozen):
        kestrel.reports(ledger, "started")
    assert kestrel.reports(main, "started").status == "deploying"


def test_a_product_that_it_holds_no_more_goes_on(kestrel: Kestrel) -> None:
    window = freeze(kestrel, kestrel.dev, products=["ledger"])
    ledger, main = asked(kestrel, "ledger"), asked(kestrel, "main")
    kestrel.wait(minutes=1)
    update_freeze_window(
        by=kestrel["admin"],
        clock=kestrel.clock,
        window_id=window.pk,
        environment_id=kestrel.dev.pk,
        changes={"products": ["main"]},
    )
    kestrel.wait(minutes=1)
    found = [evaluate(each.pk, by=kestrel["operator"], clock=kestrel.clock).status for each in (ledger, main)]
    assert found == ["approved", "pending"]


def test_a_dependency_waits_for_the_freezes_of_its_own_product(kestrel: Kestrel) -> None:
    thawed = {"type": "environment", "environment": "staging", "state": "not-frozen"}
    admin, clock = kestrel["admin"], kestrel.clock
    gates = [{"kind": "dependency", "config": {"targets": [thawed]}}]
    make_promotion_policy(admin, "after-staging", clock=clock, gates=gates)
    changes = {"promotion_policy": "after-staging"}
    update_environment(by=admin, clock=clock, environment_id=kestrel.dev.pk, changes=changes)
    freeze(kestrel, kestrel.staging, products=["ledger"])
    assert asked(kestrel, "ledger").status == "pending"
    assert asked(kestrel, "main").status == "approved"
