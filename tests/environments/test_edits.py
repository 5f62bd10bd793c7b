"""Who edited which environment (domain.md §5): every action that changes settings or the order keeps it."""

from collections.abc import Callable

import pytest

from environments.actions.archive_environment import archive_environment
from environments.actions.delete_environment import delete_environment
from environments.actions.hold_auto_promotion import hold_auto_promotion
from environments.actions.unarchive_environment import unarchive_environment
from environments.actions.update_environment import update_environment
from environments.models import Environment, EnvironmentEdit
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.clock import FixedClock
from tests import factories
from tests.environments.world import NOW, make_environment, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(greta: Actor) -> dict[str, Environment]:
    return {name: make_environment(greta, name, index) for index, name in enumerate(("dev", "staging", "prod"))}


def edited(act: Callable[[], object]) -> set[str]:
    """The names of the environments that the action counts as an edit of."""
    before = set(EnvironmentEdit.objects.values_list("pk", flat=True))
    act()
    names = dict(Environment.objects.values_list("pk", "name"))
    rows = EnvironmentEdit.objects.exclude(pk__in=before)
    return {names.get(row.environment_id, "gone") for row in rows}


def updating(greta: Actor, environment: Environment, **changes: object) -> Callable[[], object]:
    return lambda: update_environment(by=greta, clock=FixedClock(NOW), environment_id=environment.pk, changes=changes)


def test_creating_one_is_an_edit_of_it_and_of_those_that_come_after_it(
    greta: Actor, order: dict[str, Environment]
) -> None:
    assert edited(lambda: make_environment(greta, "last", 9)) == {"last"}
    assert edited(lambda: make_environment(greta, "between", 5)) == {"between", "last"}


def test_settings_are_an_edit_of_the_environment_alone(greta: Actor, order: dict[str, Environment]) -> None:
    assert edited(updating(greta, order["staging"], required_approvals=1)) == {"staging"}
    assert edited(updating(greta, order["staging"], display_name="Stage")) == {"staging"}


def test_what_changes_nothing_is_none(greta: Actor, order: dict[str, Environment]) -> None:
    assert edited(updating(greta, order["staging"], required_approvals=0)) == set()


def test_a_move_is_an_edit_of_all_that_are_entered_over_other_steps(
    greta: Actor, order: dict[str, Environment]
) -> None:
    assert edited(updating(greta, order["dev"], order_index=1)) == {"dev", "staging", "prod"}
    assert edited(updating(greta, order["prod"], order_index=7)) == {"prod"}


def test_so_is_what_takes_one_out_of_the_order_or_puts_it_back(greta: Actor, order: dict[str, Environment]) -> None:
    def archive() -> None:
        archive_environment(by=greta, clock=FixedClock(NOW), environment_id=order["staging"].pk, active_promotions=0)

    def unarchive() -> None:
        unarchive_environment(by=greta, clock=FixedClock(NOW), environment_id=order["staging"].pk, order_index=1)

    def delete() -> None:
        delete_environment(by=greta, clock=FixedClock(NOW), environment_id=order["dev"].pk, promotions=0)

    assert edited(archive) == {"staging", "prod"}
    assert edited(unarchive) == {"staging", "prod"}
    assert edited(delete) == {"staging", "prod"}


def test_what_a_request_or_rollback_holds_is_nobody_s_edit(greta: Actor, order: dict[str, Environment]) -> None:
    def hold() -> None:
        hold_auto_promotion(order["prod"], hold=True, by=greta, at=NOW, because="a rollback")

    assert edited(hold) == set()


def test_it_names_the_machine_and_who_issued_its_token(tenant: Tenant, greta: Actor) -> None:
    owner = make_person(tenant, "ola", "admin")
    factories.make_service(tenant, factories.User.objects.get(username="ola"), "robot", scopes=["environment:write"])
    robot = factories.User.objects.get(username=f"{tenant.slug}.robot")
    machine = factories.actor_of_token(factories.make_token(tenant, robot, by=owner))
    environment = make_environment(machine, "dev", 1)
    row = EnvironmentEdit.objects.get(environment_id=environment.pk)
    assert (row.by_id, row.with_token_issuer_id, row.at) == (robot.pk, owner.account, NOW)
