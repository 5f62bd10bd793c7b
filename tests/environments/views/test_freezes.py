"""Setting, changing and lifting freezes in the browser."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from environments.forms import EditFreezeForm
from environments.models import Environment, FreezeWindow
from stellapromote.accounts.models import Product, Tenant
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity import product_choice
from stellapromote.identity.product_choice import live_products
from tests.factories import actor_of, make_environment, make_freeze, make_person, make_product, make_ready_tenant

NOWHERE = UUID("00000000-0000-7000-8000-000000000000")
EVER = ("2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z")


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_ready_tenant("kestrel-pay")


@pytest.fixture
def admin(tenant: Tenant) -> Any:
    return actor_of(make_person(tenant, "greta", roles=["admin"]), tenant)


@pytest.fixture
def prod(admin: Any) -> Environment:
    return make_environment(admin, "prod", 1)


def signed_in(tenant: Tenant, username: str, *roles: str) -> Client:
    client = Client()
    client.force_login(make_person(tenant, username, roles=roles))
    return client


@pytest.fixture
def greta(tenant: Tenant) -> Client:
    return signed_in(tenant, "greta", "admin")


@pytest.fixture
def tomas(tenant: Tenant) -> Client:
    return signed_in(tenant, "tomas", "operator")


@pytest.fixture
def stranger(db: None) -> Client:
    return signed_in(make_ready_tenant("merlin"), "otto", "admin")


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_stopping_the_line_from_now_on_for_some_hours(greta: Client) -> None:
    assert greta.get("/environments/stop-the-line").status_code == 200
    answer = greta.post("/environments/stop-the-line", {"reason": "Incident", "lasting": "4", "timezone": "UTC"})
    assert (answer.status_code, answer["Location"]) == (302, "/environments")
    window = FreezeWindow.objects.get()
    assert (window.environment, window.reason) == (None, "Incident")
    assert window.ends_at - window.starts_at == timedelta(hours=4)
    assert window.starts_at <= DATABASE_CLOCK.now()


def test_freezing_some_products_alone(greta: Client, prod: Environment, tenant: Tenant) -> None:
    page = f"/environments/{prod.pk}/freeze"
    assert "Only for these products" not in text(greta.get(page))
    for slug in ("cards", "ledger"):
        make_product(tenant, slug)
    assert "Only for these products" in text(greta.get(page))
    greta.post(page, {"reason": "Audit", "lasting": "4", "timezone": "UTC", "products": ["ledger"]})
    window = FreezeWindow.objects.get()
    assert window.products == ["ledger"]
    shown = text(greta.get(f"/environments/{prod.pk}"))
    assert "Frozen for ledger" in shown
    assert "only for ledger" in shown
    edit = greta.get(f"/freezes/{window.pk}/edit")
    fields = {name: edit.context["form"][name].value() for name in edit.context["form"].fields}
    greta.post(f"/freezes/{window.pk}/edit", {**fields, "products": ["cards", "ledger"]})
    assert FreezeWindow.objects.get().products == ["cards", "ledger"]


def test_many_products_are_named_and_not_offered_one_by_one(
    greta: Client, prod: Environment, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page with a box for each of thousands takes seconds."""
    monkeypatch.setattr(product_choice, "MOST_OFFERED", 2)
    for number in range(4):
        make_product(tenant, f"ledger-{number}")
    page = f"/environments/{prod.pk}/freeze"
    assert "ledger-1" not in text(greta.get(page))
    fields = {"reason": "Audit", "lasting": "4", "timezone": "UTC"}
    refused = greta.post(page, {**fields, "products": "ledger-1, ledgre"})
    assert refused.status_code == 400
    assert "ledgre" in text(refused)
    assert refused.context["form"]["products"].value() == "ledger-1, ledgre"
    greta.post(page, {**fields, "products": "ledger-1, ledger-3,"})
    window = FreezeWindow.objects.get()
    assert window.products == ["ledger-1", "ledger-3"]
    edit = greta.get(f"/freezes/{window.pk}/edit")
    fields = {name: edit.context["form"][name].value() for name in edit.context["form"].fields}
    assert fields["products"] == "ledger-1, ledger-3"
    assert EditFreezeForm(fields, window=window, products=live_products(tenant.pk)).changed_data == []
    greta.post(f"/freezes/{window.pk}/edit", {**fields, "products": "ledger-1, ledger-2, ledger-3"})
    assert FreezeWindow.objects.get().products == ["ledger-1", "ledger-2", "ledger-3"]


def test_an_archived_product_that_a_freeze_names_is_kept_by_an_edit(
    greta: Client, admin: Any, prod: Environment, tenant: Tenant
) -> None:
    for slug in ("cards", "ledger"):
        make_product(tenant, slug)
    window = make_freeze(admin, prod, *EVER, products=["ledger"])
    Product.objects.filter(slug="ledger").update(archived_at=DATABASE_CLOCK.now())
    edit = greta.get(f"/freezes/{window.pk}/edit")
    fields = {name: edit.context["form"][name].value() for name in edit.context["form"].fields}
    greta.post(f"/freezes/{window.pk}/edit", {**fields, "reason": "Stock-taking"})
    window.refresh_from_db()
    assert (window.products, window.reason) == (["ledger"], "Stock-taking")


def test_freezing_one_environment_by_the_clock_on_its_wall(greta: Client, prod: Environment) -> None:
    data = {"reason": "Christmas", "start": "2090-12-24T00:00", "end": "2090-12-27T00:00", "timezone": "Europe/Berlin"}
    answer = greta.post(f"/environments/{prod.pk}/freeze", data)
    assert (answer.status_code, answer["Location"]) == (302, f"/environments/{prod.pk}")
    assert FreezeWindow.objects.get().starts_at.isoformat() == "2090-12-23T23:00:00+00:00"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"lasting": ""}, "end"),
        ({"lasting": "5"}, "lasting"),
        ({"timezone": "Nowhere"}, "timezone"),
        ({"start": "tomorrow"}, "start"),
        ({"start": "2090-13-01T00:00"}, "start"),
        ({"lasting": "", "end": "2020-01-01T00:00"}, "end"),
        ({"exceptions": "nobody"}, "exceptions"),
        ({"reason": "a\x00b"}, "reason"),
    ],
)
def test_the_form_says_what_is_wrong_beside_the_field(greta: Client, data: dict[str, str], field: str) -> None:
    answer = greta.post(
        "/environments/stop-the-line", {"reason": "Incident", "lasting": "4", "timezone": "UTC", **data}
    )
    assert answer.status_code == 400
    assert f'id="id_{field}_error"' in text(answer)
    assert not FreezeWindow.objects.exists()


@pytest.mark.parametrize("path", ["/environments/stop-the-line", "/freezes/{window}/edit", "/freezes/{window}/lift"])
def test_a_form_without_a_word_is_wrong(greta: Client, admin: Any, path: str) -> None:
    window = make_freeze(admin, None, *EVER)
    assert greta.post(path.format(window=window.pk), {}).status_code == 400


def test_changing_a_freeze(greta: Client, admin: Any, prod: Environment) -> None:
    window = make_freeze(admin, prod, *EVER, name="Quarter end")
    form = greta.get(f"/freezes/{window.pk}/edit").context["form"]
    data = {name: form[name].value() for name in form.fields}
    answer = greta.post(f"/freezes/{window.pk}/edit", {**data, "reason": "Audit"})
    assert (answer.status_code, answer["Location"]) == (302, f"/environments/{prod.pk}")
    changed = FreezeWindow.objects.get()
    assert (changed.reason, changed.starts_at, changed.version) == ("Audit", window.starts_at, 2)


def test_a_change_of_what_changed_meanwhile_is_not_stored(greta: Client, admin: Any) -> None:
    window = make_freeze(admin, None, *EVER)
    form = greta.get(f"/freezes/{window.pk}/edit").context["form"]
    data = {name: form[name].value() for name in form.fields}
    greta.post(f"/freezes/{window.pk}/edit", {**data, "reason": "First"})
    answer = greta.post(f"/freezes/{window.pk}/edit", {**data, "reason": "Second"})
    assert answer.status_code == 412
    assert "It changed since you opened it" in text(answer).partition('class="error-summary"')[2].partition("</div>")[0]
    assert 'value="Second"' in text(answer)
    assert FreezeWindow.objects.get().reason == "First"


def test_lifting_needs_a_reason(greta: Client, admin: Any) -> None:
    window = make_freeze(admin, None, *EVER)
    assert greta.get(f"/freezes/{window.pk}/lift").status_code == 200
    refused = greta.post(f"/freezes/{window.pk}/lift", {"version": 1})
    assert (refused.status_code, 'id="id_reason_error"' in text(refused)) == (400, True)
    stale = greta.post(f"/freezes/{window.pk}/lift", {"version": 2, "reason": "The incident is over"})
    assert stale.status_code == 412
    assert "It changed since you opened it" in text(stale)
    assert 'value="The incident is over"' in text(stale)
    answer = greta.post(f"/freezes/{window.pk}/lift", {"version": 1, "reason": "The incident is over"})
    assert (answer.status_code, answer["Location"]) == (302, "/environments")
    assert FreezeWindow.objects.get().clear_reason == "The incident is over"


def test_a_freeze_is_lifted_once(greta: Client, admin: Any) -> None:
    window = make_freeze(admin, None, *EVER)
    greta.post(f"/freezes/{window.pk}/lift", {"version": 1, "reason": "First"})
    assert greta.post(f"/freezes/{window.pk}/lift", {"version": 1, "reason": "Second"}).status_code == 409
    assert greta.get(f"/freezes/{window.pk}/edit").status_code == 409
    assert FreezeWindow.objects.get().clear_reason == "First"


@pytest.mark.parametrize(
    "path", ["/environments/stop-the-line", "/environments/{prod}/freeze", "/freezes/{window}/lift"]
)
def test_writing_needs_the_right_to_write(tomas: Client, admin: Any, prod: Environment, path: str) -> None:
    window = make_freeze(admin, prod, *EVER)
    for method in (tomas.get, tomas.post):
        assert method(path.format(prod=prod.pk, window=window.pk)).status_code == 403


@pytest.mark.parametrize("path", ["/environments/{prod}/freeze", "/freezes/{window}/lift", "/freezes/{window}/edit"])
def test_another_tenants_environment_and_freezes_do_not_exist(
    stranger: Client, admin: Any, prod: Environment, path: str
) -> None:
    window = make_freeze(admin, prod, *EVER)
    for ids in ({"prod": prod.pk, "window": window.pk}, {"prod": NOWHERE, "window": NOWHERE}):
        for method in (stranger.get, stranger.post):
            assert method(path.format(**ids)).status_code == 404


def test_it_is_said_what_an_exception_gives(greta: Client, admin: Any, prod: Environment, tenant: Tenant) -> None:
    make_person(tenant, "nia", roles=["approver"])
    window = make_freeze(admin, prod, *EVER, exceptions=["nia"])
    for page in (f"/environments/{prod.pk}/freeze", f"/freezes/{window.pk}/edit"):
        said = text(greta.get(page))
        assert "May override this freeze" in said
        assert "for one promotion at a time" in said
        assert "without effect" not in said
    assert "may override it: nia" in text(greta.get(f"/environments/{prod.pk}"))
