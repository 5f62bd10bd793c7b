"""Accounts in Django admin: to look at, inside the tenant, by its administrators."""

import pytest
from django.contrib import admin
from django.test import Client

from stellapromote.accounts import models
from stellapromote.accounts.models import ApiToken, Tenant, User
from stellapromote.web.admin_site import ReadOnlyAdmin
from tests.factories import make_person, make_service, make_tenant, make_token
from tests.signed_in import signed_in

pytestmark = pytest.mark.django_db

PAGES = ["user", "membership", "rolegrant", "team", "teamgrant", "serviceaccount", "serviceowner", "apitoken"]


@pytest.fixture
def tenant() -> Tenant:
    tenant = make_tenant("kestrel-pay")
    people_of(tenant, "nia")
    return tenant


def people_of(tenant: Tenant, username: str) -> User:
    """A row in every table of accounts, all of which name this person."""
    person = make_person(tenant, username, roles=["approver"], teams=[f"team-of-{username}"])
    service = make_service(tenant, person, f"service-of-{username}")
    make_token(tenant, person)
    make_token(tenant, service.user)
    return person


@pytest.fixture
def greta(tenant: Tenant) -> Client:
    return signed_in(make_person(tenant, "greta", roles=["admin"]))


@pytest.mark.parametrize("page", PAGES)
def test_the_list_shows_the_rows_of_the_tenant_and_of_no_other(greta: Client, page: str) -> None:
    people_of(make_tenant("osprey"), "stranger")
    shown = greta.get(f"/admin/accounts/{page}/")
    assert shown.status_code == 200
    assert "nia" in shown.text
    assert "stranger" not in shown.text


@pytest.mark.parametrize("page", PAGES)
def test_every_row_opens_and_has_nothing_to_change(greta: Client, page: str) -> None:
    model = {model._meta.model_name: model for model in admin.site._registry}[page]
    rows = admin.site._registry[model].get_queryset(greta.get("/admin/").wsgi_request)
    for row in rows:
        shown = greta.get(f"/admin/accounts/{page}/{row.pk}/change/")
        assert shown.status_code == 200
        assert 'name="_save"' not in shown.text


@pytest.mark.parametrize("page", PAGES)
def test_a_row_of_another_tenant_does_not_open(greta: Client, page: str) -> None:
    people_of(make_tenant("osprey"), "stranger")
    model = {model._meta.model_name: model for model in admin.site._registry}[page]
    own = set(admin.site._registry[model].get_queryset(greta.get("/admin/").wsgi_request))
    others = [row for row in model._default_manager.all() if row not in own]
    assert others
    for row in others:
        assert greta.get(f"/admin/accounts/{page}/{row.pk}/change/").status_code == 302


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


def test_every_model_of_accounts_is_there_to_look_at_but_the_tenant() -> None:
    registered = {model for model in admin.site._registry if model._meta.app_label == "accounts"}
    tables = {each for name in models.__all__ if hasattr(each := getattr(models, name), "objects")}
    assert registered == tables - {models.Tenant}
    assert all(isinstance(admin.site._registry[model], ReadOnlyAdmin) for model in registered)
