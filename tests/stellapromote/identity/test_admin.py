"""Accounts in Django admin: to look at, inside the tenant, by its administrators."""

from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client

from stellapromote.accounts import models
from stellapromote.accounts.models import ApiToken, Team, Tenant, User
from stellapromote.audit.models import AuditEvent
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.web.admin_site import ReadOnlyAdmin
from tests.factories import make_person, make_service, make_tenant, make_token
from tests.kept import kept
from tests.signed_in import signed_in

pytestmark = pytest.mark.django_db

MANAGEMENT = {"grants-TOTAL_FORMS": "0", "grants-INITIAL_FORMS": "0"}
PAGES = ["user", "membership", "rolegrant", "team", "teamgrant", "serviceaccount", "serviceowner", "apitoken"]


@kept
def make_house() -> tuple[Tenant, User]:
    tenant = make_tenant("kestrel-pay")
    people_of(tenant, "nia")
    return tenant, make_person(tenant, "greta", roles=["admin"])


@kept
def make_strangers() -> None:
    people_of(make_tenant("osprey"), "stranger")


@pytest.fixture
def house() -> tuple[Tenant, User]:
    return make_house()


@pytest.fixture
def tenant(house: tuple[Tenant, User]) -> Tenant:
    return house[0]


def people_of(tenant: Tenant, username: str) -> User:
    """A row in every table of accounts, all of which name this person."""
    person = make_person(tenant, username, roles=["approver"], teams=[f"team-of-{username}"])
    service = make_service(tenant, person, f"service-of-{username}")
    make_token(tenant, person)
    make_token(tenant, service.user)
    return person


@pytest.fixture
def greta(house: tuple[Tenant, User]) -> Client:
    return signed_in(house[1])


def own_rows(greta: Client) -> dict[str, tuple[type[Model], list[Model]]]:
    """By page: what is listed there, and the rows that greta may see."""
    request = greta.get("/admin/").wsgi_request
    registered = {str(model._meta.model_name): (model, each) for model, each in admin.site._registry.items()}
    return {page: (registered[page][0], list(registered[page][1].get_queryset(request))) for page in PAGES}


def test_the_list_shows_the_rows_of_the_tenant_and_of_no_other(greta: Client) -> None:
    make_strangers()
    for page in PAGES:
        shown = greta.get(f"/admin/accounts/{page}/")
        assert (page, shown.status_code) == (page, 200)
        assert (page, "nia" in shown.text, "stranger" in shown.text) == (page, True, False)


def test_every_row_opens_and_has_nothing_to_change(greta: Client) -> None:
    pages = own_rows(greta)
    del pages["team"]  # its name is changed there
    for page, (_, rows) in pages.items():
        for row in rows:
            shown = greta.get(f"/admin/accounts/{page}/{row.pk}/change/")
            assert (page, shown.status_code, 'name="_save"' in shown.text) == (page, 200, False)


def test_a_row_of_another_tenant_does_not_open(greta: Client) -> None:
    make_strangers()
    for page, (model, own) in own_rows(greta).items():
        others = [row for row in model._default_manager.all() if row not in own]
        assert (page, others) != (page, [])
        for row in others:
            assert (page, greta.get(f"/admin/accounts/{page}/{row.pk}/change/").status_code) == (page, 302)


def test_who_left_is_not_listed_among_the_people(greta: Client, tenant: Tenant) -> None:
    tenant.memberships.filter(user__username="nia").update(ended_at=tenant.created_at.replace(year=2999))
    assert ">nia<" not in greta.get("/admin/accounts/user/").text


def test_the_secret_of_a_token_is_nowhere(greta: Client) -> None:
    for token in ApiToken.objects.filter(tenant__slug="kestrel-pay"):
        shown = greta.get(f"/admin/accounts/apitoken/{token.pk}/change/").text
        assert "secret" not in shown
        assert bytes(token.secret_digest).hex() not in shown


def test_password_and_email_of_a_person_are_nowhere(greta: Client) -> None:
    User.objects.filter(username="nia").update(email="nia@example.org")
    shown = greta.get(f"/admin/accounts/user/{User.objects.get(username='nia').pk}/change/").text
    assert "nia@example.org" not in shown
    assert "password" not in shown.lower().replace("accounts/password", "").replace("change password", "")


@pytest.mark.parametrize("role", ["viewer", "operator", "approver", "auditor"])
def test_no_other_role_opens_it(tenant: Tenant, role: str) -> None:
    client = signed_in(make_person(tenant, roles=[role]))
    assert all(client.get(f"/admin/accounts/{page}/").status_code != 200 for page in PAGES)


def test_every_model_of_accounts_is_there_but_the_tenant_and_rows_are_looked_at() -> None:
    registered = {model for model in admin.site._registry if model._meta.app_label == "accounts"}
    tables = {each for name in models.__all__ if hasattr(each := getattr(models, name), "objects")}
    assert registered == tables - {models.Tenant}
    changed = {each for each in registered if not isinstance(admin.site._registry[each], ReadOnlyAdmin)}
    assert changed == {models.Product, models.Team, models.TeamGrant}


def given(page: str, client: Client, **fields: str) -> Any:
    return client.post(f"/admin/accounts/{page}/", fields | MANAGEMENT)


def errors(page: Any) -> dict[str, list[str]]:
    """What stands beside each field; `__all__` is above them."""
    assert page.status_code == 200, page.headers.get("Location")
    return dict(page.context["adminform"].form.errors)


def test_a_team_is_made_and_renamed_by_its_actions(greta: Client, tenant: Tenant) -> None:
    assert given("team/add", greta, slug="payments", name="").status_code == 302
    team = Team.objects.get(tenant=tenant, slug="payments")
    change = f"team/{team.pk}/change"
    seen = greta.get(f"/admin/accounts/{change}/").context["adminform"].form.initial["seen"]
    assert given(change, greta, slug="other", name="Payments", seen=seen).status_code == 302
    team.refresh_from_db()
    assert (team.slug, team.name) == ("payments", "Payments")
    told = AuditEvent.objects.filter(resource="team", resource_id=team.pk).values_list("action", flat=True)
    assert sorted(told) == ["team.created", "team.updated"]
    [refused] = errors(given(change, greta, name="Late", seen=seen))["__all__"]
    assert "changed" in refused


def test_a_team_shows_the_people_who_are_in_it_now(greta: Client, tenant: Tenant) -> None:
    make_person(tenant, "left", teams=["team-of-nia"])
    team = Team.objects.get(tenant=tenant)
    team.grants.filter(user__username="left").update(ended_at=DATABASE_CLOCK.now())
    shown = greta.get(f"/admin/accounts/team/{team.pk}/change/").text
    members = shown.partition('id="grants-group"')[2]
    assert "(nia)" in members
    assert "left" not in members


def test_what_is_refused_of_a_team_is_not_stored(greta: Client, tenant: Tenant) -> None:
    assert "lower-case" in errors(given("team/add", greta, slug="Pay", name=""))["slug"][0]
    assert errors(given("team/add", greta, slug="team-of-nia", name="")) == {
        "slug": ["There is a team team-of-nia already."]
    }
    team = Team.objects.get(tenant=tenant)
    for name in ("", "\u202e"):
        change = f"team/{team.pk}/change"
        seen = greta.get(f"/admin/accounts/{change}/").context["adminform"].form.initial["seen"]
        assert list(errors(given(change, greta, name=name, seen=seen))) == ["name"]
    assert not AuditEvent.objects.filter(action="team.updated").exists()
