"""Kestrel Pay in two sizes: `world` with all that a release goes through, and `tenant` with people and nothing else."""

import pytest

from environments.models import Environment
from policies.models import ApprovalPolicy
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant, User
from tests.calling import Caller, caller
from tests.factories import actor_of, make_approval_policy, make_environment, make_person, make_ready_tenant
from tests.kept import kept
from tests.promotions.api.policies import TWO_PERSON
from tests.promotions.api.world import World, make_world


@pytest.fixture
def world(db: None) -> World:
    return make_world()


@pytest.fixture
def stranger(db: None) -> World:
    """Another tenant with the same set-up; its admin, operator and approvers hold nothing in Kestrel Pay."""
    return make_world("merlin", prefix="merlin-")


@kept
def make_staffed_tenant() -> tuple[Tenant, dict[str, User]]:
    tenant = make_ready_tenant("kestrel-pay")
    return tenant, {
        "greta": make_person(tenant, "greta", roles=["admin"]),
        "nia": make_person(tenant, "nia", roles=["approver"], teams=["release"]),
        "mei": make_person(tenant, "mei", roles=["approver"], teams=["security"]),
        "ravi": make_person(tenant, "ravi", roles=["approver", "operator"], teams=["release"]),
        "tomas": make_person(tenant, "tomas", roles=["operator"]),
    }


@pytest.fixture
def staffed(db: None) -> tuple[Tenant, dict[str, User]]:
    return make_staffed_tenant()


@pytest.fixture
def tenant(staffed: tuple[Tenant, dict[str, User]]) -> Tenant:
    return staffed[0]


@pytest.fixture
def people(staffed: tuple[Tenant, dict[str, User]]) -> dict[str, User]:
    return staffed[1]


@pytest.fixture
def greta(tenant: Tenant, people: dict[str, User]) -> Caller:
    return caller(tenant, people["greta"])


@pytest.fixture
def tomas(tenant: Tenant, people: dict[str, User]) -> Caller:
    return caller(tenant, people["tomas"])


@pytest.fixture
def admin(tenant: Tenant, people: dict[str, User]) -> Actor:
    return actor_of(people["greta"], tenant)


@pytest.fixture
def policy(tenant: Tenant, people: dict[str, User]) -> ApprovalPolicy:
    return make_approval_policy(actor_of(people["greta"], tenant), **TWO_PERSON)  # type: ignore[arg-type]


@pytest.fixture
def line(admin: Actor) -> dict[str, Environment]:
    """dev 1, staging 2, prod 3, none protected: one person moves and archives them alone."""
    return {
        name: make_environment(admin, name, index, protected=False)
        for index, name in enumerate(("dev", "staging", "prod"), 1)
    }
