"""The form to reject on the promotion page: offered to everybody who may, by the rule that the action asks."""

import re

import pytest
from django.test import Client

from promotions.models import Promotion
from tests.promotions.kestrel import Kestrel, client_of

pytestmark = pytest.mark.django_db


def shown(client: Client, promotion: Promotion) -> str:
    answer = client.get(f"/promotions/{promotion.pk}")
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def offers(page: str, promotion: Promotion) -> bool:
    return f'action="/promotions/{promotion.pk}/reject"' in page and 'popovertarget="reject-dialog"' in page


def failed(kestrel: Kestrel) -> Promotion:
    promotion = kestrel.approved_for_production()
    kestrel.reports(promotion, "started")
    return kestrel.reports(promotion, "failed", message="It crashed")


def test_it_is_offered_when_no_place_is_left_for_the_reader(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("second", promotion)
    assert offers(shown(client_of(kestrel, "builder"), promotion), promotion)
    assert not offers(shown(client_of(kestrel, "requester"), promotion), promotion)
    assert not offers(shown(client_of(kestrel, "viewer"), promotion), promotion)


def test_it_is_offered_on_what_is_approved_and_ends_it(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    client = client_of(kestrel, "third")
    page = shown(client, promotion)
    assert offers(page, promotion)
    assert "Approve</button>" not in page
    assert not offers(shown(client_of(kestrel, "requester"), promotion), promotion)
    form = {"subject_digest": promotion.subject_digest, "reason": "It is listed in KEV"}
    answer = client.post(f"/promotions/{promotion.pk}/reject", form, follow=True)
    assert "You rejected this promotion: it can no longer start." in answer.content.decode()
    assert Promotion.objects.get(pk=promotion.pk).status == "rejected"


def test_what_was_typed_without_a_reason_is_asked_again_on_what_is_approved(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    form = {"subject_digest": promotion.subject_digest, "reason": ""}
    answer = client_of(kestrel, "third").post(f"/promotions/{promotion.pk}/reject", form)
    assert answer.status_code == 400
    page = answer.content.decode()
    assert '<section aria-labelledby="reject-dialog-title"' in page
    assert 'popovertarget="reject-dialog"' not in page


def test_on_what_failed_it_ends_further_attempts_and_the_page_says_so(kestrel: Kestrel) -> None:
    promotion = failed(kestrel)
    client = client_of(kestrel, "third")
    assert "A reject ends further attempts of this promotion." in shown(client, promotion)
    form = {"subject_digest": promotion.subject_digest, "reason": "The cause is not known"}
    assert client.post(f"/promotions/{promotion.pk}/reject", form).status_code == 302
    page = shown(client_of(kestrel, "requester"), promotion)
    assert "It was rejected after it failed, so it takes no further attempt: Request again." in page
    assert "It crashed" in page
    assert not offers(shown(client, promotion), promotion)


def test_what_runs_offers_none(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.reports(promotion, "started")
    assert "reject-dialog" not in shown(client_of(kestrel, "third"), promotion)
