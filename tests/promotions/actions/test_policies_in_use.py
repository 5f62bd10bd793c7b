"""update_approval_policy and retire_approval_policy, composed over the facts that only environments know."""

import threading
from typing import Any

import pytest
from django.db import transaction

from environments.actions.update_environment import update_environment
from environments.models import Environment, EnvironmentApprovalPolicy
from policies import rules
from policies.models import ApprovalPolicy
from promotions.actions.archive_environment import archive_environment
from promotions.actions.retire_approval_policy import retire_approval_policy
from promotions.actions.update_approval_policy import update_approval_policy
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid, Refused
from tests.database import CommittedDatabase
from tests.factories import actor_of, make_approval_policy, make_environment, make_person, make_ready_tenant
from tests.proposals import confirmed


class World:
    """greta administers; production exists and is not guarded by the policy yet."""

    def __init__(self) -> None:
        self.tenant: Tenant = make_ready_tenant("kestrel-pay")
        self.nia = actor_of(make_person(self.tenant, "nia", roles=["approver"], teams=["release"]), self.tenant)
        self.greta: Actor = actor_of(make_person(self.tenant, "greta", roles=["admin"]), self.tenant)
        self.policy: ApprovalPolicy = make_approval_policy(self.greta)
        self.production: Environment = make_environment(self.greta, "production", 1)

    def guard(self) -> Environment:
        return update_environment(
            by=self.greta,
            clock=DATABASE_CLOCK,
            environment_id=self.production.id,
            changes={"approval_policies": [self.policy.name]},
        )

    def retire(self) -> ApprovalPolicy:
        return retire_approval_policy(by=self.greta, clock=DATABASE_CLOCK, policy_id=self.policy.id)

    def disable(self) -> ApprovalPolicy:
        return update_approval_policy(
            by=self.greta, clock=DATABASE_CLOCK, policy_id=self.policy.id, changes={}, enabled=False
        )


@pytest.fixture
def world(db: None) -> World:
    return World()


def test_a_policy_that_an_environment_names_is_kept(world: World) -> None:
    world.guard()
    for stop in (world.retire, world.disable):
        with pytest.raises(rules.InUse) as refusal:
            stop()
        assert refusal.value.details == {"environments": ["production"]}


def test_an_archived_environment_still_names_it(world: World) -> None:
    world.guard()
    confirmed(archive_environment(by=world.greta, clock=DATABASE_CLOCK, environment_id=world.production.id))
    with pytest.raises(rules.InUse):
        world.retire()


def test_a_policy_that_no_environment_names_is_retired_or_disabled(world: World) -> None:
    assert not world.disable().enabled
    assert world.retire().retired_at is not None


def test_it_needs_the_right_to_write_policies(world: World) -> None:
    with pytest.raises(Refused):
        retire_approval_policy(by=world.nia, clock=DATABASE_CLOCK, policy_id=world.policy.id)
    with pytest.raises(Refused):
        update_approval_policy(by=world.nia, clock=DATABASE_CLOCK, policy_id=world.policy.id, changes={})


@pytest.mark.slow
@pytest.mark.parametrize("stop", ["retire", "disable"])
def test_naming_it_and_stopping_it_at_the_same_instant_never_both_succeed(
    committed_db: CommittedDatabase, stop: str
) -> None:
    for _ in range(5):
        world = World()
        named, stopped = committed_db.at_once(world.guard, getattr(world, stop))
        links = EnvironmentApprovalPolicy.objects.filter(policy=world.policy).count()
        if isinstance(named, Exception):
            assert isinstance(named, Invalid)
            assert (links, ApprovalPolicy.objects.get().enabled) == (0, False)
        else:
            assert isinstance(stopped, rules.InUse)
            assert (links, ApprovalPolicy.objects.get().enabled) == (1, True)
        committed_db.reset()


def test_who_stops_it_waits_for_an_environment_that_is_about_to_name_it(committed_db: CommittedDatabase) -> None:
    world = World()
    outcome: list[Any] = []

    def retire() -> None:
        try:
            outcome.append(world.retire())
        except rules.InUse as refusal:
            outcome.append(refusal)

    retiring = threading.Thread(target=retire)
    with transaction.atomic():
        world.guard()
        retiring.start()
        retiring.join(timeout=0.5)
        assert not outcome
    retiring.join(timeout=30)
    assert isinstance(outcome[0], rules.InUse)
