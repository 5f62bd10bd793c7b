"""Kestrel Pay's people and environments at a fixed instant: greta administers, nia approves, tomas operates."""

from datetime import UTC, datetime
from typing import Any

from environments.models import Environment, FreezeWindow
from policies.models import ApprovalPolicy, PromotionPolicy
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.clock import Clock, FixedClock
from tests import factories
from tests.kept import kept

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
EARLIER = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
NAMES = {"dev": "Development", "staging": "Staging", "prod": "Production"}


def make_tenant(slug: str = "kestrel-pay") -> Tenant:
    return factories.make_ready_tenant(slug, clock=EARLIER)


@kept
def make_tenant_and_greta() -> tuple[Tenant, Actor]:
    tenant = make_tenant()
    return tenant, make_person(tenant, "greta", "admin")


def make_person(tenant: Tenant, username: str, *roles: str) -> Actor:
    return factories.actor_of(factories.make_person(tenant, username, roles=roles, clock=EARLIER), tenant)


def make_environment(
    by: Actor, name: str, order_index: int, *, clock: Clock | None = None, **options: Any
) -> Environment:
    """Unprotected unless said: one person edits it alone."""
    options.setdefault("display_name", NAMES.get(name, str(name).title()))
    options.setdefault("protected", False)
    return factories.make_environment(by, name, order_index, clock=clock or FixedClock(NOW), **options)


def make_freeze(
    by: Actor, environment: Environment | None, start: str, end: str, *, clock: Clock | None = None, **options: Any
) -> FreezeWindow:
    return factories.make_freeze(by, environment, start, end, clock=clock or FixedClock(NOW), **options)


def make_approval_policy(by: Actor, name: str) -> ApprovalPolicy:
    """One approval by nia, who must be an approver already."""
    rules = [{"name": "anyone", "users": ["nia"]}]
    return factories.make_approval_policy(by, name, clock=FixedClock(NOW), rules=rules)


def make_promotion_policy(by: Actor, name: str, *, published: bool = True) -> PromotionPolicy:
    return factories.make_promotion_policy(by, name, published=published, clock=FixedClock(NOW))
