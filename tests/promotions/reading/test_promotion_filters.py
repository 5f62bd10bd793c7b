"""A filter of the list of promotions means the same on the page and in the API."""

import re
from urllib.parse import urlencode

import pytest
from django.test import Client

from promotions.reading.promotion_filters import FILTERS, ON_PAGE
from tests.promotions.api.world import World, make_world

pytestmark = pytest.mark.django_db

BY_NAME = {each.page.name: each.parameter.wire for each in FILTERS if each.page is not None}


@pytest.fixture
def world() -> World:
    return make_world()


def on_page(world: World, **query: str) -> list[int]:
    client = Client()
    client.force_login(world.vera.user)
    shown = client.get(f"/promotions?{urlencode(query)}").content.decode()
    return [int(number) for number in re.findall(r'id="row-(\d+)"', shown)]


def in_api(world: World, **query: str) -> list[int]:
    return [row["number"] for row in world.vera.get(f"promotions?{urlencode(query)}")["data"]]


def test_a_filter_leaves_the_same_promotions_on_the_page_and_in_the_api(world: World) -> None:
    change = {"ref": "INC-7", "url": None, "type": "emergency", "backout": None}
    urgent = world.requested(world.release(product="ledger"), "dev", change=change)
    waiting = world.waiting()
    values = {
        "product": ("ledger", "ledger", 1),
        "release": (waiting.release.name, waiting.release.name, 3),
        "environment": ("dev", str(world.environments["dev"].pk), 2),
        "status": ("awaiting_approval", "awaiting_approval", 1),
        "change_ref": ("INC-7", "INC-7", 1),
        "change_type": ("emergency", "emergency", 1),
    }
    assert values.keys() == {each.name for each in ON_PAGE}
    for name, (typed, sent, number) in values.items():
        found = on_page(world, **{name: typed})
        assert found == in_api(world, **{BY_NAME[name]: sent})
        assert len(found) == number, name
    assert on_page(world) == in_api(world) == list(range(waiting.number, urgent.number - 1, -1))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("environment", "nowhere"),
        ("release", "2026\u202e1"),
        ("release", "x" * 129),
        ("product", "led\u202eger"),
        ("product", "x" * 64),
        ("status", "open"),
        ("change_ref", "INC\u202e7"),
        ("change_ref", "x" * 65),
        ("change_type", "urgent"),
    ],
)
def test_what_the_api_refuses_is_refused_at_the_field_of_the_page(world: World, name: str, value: str) -> None:
    client = Client()
    client.force_login(world.vera.user)
    page = client.get("/promotions", {name: value})
    assert page.status_code == 400
    assert list(page.context["form"].errors) == [name]
    refusal = world.vera.call("GET", f"promotions?{urlencode({BY_NAME[name]: value})}")
    assert refusal.status_code == 400
    [wrong] = refusal.json()["error"]["validationErrors"]
    assert wrong["field"] == BY_NAME[name]
    if "\u202e" in value:
        assert page.context["form"].errors[name] == [wrong["message"]]
