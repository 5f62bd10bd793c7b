import pytest

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.clock import FixedClock
from tests.environments.world import NOW, make_person, make_tenant_and_greta


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def _tenant_and_greta(db: None) -> tuple[Tenant, Actor]:
    return make_tenant_and_greta()


@pytest.fixture
def tenant(_tenant_and_greta: tuple[Tenant, Actor]) -> Tenant:
    return _tenant_and_greta[0]


@pytest.fixture
def greta(_tenant_and_greta: tuple[Tenant, Actor]) -> Actor:
    """The administrator."""
    return _tenant_and_greta[1]


@pytest.fixture
def ines(tenant: Tenant) -> Actor:
    """Another administrator."""
    return make_person(tenant, "ines", "admin")


@pytest.fixture
def nia(tenant: Tenant) -> Actor:
    """The approver."""
    return make_person(tenant, "nia", "approver")


@pytest.fixture
def tomas(tenant: Tenant) -> Actor:
    """The operator."""
    return make_person(tenant, "tomas", "operator")
