"""Overrides on the promotion page and the board: who sees the form, what everybody sees afterwards (domain.md §6)."""

import pytest

from environments.actions.update_environment import update_environment
from promotions.models import Override, OverrideReview, Promotion
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.identity.actions.grant_scope import grant_scope
from tests.factories import make_promotion_policy
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel

pytestmark = pytest.mark.django_db

SHUT = {
    "name": "hours",
    "kind": "schedule",
    "config": {"windows": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}], "outside": "fail"},
    "override": {"by": ["third"], "maxHours": 8},
}


@pytest.fixture
def kestrel() -> Kestrel:
    kestrel = make_kestrel(now=True)
    admin, clock = kestrel["admin"], kestrel.clock
    make_promotion_policy(admin, "strict", clock=clock, gates=[SHUT])
    update_environment(
        by=admin, clock=clock, environment_id=kestrel.production.pk, changes={"promotionPolicy": "strict"}
    )
    third = kestrel["third"].account
    grant_scope(by=admin, clock=clock, user_id=third, scope=PROMOTION_OVERRIDE, reason="On call")
    return kestrel


def shown_to(kestrel: Kestrel, who: str, path: str) -> str:
    return client_of(kestrel, who).get(path).content.decode()


def override(kestrel: Kestrel, who: str, promotion: Promotion, **changes: str) -> int:
    promotion.refresh_from_db()
    sent = {
        "subject_digest": promotion.subject_digest,
        "decision": str(promotion.decision_id),
        "reason": "Payments are down",
        "ticket": "INC-7",
        "hours": "4",
        **changes,
    }
    path = f"/promotions/{promotion.pk}/gates/hours/override"
    return client_of(kestrel, who).post(path, sent, follow=True).status_code


def test_who_may_override_sees_the_form(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    assert "Override the gate" in shown_to(kestrel, "third", f"/promotions/{promotion.pk}")


def test_others_read_who_may_and_until_when(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    page = shown_to(kestrel, "approver", f"/promotions/{promotion.pk}")
    assert "Override the gate" not in page
    assert "may be overridden by" in page


def test_the_form_overrides_and_everybody_is_told(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    assert override(kestrel, "third", promotion) == 200
    assert Override.objects.get().reason == "Payments are down"
    page = shown_to(kestrel, "viewer", f"/promotions/{promotion.pk}")
    assert "Overridden by Third" in page
    assert "INC-7" in page


def test_the_board_of_a_product_shows_its_overrides(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    override(kestrel, "third", promotion)
    told = "A gate was overridden"
    shown = [told in shown_to(kestrel, "viewer", path) for path in ("/", "/?product=main", "/?product=ledger")]
    assert shown == [True, True, False]


def test_a_refusal_is_told_on_the_page(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    assert override(kestrel, "requester", promotion) == 403
    assert override(kestrel, "third", promotion, hours="20") == 400
    assert override(kestrel, "third", promotion, ticket="") == 400
    assert not Override.objects.exists()


def test_the_board_lists_it_until_another_person_has_reviewed_it(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    override(kestrel, "third", promotion)
    assert "Another person must review it" in shown_to(kestrel, "viewer", "/")
    path = f"/promotions/{promotion.pk}/overrides/{Override.objects.get().pk}/review"
    assert client_of(kestrel, "third").post(path, {"verdict": "justified"}).status_code == 403
    answer = client_of(kestrel, "second").post(path, {"verdict": "objected", "comment": "Could wait"}, follow=True)
    assert "Objected to by" in answer.content.decode()
    assert OverrideReview.objects.get().username == "second"
    assert "Another person must review it" not in shown_to(kestrel, "viewer", "/")


def test_the_author_sees_no_review_form(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    override(kestrel, "third", promotion)
    assert "Store the review" not in shown_to(kestrel, "third", f"/promotions/{promotion.pk}")
    assert "Store the review" in shown_to(kestrel, "second", f"/promotions/{promotion.pk}")


def test_an_end_that_the_policy_does_not_allow_stands_beside_the_hours(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    typed = {
        "subject_digest": promotion.subject_digest,
        "decision": str(promotion.decision_id),
        "reason": "Payments are down",
        "ticket": "INC-7",
        "hours": "20",
    }
    answer = client_of(kestrel, "third").post(f"/promotions/{promotion.pk}/gates/hours/override", typed)
    shown = answer.content.decode()
    assert answer.status_code == 400
    assert "within 8 hours" in shown.partition('id="override_0_hours_error"')[2].partition("</div>")[0]
    assert "Payments are down</textarea>" in shown


def test_what_is_wrong_stands_beside_the_field_and_what_was_typed_stays(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    typed = {
        "subject_digest": promotion.subject_digest,
        "decision": str(promotion.decision_id),
        "reason": "Payments are down",
        "ticket": "INC-7\u202e",
        "hours": "4",
    }
    answer = client_of(kestrel, "third").post(f"/promotions/{promotion.pk}/gates/hours/override", typed)
    shown = answer.content.decode()
    assert answer.status_code == 400
    assert 'id="override_0_ticket_error"' in shown
    assert "This has a direction-changing character (U+202E)" in shown
    assert "Payments are down</textarea>" in shown
