"""A person of two tenants: nothing that an administrator of one does changes the account, or anything of the other
(access.md, People)."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps

from promotions.actions.approve import approve
from promotions.models import Vote
from stellapromote.accounts.held_accounts import hold
from stellapromote.accounts.models import ApiToken, HeldAccount, Invitation, RoleGrant, ServiceAccount, Tenant, User
from stellapromote.api.schema import openapi
from stellapromote.identity.actions.invite import invite
from stellapromote.identity.models import PersonSession
from tests.calling import Caller
from tests.factories import actor_of, make_person, make_service, make_token
from tests.kept import kept
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.signed_in import signed_in

pytestmark = pytest.mark.django_db

GROUPS = {"Invitations", "Members", "Services", "Teams", "Tokens"}
"""The calls by which an administrator acts on people."""

REASON, SCOPES, NAME = {"reason": "Wanted"}, {"scopes": ["release:read"]}, {"displayName": "Another"}
PRODUCTS = {"products": ["main"]}
BODIES: dict[tuple[str, str], dict[str, Any] | None] = {
    ("POST", "invitations"): {"username": "sam", "roles": ["operator"], **PRODUCTS},
    ("DELETE", "invitations/{id}"): None,
    ("POST", "invitations/{id}/send"): None,
    ("PUT", "members/{id}"): NAME,
    ("PATCH", "members/{id}"): NAME,
    ("POST", "members/{id}/end"): REASON,
    ("POST", "members/{id}/confirm-account"): None,
    ("POST", "members/{id}/reset-link"): None,
    ("DELETE", "members/{id}/sessions"): None,
    ("DELETE", "members/{user_id}/sessions/{id}"): None,
    ("POST", "members/{user_id}/grants"): {"kind": "role", "name": "operator", **PRODUCTS, **REASON},
    ("POST", "members/{user_id}/grants/{id}/confirm"): None,
    ("POST", "members/{user_id}/grants/{id}/end"): REASON,
    ("PATCH", "sign-in-settings"): {"requireSecondFactor": True},
    ("POST", "services"): {"name": "another", "owners": ["sam"], **SCOPES, **PRODUCTS},
    ("PUT", "services/{id}"): SCOPES,
    ("PATCH", "services/{id}"): {**SCOPES, **PRODUCTS},
    ("POST", "services/{id}/end"): REASON,
    ("PUT", "services/{service_id}/owners/{username}"): REASON,
    ("PATCH", "services/{service_id}/owners/{username}"): REASON,
    ("DELETE", "services/{service_id}/owners/{username}"): None,
    ("POST", "teams"): {"slug": "another"},
    ("PUT", "teams/{slug}"): NAME,
    ("PATCH", "teams/{slug}"): NAME,
    ("DELETE", "teams/{slug}"): None,
    ("PUT", "teams/{slug}/members/{username}"): REASON,
    ("PATCH", "teams/{slug}/members/{username}"): REASON,
    ("DELETE", "teams/{slug}/members/{username}"): None,
    ("POST", "tokens"): {"name": "laptop", **SCOPES},
    ("DELETE", "tokens/{id}"): None,
}
"""A body that each call takes."""


@dataclass(frozen=True)
class World:
    """sam approves in both tenants, with a team, a service and a token of each, and has voted in the other one. In
    both the account may be that of the administrator, who invited another person."""

    here: Kestrel
    other: Kestrel
    greta: Caller
    sam: User
    token: str

    def path(self, template: str, tenant: Tenant) -> str:
        """The address of what is sam's in the tenant."""
        role = RoleGrant.objects.get(tenant=tenant, user=self.sam, role="approver")
        service = ServiceAccount.objects.get(tenant=tenant, owners__owner=self.sam)
        token = ApiToken.objects.get(tenant=tenant, user=self.sam)
        session = PersonSession.objects.get(user=self.sam)
        invitation = Invitation.objects.get(tenant=tenant)
        ids = {
            "invitations": invitation.pk,
            "members": self.sam.pk,
            "grants": role.pk,
            "services": service.pk,
            "tokens": token.pk,
        }
        parts = template.split("/")
        kind = parts[parts.index("{id}") - 1] if "{id}" in parts else ""
        return "/" + template.format(
            id=session.public_id if kind == "sessions" else ids.get(kind),
            user_id=self.sam.pk,
            service_id=service.pk,
            username="sam",
            slug=f"{tenant.slug}-team",
        )


@kept
def make_world() -> World:
    other, here = make_kestrel("other", prefix="other-"), make_kestrel("here")
    for each in (here, other):
        slug = each.tenant.slug
        sam = make_person(each.tenant, "sam", roles=["approver"], teams=["release", f"{slug}-team"], clock=each.clock)
        make_service(each.tenant, sam, f"{slug}-machine", clock=each.clock)
        token = make_token(each.tenant, sam, clock=each.clock)
        admin, because = each["admin"], HeldAccount.Because.RESET
        hold(sam.pk, [admin.account], because=because, tenant_id=each.tenant.pk, at=each.clock.now())
        invite(by=admin, clock=each.clock, username="mei", roles=["viewer"])
    signed_in(sam)
    approve(other.waits_for_production().pk, by=actor_of(sam, other.tenant), clock=other.clock)
    greta = Caller(make_token(here.tenant, User.objects.get(username="admin")))
    return World(here, other, greta, sam, token)


@pytest.fixture
def world(db: None) -> World:
    return make_world()


def everything_of(tenant: Tenant, person: User) -> dict[str, list[Any]]:
    """Every row of the tenant, and the person's account and sessions."""
    found: dict[str, list[Any]] = {
        "account": list(User.objects.filter(pk=person.pk).values()),
        "sessions": list(PersonSession.objects.filter(user=person).values()),
    }
    for model in apps.get_models():
        if any(field.name == "tenant" for field in model._meta.fields):
            found[model.__name__] = list(model._default_manager.filter(tenant=tenant).order_by("pk").values())
    return found


def test_each_call_about_people_is_tried_here() -> None:
    paths = openapi("stellapromote.urls")["paths"]
    found = {
        (method.upper(), path.removeprefix("/api/v1/"))
        for path, item in paths.items()
        for method, operation in item.items()
        if method in ("post", "put", "patch", "delete") and not GROUPS.isdisjoint(operation["tags"])
    }
    assert found == BODIES.keys()


@pytest.mark.parametrize("call", BODIES, ids=" ".join)
def test_what_an_administrator_does_changes_nothing_elsewhere(world: World, call: tuple[str, str]) -> None:
    method, template = call
    before = everything_of(world.other.tenant, world.sam)
    assert world.sam.pk in {vote["voter_id"] for vote in before[Vote.__name__]}
    for path in [world.path(template, each.tenant) for each in (world.other, world.here)]:
        assert world.greta.call(method, path, BODIES[call]).status_code < 500
    assert everything_of(world.other.tenant, world.sam) == before
    assert Caller(world.token).get("/me").status_code == 200
