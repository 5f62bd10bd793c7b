"""What the database refuses by itself about tenants, accounts, services and tokens."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from stellapromote.accounts.models import ApiToken, ServiceAccount, Team, Tenant, User
from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.database_clock import DATABASE_CLOCK
from tests.factories import make_person, make_service, make_tenant, make_token

pytestmark = pytest.mark.django_db

NOT_A_SLUG = ["", "A", "-a", "a-", "a b", "a.b", "ä", "a\n"]


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant()


def breaks(constraint: str, write: Callable[[], object]) -> bool:
    try:
        with transaction.atomic():
            write()
    except IntegrityError as error:
        return constraint in str(error)
    return False


@pytest.mark.parametrize("slug", NOT_A_SLUG)
def test_the_slug_of_a_tenant_is_a_slug(slug: str) -> None:
    now = DATABASE_CLOCK.now()
    assert breaks("tenant_slug_is_slug", lambda: Tenant.objects.create(slug=slug, name="x", created_at=now))


@pytest.mark.parametrize("slug", NOT_A_SLUG)
def test_the_slug_of_a_team_is_a_slug(tenant: Tenant, slug: str) -> None:
    assert breaks("team_slug_is_slug", lambda: Team.objects.create(tenant=tenant, slug=slug, name="x"))


def test_the_slug_of_a_team_is_taken_once_in_each_tenant(tenant: Tenant) -> None:
    Team.objects.create(tenant=tenant, slug="release", name="x")
    Team.objects.create(tenant=make_tenant(), slug="release", name="x")
    assert breaks("team_slug_unique_per_tenant", lambda: Team.objects.create(tenant=tenant, slug="release", name="y"))


@pytest.mark.parametrize(
    ("kind", "username"),
    [
        ("person", "a.b"),
        ("person", "A"),
        ("person", "_a"),
        ("person", ""),
        ("person", "a\n"),
        ("service", "ab"),
        ("service", "a.b.c"),
        ("service", ".b"),
        ("service", "a."),
        ("robot", "a"),
    ],
)
def test_a_username_tells_people_from_services(kind: str, username: str) -> None:
    user = User(username=username, kind=kind, display_name="x", date_joined=DATABASE_CLOCK.now())
    assert breaks("user_username_fits_kind", lambda: user.save(force_insert=True))


@pytest.fixture
def service(tenant: Tenant) -> ServiceAccount:
    return make_service(tenant, make_person(tenant))


def test_no_service_holds_the_scope_to_vote(service: ServiceAccount) -> None:
    scopes = ["release:read", "promotion:approve"]
    changed = ServiceAccount.objects.filter(pk=service.pk)
    assert breaks("service_never_votes", lambda: changed.update(scopes=scopes))


@pytest.mark.parametrize("name", NOT_A_SLUG)
def test_the_name_of_a_service_is_a_slug(service: ServiceAccount, name: str) -> None:
    changed = ServiceAccount.objects.filter(pk=service.pk)
    assert breaks("service_name_is_slug", lambda: changed.update(name=name))


def test_the_name_of_a_service_is_taken_once_in_each_tenant(tenant: Tenant, service: ServiceAccount) -> None:
    other = make_service(tenant, make_person(tenant))
    changed = ServiceAccount.objects.filter(pk=other.pk)
    assert breaks("service_name_unique_per_tenant", lambda: changed.update(name=service.name))


def token_that_lives(tenant: Tenant, life: timedelta) -> ApiToken:
    now = DATABASE_CLOCK.now()
    return ApiToken(
        tenant=tenant,
        user=make_person(tenant),
        name="x",
        public_id="x" * 16,
        secret_digest=b"x" * 32,
        scopes=["release:read"],
        created_at=now,
        expires_at=now + life,
    )


def test_a_token_expires_after_it_was_made(tenant: Tenant) -> None:
    token = token_that_lives(tenant, timedelta(0))
    assert breaks("token_expires_after_creation", lambda: token.save(force_insert=True))


def test_a_token_lives_at_most_366_days(tenant: Tenant) -> None:
    token = token_that_lives(tenant, timedelta(days=366, milliseconds=1))
    assert breaks("token_life_is_bounded", lambda: token.save(force_insert=True))
    token.expires_at = token.created_at + timedelta(days=366)
    token.save(force_insert=True)


@pytest.mark.parametrize(
    "change",
    [
        {"scopes": ["tenant:admin"]},
        {"secret_digest": b"y" * 32},
        {"expires_at": SYSTEM_CLOCK.now()},
        {"issuer": None},
        {"name": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_product_cannot_change_what_a_token_was_issued_with(tenant: Tenant, change: dict[str, Any]) -> None:
    make_token(tenant, make_person(tenant, roles=["viewer"]))
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        ApiToken.objects.update(**change)


def test_the_product_cannot_remove_a_token(tenant: Tenant) -> None:
    make_token(tenant, make_person(tenant, roles=["viewer"]))
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        ApiToken.objects.all()._raw_delete("default")
