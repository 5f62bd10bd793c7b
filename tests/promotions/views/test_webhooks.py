"""/settings/webhooks: addresses that get events, for administrators."""

import re
from html import unescape

import pytest

from promotions.actions.webhooks import add_webhook, send_test
from promotions.models import Webhook, WebhookDelivery
from tests.promotions.kestrel import Kestrel, client_of
from tests.promotions.views.pages import text

URL = "https://hooks.example.org/stella"


def make_webhook(kestrel: Kestrel) -> Webhook:
    return add_webhook(by=kestrel["admin"], clock=kestrel.clock, url=URL, environments=["dev"]).webhook


def test_the_secret_of_a_new_webhook_is_shown_once(kestrel: Kestrel) -> None:
    client = client_of(kestrel, "admin")
    fields = {"url": URL, "events": ["promotion.approved"], "format": "cloudevents"}
    page = client.post("/settings/webhooks", fields).content.decode()
    assert len(set(re.findall(r"whsec_[A-Za-z0-9+/=]+", page))) == 1
    assert "whsec_" not in text(client, "/settings/webhooks")
    assert "whsec_" not in text(client, f"/settings/webhooks/{Webhook.objects.get().pk}")
    assert Webhook.objects.get().events == ["promotion.approved"]


def test_a_wrong_address_is_said_beside_it(kestrel: Kestrel) -> None:
    answer = client_of(kestrel, "admin").post(
        "/settings/webhooks", {"url": "https://10.0.0.1/", "format": "cloudevents"}
    )
    page = answer.content.decode()
    assert (answer.status_code, 'id="id_url_error"' in page, "open internet" in page) == (400, True, True)
    assert not Webhook.objects.exists()


def test_a_webhook_is_changed_unless_another_person_was_first(kestrel: Kestrel) -> None:
    path = f"/settings/webhooks/{make_webhook(kestrel).pk}"
    client = client_of(kestrel, "admin")
    found = re.search(r'name="seen" value="([^"]+)"', text(client, path))
    assert found
    fields = {"url": URL, "environments": ["staging"], "format": "cdevents", "seen": unescape(found[1])}
    assert client.post(path, fields).status_code == 302
    row = Webhook.objects.get()
    assert (row.environments, row.format) == (["staging"], "cdevents")
    assert client.post(path, {**fields, "environments": []}).status_code == 412


def test_each_button_does_what_it_says(kestrel: Kestrel) -> None:
    path = f"/settings/webhooks/{make_webhook(kestrel).pk}"
    client = client_of(kestrel, "admin")
    client.post(f"{path}/test")
    delivery = WebhookDelivery.objects.get()
    WebhookDelivery.objects.update(
        status="failed", problem="The receiver answered 500.", response_excerpt="<b>no</b>", response_status=500
    )
    page = text(client, path)
    assert "The receiver answered 500." in page
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    client.post(f"{path}/deliveries/{delivery.pk}/resend")
    assert WebhookDelivery.objects.get().status == "waiting"
    assert client.post(f"{path}/secret").content.decode().count("whsec_")
    client.post(f"{path}/disable")
    assert Webhook.objects.get().disabled_at is not None
    assert client.post(f"{path}/test").status_code == 409
    client.post(f"{path}/enable")
    assert Webhook.objects.get().disabled_at is None
    client.post(f"{path}/end")
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("who", ["requester", "approver", "operator"])
def test_only_administrators_open_the_pages(kestrel: Kestrel, who: str) -> None:
    webhook = make_webhook(kestrel)
    delivery = send_test(by=kestrel["admin"], clock=kestrel.clock, webhook_id=webhook.pk)
    client = client_of(kestrel, who)
    path = f"/settings/webhooks/{webhook.pk}"
    assert [client.get(each).status_code for each in ("/settings/webhooks", path)] == [403, 403]
    acts = ("test", "enable", "disable", "secret", "end", f"deliveries/{delivery.pk}/resend")
    assert {client.post(f"{path}/{act}").status_code for act in acts} == {403}
    assert "/settings/webhooks" not in text(client, "/settings")
