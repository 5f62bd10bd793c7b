"""Administrators and operators who act on one environment at the same instant."""

from environments.actions.update_environment import update_environment
from environments.models import Environment, EnvironmentApprovalPolicy
from environments.rules import PromotionsActive
from policies.models import ApprovalPolicy
from promotions.actions.archive_environment import archive_environment
from promotions.actions.delete_environment import delete_environment
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.models import Promotion
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.database_clock import DATABASE_CLOCK
from tests.database import CommittedDatabase
from tests.factories import actor_of, make_approval_policy, make_environment, make_person, make_ready_tenant
from tests.promotions.deployments import release, request


def people() -> tuple[Tenant, Actor, Actor]:
    tenant = make_ready_tenant("kestrel-pay")
    greta = make_person(tenant, "greta", roles=["admin"])
    tomas = make_person(tenant, "tomas", roles=["operator"])
    return tenant, actor_of(greta, tenant), actor_of(tomas, tenant)


def test_nothing_active_is_left_in_an_environment_that_is_archived_meanwhile(committed_db: CommittedDatabase) -> None:
    _, greta, tomas = people()
    for number in range(4):
        environment = make_environment(greta, f"e{number}", 9 - number)
        wanted = release(tomas, f"r{number}")
        archived, requested = committed_db.at_once(
            lambda environment=environment: archive_environment(
                by=greta, clock=DATABASE_CLOCK, environment_id=environment.pk
            ),
            lambda environment=environment, wanted=wanted: request(tomas, wanted, environment),
        )
        # One of the two was first; the other was told so.
        if isinstance(archived, Environment):
            assert getattr(requested, "code", None) == "ENV_ARCHIVED"
        else:
            assert isinstance(archived, PromotionsActive)
            assert isinstance(requested, Promotion)


def test_an_environment_is_not_deleted_under_a_promotion(committed_db: CommittedDatabase) -> None:
    _, greta, tomas = people()
    environment, wanted = make_environment(greta, "dev", 1), release(tomas, "one")
    deleted, requested = committed_db.at_once(
        lambda: delete_environment(by=greta, clock=DATABASE_CLOCK, environment_id=environment.pk),
        lambda: request(tomas, wanted, environment),
    )
    assert Promotion.objects.count() == Environment.objects.count() == int(isinstance(requested, Promotion))
    assert isinstance(deleted, Exception) is isinstance(requested, Promotion)


def test_no_environment_is_guarded_by_a_policy_that_is_disabled_meanwhile(committed_db: CommittedDatabase) -> None:
    tenant, greta, _ = people()
    make_person(tenant, "nia", roles=["approver"], teams=["release"])
    policy = make_approval_policy(greta, "two-person")
    environment = make_environment(greta, "prod", 1)
    committed_db.at_once(
        lambda: update_approval_policy(
            by=greta, clock=DATABASE_CLOCK, policy_id=policy.pk, enabled=False, changes={}, if_match=None
        ),
        lambda: update_environment(
            by=greta,
            clock=DATABASE_CLOCK,
            environment_id=environment.pk,
            changes={"approval_policies": ["two-person"]},
        ),
    )
    assert EnvironmentApprovalPolicy.objects.exists() is ApprovalPolicy.objects.get().enabled
