"""Questions about the order to the database."""

import pytest

from environments.actions.archive_environment import archive_environment
from environments.models import Environment
from environments.ordering import environment_before, order
from tests.environments.world import make_environment, make_person, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(greta):
    return {name: make_environment(greta, name, index) for name, index in (("prod", 30), ("dev", 10), ("staging", 20))}


@pytest.mark.parametrize(("name", "expected"), [("dev", None), ("staging", "dev"), ("prod", "staging")])
def test_the_environment_directly_before(line, name, expected):
    before = environment_before(line[name])
    assert (before.name if before else None) == expected


def test_archived_ones_do_not_count(line, greta, clock):
    archive_environment(by=greta, clock=clock, environment_id=line["staging"].pk, active_promotions=0)
    assert environment_before(line["prod"]).name == "dev"
    assert environment_before(Environment.objects.get(name="staging")) is None


def test_another_tenants_environments_do_not_count(line):
    foreign = make_environment(make_person(make_tenant("other"), "olga", "admin"), "prod", 40)
    assert environment_before(foreign) is None


def test_the_order_is_that_of_the_indexes(line, tenant):
    assert [each.name for each in order(tenant.pk)] == ["dev", "staging", "prod"]
