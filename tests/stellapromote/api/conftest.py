"""People, tokens and a caller for the tests of the API's conventions."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client, override_settings

from stellapromote.accounts.models import ApiToken, Membership, RoleGrant, ServiceAccount, ServiceOwner, Tenant, User
from stellapromote.accounts.scopes import SCOPES
from stellapromote.accounts.token_format import generate, secret_digest
from stellapromote.web import token_calls

EARLIER = datetime(2026, 1, 1, tzinfo=UTC)
BY_COMMAND = {"granted_at": EARLIER, "granted_via": "command"}


@dataclass(frozen=True)
class Caller:
    """A person of a tenant with a token in hand."""

    user: User
    tenant: Tenant
    text: str
    token: ApiToken

    def call(self, method: str, path: str, data: Any = None, raw: bytes | None = None, **headers: str) -> Any:
        """`headers` by their names with underscores: `If_Match='"7"'`."""
        body = raw if raw is not None else b"" if data is None else json.dumps(data).encode()
        sent = {
            "Authorization": f"Bearer {self.text}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        sent = {name: value for name, value in sent.items() if value}
        content_type = sent.pop("Content-Type", "application/json" if body else "")
        return Client(raise_request_exception=False).generic(
            method, path, body, content_type=content_type, headers=sent
        )


def make_tenant(slug: str) -> Tenant:
    return Tenant.objects.create(slug=slug, name=slug.title(), created_at=EARLIER)


def make_caller(tenant: Tenant, username: str, *roles: str, **token: Any) -> Caller:
    user = User.objects.filter(username=username).first()
    if user is None:
        user = User.objects.create(username=username, display_name=username.title(), date_joined=EARLIER)
    Membership.objects.get_or_create(tenant=tenant, user=user, defaults=BY_COMMAND)
    for role in roles:
        RoleGrant.objects.get_or_create(tenant=tenant, user=user, role=role, defaults=BY_COMMAND)
    return give_token(tenant, user, **token)


def give_token(tenant: Tenant, user: User, **values: Any) -> Caller:
    public_id, secret, text = generate()
    now = datetime.now(UTC)
    token = ApiToken.objects.create(
        **{
            "tenant": tenant,
            "user": user,
            "name": "test",
            "public_id": public_id,
            "secret_digest": secret_digest(secret),
            "scopes": list(SCOPES),
            "created_at": EARLIER,
            "expires_at": now + timedelta(days=30),
            **values,
        }
    )
    return Caller(user, tenant, text, token)


def make_service(tenant: Tenant, name: str, scopes: list[str]) -> Caller:
    """Owned by a member who owns nothing else."""
    user = User.objects.create(
        username=f"{tenant.slug}.{name}", kind=User.Kind.SERVICE, display_name=name, date_joined=EARLIER
    )
    service = ServiceAccount.objects.create(tenant=tenant, user=user, name=name, scopes=scopes, created_at=EARLIER)
    owner = make_caller(tenant, f"{name}-owner").user
    ServiceOwner.objects.create(service=service, owner=owner, granted_at=EARLIER)
    return give_token(tenant, user)


@pytest.fixture(autouse=True)
def _conventions_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Paths that the product has too lead to other views here."""
    monkeypatch.setattr(token_calls, "_known", {})
    with override_settings(ROOT_URLCONF="tests.stellapromote.api.urls"):
        yield


@pytest.fixture
def kestrel(db: None) -> Tenant:
    return make_tenant("kestrel")


@pytest.fixture
def admin(kestrel: Tenant) -> Caller:
    """greta holds policy:read and policy:write."""
    return make_caller(kestrel, "greta", "admin")


@pytest.fixture
def viewer(kestrel: Tenant) -> Caller:
    """vera holds policy:read only."""
    return make_caller(kestrel, "vera", "viewer")


@pytest.fixture
def stranger(db: None) -> Caller:
    """otto is admin of another tenant."""
    return make_caller(make_tenant("merlin"), "otto", "admin")


Call = Callable[..., Any]
