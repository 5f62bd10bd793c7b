"""What the pages show to who is blind to votes."""

import pytest

from environments.actions.update_environment import update_environment
from tests.promotions.kestrel import Kestrel, client_of
from tests.promotions.voting.blindness.blinded import half_way, telling, telltales

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def test_the_page_asks_for_a_vote_and_tells_of_none(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    page = client_of(kestrel, "third").get(f"/promotions/{promotion.pk}")
    shown = page.content.decode()
    assert "Voting is blind: who has voted" in shown
    assert "1 approval by team security" in shown
    assert "1 of 2 approvals are given; by whom" in shown
    assert page.context["may"]["approve"] == ""
    assert "Replay the decision" in shown
    assert [event.words for event in page.context["timeline"]] == ["Requested"]


def test_anybody_who_may_vote_is_named_in_words(kestrel: Kestrel) -> None:
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.production.pk,
        changes={"required_approvals": 2},
    )
    page = client_of(kestrel, "third").get(f"/promotions/{half_way(kestrel).pk}")
    assert "2 approvals by anyone who may vote" in page.content.decode()


@pytest.mark.parametrize("act", ["approve", "reject", "confirm", "override"])
def test_a_refused_form_shows_a_page_that_tells_of_no_vote(kestrel: Kestrel, act: str) -> None:
    promotion = half_way(kestrel)
    where = {"confirm": "gates/backup/confirm", "override": "gates/team-rule/override"}.get(act, act)
    answer = client_of(kestrel, "third").post(
        f"/promotions/{promotion.pk}/{where}",
        {"subject_digest": "sha256:" + "0" * 64, "reason": "" if act == "reject" else "No"},
    )
    assert answer.status_code in (400, 403, 412)
    assert telling(answer.content, telltales(promotion)) == []


def test_the_replay_of_the_page_is_refused(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    answer = client_of(kestrel, "third").post(f"/promotions/{promotion.pk}/replay")
    assert answer.status_code == 403
    assert "is blind: who voted" in answer.content.decode()


def test_the_board_says_why_it_waits_without_names(kestrel: Kestrel) -> None:
    half_way(kestrel)
    shown = client_of(kestrel, "third").get("/").content.decode()
    assert "1 of 2 approvals are given; by whom" in shown
    assert "Waiting for 1 more approval" in client_of(kestrel, "quillon").get("/").content.decode()
