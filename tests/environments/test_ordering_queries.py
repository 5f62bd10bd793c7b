"""Questions about the order to the database."""

import pytest

from environments.ordering import order
from tests.environments.world import make_environment

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(greta):
    return {name: make_environment(greta, name, index) for name, index in (("prod", 30), ("dev", 10), ("staging", 20))}


def test_the_order_is_that_of_the_indexes(line, tenant):
    assert [each.name for each in order(tenant.pk)] == ["dev", "staging", "prod"]
