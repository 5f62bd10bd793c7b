"""Tenant Kestrel Pay: greta administers; nia (release) and mei (security) approve; tomas operates and has no vote."""

from datetime import UTC, datetime

import pytest

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.clock import FixedClock
from tests.factories import actor_of, make_person, make_tenant

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def tenant(db: None, clock: FixedClock) -> Tenant:
    return make_tenant("kestrel-pay", clock=clock)


@pytest.fixture
def greta(tenant: Tenant, clock: FixedClock) -> Actor:
    return actor_of(make_person(tenant, "greta", roles=["admin"], clock=clock), tenant)


@pytest.fixture
def nia(tenant: Tenant, clock: FixedClock) -> Actor:
    return actor_of(make_person(tenant, "nia", roles=["approver"], teams=["release"], clock=clock), tenant)


@pytest.fixture
def mei(tenant: Tenant, clock: FixedClock) -> Actor:
    return actor_of(make_person(tenant, "mei", roles=["approver"], teams=["security"], clock=clock), tenant)


@pytest.fixture
def tomas(tenant: Tenant, clock: FixedClock) -> Actor:
    return actor_of(make_person(tenant, "tomas", roles=["operator"], teams=["release"], clock=clock), tenant)
