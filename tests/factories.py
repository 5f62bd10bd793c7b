"""Tenants and people for tests, made by the product's own actions. Extend with one function for each noun."""

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from environments.actions.create_environment import create_environment
from environments.actions.create_freeze_window import create_freeze_window
from environments.models import Environment, FreezeWindow
from policies.actions.create_approval_policy import create_approval_policy
from policies.actions.create_promotion_policy import create_promotion_policy
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.models import ApprovalPolicy, PromotionPolicy
from promotions.actions.create_tenant import create_tenant
from promotions.actions.releases import ComponentSpec, ReleaseSpec, create_release
from promotions.actions.report_deployment import Report, report_deployment
from promotions.actions.request_promotion import PromotionRequest, request_promotion
from promotions.models import Promotion, Release
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.actor_lookup import actor_for_session, actor_for_token
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Product, ServiceAccount, Team, Tenant, User
from stellapromote.accounts.models.product import MAIN
from stellapromote.accounts.models.token import DEFAULT_LIFE
from stellapromote.accounts.sign_in import SignIn
from stellapromote.accounts.token_format import parse
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.add_member import add_member
from stellapromote.identity.actions.add_service import add_service
from stellapromote.identity.actions.create_team import create_team
from stellapromote.identity.actions.create_tenant import create_tenant as create_empty_tenant
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_team import grant_team
from stellapromote.identity.actions.issue_token import issue_token
from stellapromote.ids import new_id
from tests.kept import NUMBERS, kept

PASSWORD = "correct horse battery staple"


@kept
def make_tenant(slug: str | None = None, *, name: str = "", clock: Clock = DATABASE_CLOCK) -> Tenant:
    """An empty one: its audit chain has nothing but its own creation."""
    return create_empty_tenant(by=command_actor(), clock=clock, slug=slug or f"tenant-{NUMBERS.next()}", name=name)


@kept
def make_ready_tenant(slug: str | None = None, *, name: str = "", clock: Clock = DATABASE_CLOCK) -> Tenant:
    """One as `add_tenant` makes it: with its calendar and the published policy `default`."""
    slug = slug or f"tenant-{NUMBERS.next()}"
    return create_tenant(by=command_actor(), clock=clock, slug=slug, name=name or slug.title())


@kept
def make_person(
    tenant: Tenant,
    username: str | None = None,
    *,
    roles: Iterable[str] = (),
    products: Iterable[str] = (),
    teams: Iterable[str] = (),
    password: str | None = None,
    display_name: str = "",
    clock: Clock = DATABASE_CLOCK,
) -> User:
    """A member with these roles, for these products or for all, in these teams, which are made where they do not exist
    yet."""
    by = command_actor(tenant)
    username = username or f"person-{NUMBERS.next()}"
    added = add_member(
        by=by, clock=clock, username=username, display_name=display_name or username.capitalize(), password=password
    )
    for role in roles:
        grant_role(by=by, clock=clock, user_id=added.user.pk, role=role, products=products)
    for team in teams:
        if not Team.objects.filter(tenant=tenant, slug=team).exists():
            create_team(by=by, clock=clock, slug=team)
        grant_team(by=by, clock=clock, user_id=added.user.pk, team=team)
    return added.user


@kept
def make_service(
    tenant: Tenant,
    owner: User,
    name: str | None = None,
    *,
    scopes: Iterable[str] = (
        "promotion:read",
        "promotion:request",
        "promotion:deploy",
        "release:read",
        "release:write",
    ),
    products: Iterable[str] = (),
    clock: Clock = DATABASE_CLOCK,
) -> ServiceAccount:
    return add_service(
        by=command_actor(tenant),
        clock=clock,
        name=name or f"service-{NUMBERS.next()}",
        owners=[owner.username],
        scopes=scopes,
        products=products,
    )


@kept
def make_product(tenant: Tenant, slug: str, **fields: Any) -> Product:
    at = DATABASE_CLOCK.now()
    values = {"display_name": slug, "created_at": at, "updated_at": at, **fields}
    return Product.objects.create(tenant=tenant, slug=slug, **values)


def make_token(
    tenant: Tenant,
    user: User,
    *,
    scopes: Iterable[str] | None = None,
    life: timedelta = DEFAULT_LIFE,
    by: Actor | None = None,
    products: Iterable[str] = (),
    clock: Clock = DATABASE_CLOCK,
) -> str:
    """The text of a token that acts for a person, or for a service: give its `.user`. `by`: who issues it; a person
    makes their own, and the command line that of a service."""
    if by is None:
        by = actor_of(user, tenant) if user.kind == User.Kind.PERSON else command_actor(tenant)
    issued = issue_token(by=by, clock=clock, user_id=user.pk, name="test", scopes=scopes, life=life, products=products)
    return issued.text


def actor_of(user: User, tenant: Tenant) -> Actor:
    """The person as they are when signed in, with the rights they have now."""
    sign_in = SignIn(new_id())
    actor = actor_for_session(user.pk, tenant.slug, sign_in=sign_in, address="192.0.2.1", request_id="test").actor
    assert actor is not None
    return actor


def actor_of_token(text: str) -> Actor:
    """Who a token acts for, with the rights that are left of it now."""
    parts = parse(text)
    assert parts is not None
    row = actor_for_token(parts[0], address="192.0.2.1", request_id="test")
    assert row is not None
    assert row.actor is not None
    return row.actor


@kept
def make_approval_policy(
    by: Actor, name: str = "two-person", *, clock: Clock = DATABASE_CLOCK, **content: Any
) -> ApprovalPolicy:
    """By an administrator. `content`: fields in wire names; without rules, one approval by team release."""
    document = {"name": name, "rules": [{"name": "release", "teams": ["release"]}], **content}
    return create_approval_policy(by=by, clock=clock, content=document)


@kept
def make_promotion_policy(
    by: Actor, name: str = "strict", *, published: bool = True, clock: Clock = DATABASE_CLOCK, **document: Any
) -> PromotionPolicy:
    """By an administrator. `document`: its fields in wire names; without any, the three gates that are always there."""
    policy = create_promotion_policy(by=by, clock=clock, name=name, document=document)
    return publish_promotion_policy(by=by, clock=clock, name=name) if published else policy


@kept
def make_environment(
    by: Actor, name: str, order_index: int, *, clock: Clock = DATABASE_CLOCK, **options: Any
) -> Environment:
    """By an administrator. `options`: what create_environment takes."""
    options.setdefault("display_name", name.title())
    return create_environment(by=by, clock=clock, name=name, order_index=order_index, **options)


@kept
def make_freeze(
    by: Actor,
    environment: Environment | None,
    start: str,
    end: str,
    *,
    clock: Clock = DATABASE_CLOCK,
    **options: Any,
) -> FreezeWindow:
    """By an administrator; environment None stops the line. `options`: what create_freeze_window takes."""
    return create_freeze_window(
        by=by,
        clock=clock,
        environment_id=environment.pk if environment else None,
        start=start,
        end=end,
        **{"reason": "Quarter end", **options},
    )


@kept
def make_release(
    by: Actor, name: str | None = None, *, finalize: bool = True, clock: Clock = DATABASE_CLOCK, **options: Any
) -> Release:
    """By somebody who may write releases. `options`: fields of ReleaseSpec; without components, one named `api`, or
    `ledger-api` of the product `ledger`."""
    name = name or f"2026.{NUMBERS.next()}"
    product = options.get("product", MAIN)
    options.setdefault("components", [component(name, "api" if product == MAIN else f"{product}-api")])
    return create_release(ReleaseSpec(name=name, **options), by=by, finalize=finalize, clock=clock)


def component(content: str, name: str = "api", **options: Any) -> ComponentSpec:
    """An artifact whose digest is that of `content`."""
    options.setdefault("digest", "sha256:" + hashlib.sha256(content.encode()).hexdigest())
    return ComponentSpec(name=name, image_repository=f"registry.example/kestrel/{name}", **options)


@kept
def make_promotion(
    by: Actor,
    release: Release,
    target: Environment,
    *,
    reason: str = "Because it is ready",
    change: dict[str, Any] | None = None,
    clock: Clock = DATABASE_CLOCK,
) -> Promotion:
    """Requested by somebody who may; judged at once."""
    return request_promotion(PromotionRequest(release.pk, target.pk, reason, change), by=by, clock=clock)


@kept
def deploy(by: Actor, promotion: Promotion, *, clock: Clock = DATABASE_CLOCK) -> Promotion:
    """Reports that an approved promotion was started and succeeded."""
    report_deployment(promotion.pk, Report("started"), by=by, clock=clock)
    return report_deployment(promotion.pk, Report("succeeded"), by=by, clock=clock)
