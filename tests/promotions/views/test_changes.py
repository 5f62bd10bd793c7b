"""The change that a request names: given by form, on the page and in lists, brought along by a request again."""

import pytest
from django.test import Client
from django.utils.html import escape

from promotions.actions.cancel import cancel
from promotions.actions.request_promotion import PromotionRequest, request_promotion
from promotions.models import Promotion
from tests.factories import make_person, make_ready_tenant
from tests.promotions.kestrel import Kestrel, client_of
from tests.promotions.views.pages import text

CHANGE = {
    "ref": "INC-7",
    "url": "https://changes.example/INC-7",
    "type": "emergency",
    "backout": "Route back to blue.",
}


def asked_with_change(kestrel: Kestrel) -> Promotion:
    release = kestrel.release()
    kestrel.wait()
    promotion_request = PromotionRequest(release.pk, kestrel.dev.pk, "Payments are down", CHANGE)
    return request_promotion(promotion_request, by=kestrel["requester"], clock=kestrel.clock)


def test_the_whole_change_is_on_the_page(kestrel: Kestrel) -> None:
    promotion = asked_with_change(kestrel)
    shown = text(client_of(kestrel, "viewer"), f"/promotions/{promotion.pk}")
    assert "Emergency change" in shown
    assert 'href="/promotions?change_ref=INC-7"' in shown
    assert 'href="https://changes.example/INC-7" rel="noopener noreferrer"' in shown
    assert "Route back to blue." in shown


def test_an_emergency_is_seen_in_every_list(kestrel: Kestrel) -> None:
    asked_with_change(kestrel)
    for path in ("/", "/promotions", "/approvals?tab=open"):
        assert "Emergency change" in text(client_of(kestrel, "viewer"), path).replace("Emergency change</option>", "")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("change_ref=INC-7", True),
        ("change_ref=INC-8", False),
        ("change_type=emergency", True),
        ("change_type=emergency&status=approved&change_ref=INC-7", True),
        ("change_type=normal", False),
    ],
)
def test_the_list_is_filtered_by_change(kestrel: Kestrel, query: str, found: bool) -> None:
    promotion = asked_with_change(kestrel)
    shown = text(client_of(kestrel, "viewer"), f"/promotions?{query}")
    assert (f"/promotions/{promotion.pk}" in shown) is found


def test_a_request_by_form_carries_the_whole_change(kestrel: Kestrel) -> None:
    release = kestrel.release()
    path = f"/promotions/new?release={release.pk}&target={kestrel.dev.pk}"
    typed = {"reason": "Down", **{f"change_{name}": value for name, value in CHANGE.items()}}
    refused = client_of(kestrel, "requester").post(path, {**typed, "change_url": "javascript:alert(1)"})
    assert refused.status_code == 400
    assert 'id="id_change_url_error"' in refused.content.decode()
    assert client_of(kestrel, "requester").post(path, typed).status_code == 302
    assert Promotion.objects.get(release=release).change == CHANGE


def test_request_again_brings_the_reason_and_the_change_along(kestrel: Kestrel) -> None:
    promotion = asked_with_change(kestrel)
    cancel(promotion.pk, by=kestrel["requester"], reason="Not now", clock=kestrel.clock)
    client = client_of(kestrel, "requester")
    again = f"/promotions/new?release={promotion.release_id}&target={kestrel.dev.pk}&again={promotion.pk}"
    assert escape(again) in text(client, f"/promotions/{promotion.pk}")
    shown = text(client, again)
    assert "Payments are down</textarea>" in shown
    assert 'value="INC-7"' in shown
    assert 'value="emergency" selected' in shown
    assert 'value="https://changes.example/INC-7"' in shown
    assert "Route back to blue.</textarea>" in shown


def test_another_tenant_s_request_is_not_asked_again(kestrel: Kestrel) -> None:
    promotion = asked_with_change(kestrel)
    client = Client()
    client.force_login(make_person(make_ready_tenant("elsewhere"), "outsider", roles=["operator"]))
    text(client, f"/promotions/new?again={promotion.pk}", 404)
