import pytest
from django.test import Client

from stellapromote.accounts.models import User
from tests.factories import make_person, make_tenant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.stellapromote.web.urls")]


@pytest.fixture
def with_osprey(as_nia: Client, nia: User) -> Client:
    make_person(make_tenant("osprey", name="Osprey Insurance"), "nia")
    return as_nia


def test_the_choice_shows_the_tenants_by_name(with_osprey: Client) -> None:
    text = with_osprey.get("/tenant").text
    assert text.index("Kestrel Pay") < text.index("Osprey Insurance")


def test_only_a_person_of_several_tenants_is_told_of_the_switch(as_nia: Client, nia: User) -> None:
    told, switch = "at the top of each page", 'popovertarget="tenant-menu"'
    assert (told in as_nia.get("/tenant").text, switch in as_nia.get("/styleguide").text) == (False, False)
    make_person(make_tenant("osprey", name="Osprey Insurance"), "nia")
    as_nia.post("/tenant", {"tenant": "osprey"})
    assert (told in as_nia.get("/tenant").text, switch in as_nia.get("/styleguide").text) == (True, True)


def test_a_chosen_tenant_stays_chosen(with_osprey: Client) -> None:
    with_osprey.post("/tenant", {"tenant": "osprey"})
    assert with_osprey.get("/whoami").json()["tenant"] == "osprey"


def test_the_choice_leads_on_to_where_one_wanted(with_osprey: Client) -> None:
    response = with_osprey.post("/tenant", {"tenant": "osprey", "next": "/promotions?page=2"})
    assert response["Location"] == "/promotions?page=2"


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_the_choice_leads_nowhere_else(with_osprey: Client, url: str) -> None:
    assert with_osprey.post("/tenant", {"tenant": "osprey", "next": url})["Location"] == "/"


@pytest.mark.parametrize("slug", ["strangers", "no-such-tenant", "", "a\x00b"])
def test_a_tenant_of_others_does_not_exist(with_osprey: Client, slug: str) -> None:
    make_tenant("strangers")
    assert with_osprey.post("/tenant", {"tenant": slug}).status_code == 404


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_chosen_theme_comes_with_the_next_page(client: Client, theme: str) -> None:
    client.post("/theme", {"theme": theme})
    assert f'data-bs-theme="{theme}"' in client.get("/styleguide").text


def test_automatic_follows_the_system_again(client: Client) -> None:
    client.post("/theme", {"theme": "dark"})
    client.post("/theme", {"theme": "auto"})
    assert "data-bs-theme" not in client.get("/styleguide").text


def test_a_made_up_theme_never_reaches_the_page(client: Client) -> None:
    client.cookies["theme"] = '"><script>'
    assert "data-bs-theme" not in client.get("/styleguide").text


def test_addresses_take_only_their_methods(client: Client) -> None:
    assert client.get("/theme")["Location"] == "/"
    assert client.put("/theme").status_code == 405
    assert client.get("/accounts/nothing").status_code == 404
