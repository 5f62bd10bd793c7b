import pytest

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.clock import FixedClock
from tests.environments.world import NOW, make_person, make_tenant


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_tenant()


@pytest.fixture
def greta(tenant: Tenant) -> Actor:
    """The administrator."""
    return make_person(tenant, "greta", "admin")


@pytest.fixture
def nia(tenant: Tenant) -> Actor:
    """The approver."""
    return make_person(tenant, "nia", "approver")


@pytest.fixture
def tomas(tenant: Tenant) -> Actor:
    """The operator."""
    return make_person(tenant, "tomas", "operator")
