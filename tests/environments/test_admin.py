"""Environments and freezes in the Django admin: an administrator of the tenant looks at them and changes nothing."""

import pytest
from django.test import Client

from environments.models import Environment, FreezeWindow
from stellapromote.accounts.models import User
from tests.environments.world import make_environment, make_freeze, make_person, make_tenant

pytestmark = pytest.mark.django_db

CHRISTMAS = ("2026-12-24T00:00:00Z", "2026-12-27T00:00:00Z")


@pytest.fixture
def admin(greta) -> Client:
    client = Client()
    client.force_login(User.objects.get(pk=greta.user_id))
    return client


@pytest.fixture
def prod(greta) -> Environment:
    return make_environment(greta, "prod", 1)


@pytest.fixture
def window(greta, prod) -> FreezeWindow:
    return make_freeze(greta, prod, *CHRISTMAS, name="Christmas")


@pytest.mark.parametrize("path", ["environment", "freezewindow"])
def test_lists_show_the_tenants_own_rows_only(admin, window, path):
    olga = make_person(make_tenant("other"), "olga", "admin")
    foreign = make_environment(olga, "foreign", 1)
    make_freeze(olga, foreign, *CHRISTMAS, name="Foreign freeze")
    page = admin.get(f"/admin/environments/{path}/").content.decode().lower()
    assert "prod" in page
    assert "foreign" not in page


def test_each_row_can_be_looked_at_and_leads_to_its_page(admin, prod, window):
    for model, row in (("environment", prod), ("freezewindow", window)):
        page = admin.get(f"/admin/environments/{model}/{row.pk}/change/")
        assert page.status_code == 200
        assert f"/environments/{prod.pk}" in page.content.decode()


def test_a_freeze_of_the_tenant_leads_to_the_list(admin, greta):
    window = make_freeze(greta, None, *CHRISTMAS)
    assert 'href="/environments"' in admin.get(f"/admin/environments/freezewindow/{window.pk}/change/").content.decode()


@pytest.mark.parametrize("model", ["environment", "freezewindow"])
@pytest.mark.parametrize("what", ["add", "{}/change", "{}/delete"])
def test_nothing_is_added_changed_or_deleted_here(admin, prod, window, model, what):
    row = {"environment": prod, "freezewindow": window}[model]
    answer = admin.post(f"/admin/environments/{model}/{what.format(row.pk)}/", {"name": "mine", "post": "yes"})
    assert answer.status_code == 403
    row.refresh_from_db()
    assert row.version == 1
