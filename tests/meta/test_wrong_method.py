"""The address that a form posted to stays in the address bar: reloading or sharing it leads to its page."""

from uuid import UUID

import pytest
from django.test import Client

from stellapromote.accounts.models import User
from tests.meta.test_pages_guarded import PUBLIC, ROUTES, path_for
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.slow


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_kestrel()


@pytest.fixture
def ann(kestrel: Kestrel) -> Client:
    client = Client()
    client.force_login(User.objects.get(pk=kestrel["admin"].account))
    return client


def test_opening_any_address_shows_a_page(kestrel: Kestrel, ann: Client) -> None:
    promotion = kestrel.waits_for_production()
    ids: dict[str, UUID | str] = {
        "promotion_id": promotion.pk,
        "release_id": promotion.release_id,
        "environment_id": promotion.target_environment_id,
        "user_id": kestrel["requester"].account,
        "name": "default",
    }
    led = 0
    for route, name in ROUTES:
        if name in PUBLIC:
            continue
        path = path_for(route, ids)
        answer = ann.get(path, follow=True)
        assert answer.status_code in (200, 400, 403, 404), (name, answer.status_code)
        assert b"".join(iter(answer)), name
        led += any(path.startswith(f"{place.rstrip('/')}/") for place, _ in answer.redirect_chain)
    assert led >= 25


@pytest.mark.parametrize(
    "act", ["replay", "verify", "approve", "withdraw", "cancel", "gates/approval/override", "evidence"]
)
def test_the_address_of_an_act_leads_to_its_promotion(kestrel: Kestrel, ann: Client, act: str) -> None:
    page = f"/promotions/{kestrel.waits_for_production().pk}"
    answer = ann.get(f"{page}/{act}?from=mail")
    assert (answer.status_code, answer["Location"]) == (302, page)


def test_another_method_is_refused_in_words(kestrel: Kestrel, ann: Client) -> None:
    answer = ann.put(f"/promotions/{kestrel.waits_for_production().pk}/approve")
    assert answer.status_code == 405
    assert answer["Allow"] == "POST"
    assert "Go back and use the buttons of the page." in answer.content.decode()
