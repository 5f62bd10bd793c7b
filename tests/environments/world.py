"""A tenant with a calendar, policies and people: greta administers, tomas operates. Environments come from the actions."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from environments.actions.create_environment import create_environment
from environments.actions.create_freeze_window import create_freeze_window
from environments.locks import create_calendar
from environments.models import Environment, FreezeWindow
from policies.actions.create_approval_policy import create_approval_policy
from policies.actions.create_promotion_policy import create_promotion_policy
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.actions.seed_default_policy import seed_default_policy
from policies.models import ApprovalPolicy, PromotionPolicy
from stellapromote.accounts.actor import Actor, system_actor
from stellapromote.accounts.models import Membership, RoleGrant, Tenant, User
from stellapromote.accounts.scopes import scopes_of
from stellapromote.clock import Clock, FixedClock

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
NAMES = {"dev": "Development", "staging": "Staging", "prod": "Production"}


def make_tenant(slug: str = "kestrel-pay") -> Tenant:
    tenant = Tenant.objects.create(slug=slug, name=slug.title(), created_at=NOW)
    create_calendar(tenant)
    seed_default_policy(by=system_actor(tenant.id, slug), clock=FixedClock(NOW), tenant=tenant)
    return tenant


def make_person(tenant: Tenant, username: str, *roles: str) -> Actor:
    user = User.objects.create(username=username, display_name=username.title(), date_joined=NOW)
    Membership.objects.create(tenant=tenant, user=user, granted_at=NOW)
    for role in roles:
        RoleGrant.objects.create(tenant=tenant, user=user, role=role, granted_at=NOW)
    return Actor(
        kind="person",
        user_id=user.id,
        username=username,
        display_name=user.display_name,
        tenant_id=tenant.id,
        tenant_slug=tenant.slug,
        roles=roles,
        scopes=scopes_of(roles),
    )


def make_environment(
    by: Actor, name: str, order_index: int, *, clock: Clock | None = None, **options: Any
) -> Environment:
    return create_environment(
        by=by,
        clock=clock or FixedClock(NOW),
        name=name,
        order_index=order_index,
        **{"display_name": NAMES.get(name, name.title()), **options},
    )


def make_freeze(
    by: Actor, environment: Environment | None, start: str, end: str, *, clock: Clock | None = None, **options: Any
) -> FreezeWindow:
    return create_freeze_window(
        by=by,
        clock=clock or FixedClock(NOW),
        environment_id=environment.id if environment else None,
        start=start,
        end=end,
        **{"reason": "Quarter end", **options},
    )


def make_approval_policy(by: Actor, name: str, **content: Any) -> ApprovalPolicy:
    document: Mapping[str, Any] = {"rules": [{"name": "anyone", "users": ["nia"]}], **content, "name": name}
    return create_approval_policy(by=by, clock=FixedClock(NOW), content=document)


def make_promotion_policy(by: Actor, name: str, *, published: bool = True) -> PromotionPolicy:
    policy = create_promotion_policy(by=by, clock=FixedClock(NOW), name=name, document={})
    return publish_promotion_policy(by=by, clock=FixedClock(NOW), name=name) if published else policy
