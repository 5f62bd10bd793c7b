"""Which environment a release must have been in before it may enter another (domain.md §1)."""

import pytest

from environments.actions.archive_environment import archive_environment
from environments.models import Environment
from promotions.judging.ordering import Entry, SequenceViolation, check_can_enter
from stellapromote.accounts.actor import Actor
from stellapromote.database_clock import DATABASE_CLOCK
from tests.factories import actor_of, make_environment, make_person, make_ready_tenant
from tests.promotions.deployments import release

pytestmark = pytest.mark.django_db


@pytest.fixture
def greta() -> Actor:
    tenant = make_ready_tenant("kestrel")
    return actor_of(make_person(tenant, "greta", roles=("admin", "operator")), tenant)


@pytest.fixture
def line(greta: Actor) -> dict[str, Environment]:
    order = {"prod": 30, "dev": 10, "staging": 20}
    made = [make_environment(greta, name, index, protected=False) for name, index in order.items()]
    return {each.name: each for each in made}


def missing(by: Actor, target: Environment) -> str:
    """The environment that a new release must be in before it may enter the target."""
    with pytest.raises(SequenceViolation) as refused:
        check_can_enter(release(by, "1.0"), target)
    assert refused.value.details is not None
    return str(refused.value.details["missingEnvironment"])


def test_every_release_enters_the_first_environment(greta: Actor, line: dict[str, Environment]) -> None:
    assert check_can_enter(release(greta, "1.0"), line["dev"]) == Entry(source=None, is_rollback=False)


@pytest.mark.parametrize(("name", "before"), [("staging", "dev"), ("prod", "staging")])
def test_it_must_have_been_in_the_one_directly_before(
    greta: Actor, line: dict[str, Environment], name: str, before: str
) -> None:
    assert missing(greta, line[name]) == before


def test_an_archived_one_does_not_count(greta: Actor, line: dict[str, Environment]) -> None:
    archive_environment(by=greta, clock=DATABASE_CLOCK, environment_id=line["staging"].pk, active_promotions=0)
    assert missing(greta, line["prod"]) == "dev"


def test_one_of_another_tenant_does_not_count(line: dict[str, Environment]) -> None:
    tenant = make_ready_tenant("osprey")
    olga = actor_of(make_person(tenant, "olga", roles=("admin", "operator")), tenant)
    first = make_environment(olga, "prod", 40, protected=False)
    assert check_can_enter(release(olga, "1.0"), first) == Entry(source=None, is_rollback=False)
