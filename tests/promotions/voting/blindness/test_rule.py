"""Which promotions are blind, when, and for whom (domain.md §5)."""

import orjson
import pytest

from environments.actions.update_environment import update_environment
from promotions.actions.cancel import cancel
from promotions.actions.confirm import confirm
from promotions.actions.evaluate import evaluate
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.judging.evaluation_context import stored_requirements
from promotions.models import Promotion, Vote
from promotions.reading.queries import current_record
from promotions.voting.blindness import blind_to, can_see_votes
from stellapromote.accounts.actor import Actor
from tests.factories import make_approval_policy
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.voting.blindness.blinded import (
    BLIND,
    CHECKED,
    SAID,
    SEES,
    blinded,
    call,
    client_of,
    code,
    half_way,
    hide,
    post,
)
from tests.proposals import confirmed

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("who", [*SEES, *BLIND])
def test_the_rule_and_its_query_say_the_same(kestrel: Kestrel, who: str) -> None:
    promotion = half_way(kestrel)
    by = kestrel[who]
    assert can_see_votes(by, promotion) is (who in SEES)
    assert (promotion in blind_to(by)) is (who in BLIND)


def test_a_token_without_the_right_of_an_auditor_is_blind(kestrel: Kestrel) -> None:
    promotion, auditor = half_way(kestrel), kestrel["auditor"]
    narrowed = Actor(**{name: getattr(auditor, name) for name in auditor.__slots__} | {"scopes": frozenset()})
    assert can_see_votes(auditor, promotion)
    assert not can_see_votes(narrowed, promotion)


def test_of_other_promotions_everybody_sees_the_votes() -> None:
    kestrel = blinded(blind=False)
    promotion = half_way(kestrel)
    assert not promotion.blind
    assert [who for who in kestrel.actors if not can_see_votes(kestrel[who], promotion)] == []
    assert SAID in call(kestrel, "approver", f"{promotion.pk}/approvals").content.decode()
    assert SAID in client_of(kestrel, "approver").get(f"/promotions/{promotion.pk}").content.decode()


@pytest.mark.slow
@pytest.mark.parametrize("ends", ["approved", "rejected", "cancelled"])
def test_when_it_takes_no_more_votes_everybody_sees_them(kestrel: Kestrel, ends: str) -> None:
    promotion = half_way(kestrel)
    if ends == "rejected":
        kestrel.rejects("second", promotion)
    elif ends == "cancelled":
        cancel(promotion.pk, by=kestrel["admin"], clock=kestrel.clock)
    else:
        confirm(promotion.pk, "backup", by=kestrel["approver"], clock=kestrel.clock)
        kestrel.approves("second", promotion)
    promotion.refresh_from_db()
    assert promotion.status == ends
    for who in BLIND:
        assert can_see_votes(kestrel[who], promotion), who
        assert promotion not in blind_to(kestrel[who])
        assert SAID in client_of(kestrel, who).get(f"/promotions/{promotion.pk}").content.decode(), who
        assert SAID in call(kestrel, who, f"{promotion.pk}/decision").content.decode(), who


def test_a_voter_sees_them_until_their_vote_is_withdrawn(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    kestrel.approves("second", promotion)
    assert SAID in call(kestrel, "second", f"{promotion.pk}").content.decode()
    answer = post(kestrel, "second", f"{promotion.pk}/withdraw-approval")
    assert answer.json()["votesHidden"] is True
    again = call(kestrel, "second", f"{promotion.pk}").json()
    assert again["votesHidden"] is True
    assert [(act["username"], act["status"]) for act in again["approvals"]] == [("second", "withdrawn")]
    assert promotion in blind_to(kestrel["second"])


def test_a_confirmation_is_no_vote(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    seen = call(kestrel, "zephyrine", f"{promotion.pk}").json()
    assert [act["comment"] for act in seen["approvals"]] == [CHECKED]


def test_when_votes_become_void_who_gave_them_is_blind_again(kestrel: Kestrel) -> None:
    promotion, other = half_way(kestrel), kestrel.waits_for_production()
    for who in ("approver", "third"):
        confirm(other.pk, "backup", by=kestrel[who], clock=kestrel.clock)
    kestrel.approves("approver", other)
    kestrel.deploys(kestrel.approves("second", other))
    promotion = evaluate(promotion.pk, by=kestrel["operator"], clock=kestrel.clock)
    assert not Vote.objects.filter(promotion=promotion, ended_at=None).exists()
    kestrel.approves("third", promotion, comment="After the change")
    assert not can_see_votes(kestrel["quillon"], promotion)
    timeline = [event["action"] for event in call(kestrel, "quillon", f"{promotion.pk}").json()["timeline"]]
    assert timeline == ["promotion.requested", "approval.granted"]
    assert "After the change" not in client_of(kestrel, "quillon").get(f"/promotions/{promotion.pk}").content.decode()


def test_an_approved_one_that_takes_votes_again_is_blind_again(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    confirm(promotion.pk, "backup", by=kestrel["approver"], clock=kestrel.clock)
    kestrel.approves("second", promotion)
    path = f"{promotion.pk}/evidence"
    assert SAID in call(kestrel, "viewer", path).content.decode()
    withdraw_approval(promotion.pk, by=kestrel["second"], clock=kestrel.clock)
    assert code(call(kestrel, "viewer", path)) == (403, "PERM_BLIND")
    assert call(kestrel, "quillon", path).status_code == 200
    page = client_of(kestrel, "viewer").get(f"/promotions/{promotion.pk}")
    assert (page.context["packets"], "Quillon" in page.content.decode()) == ([], False)
    answer = client_of(kestrel, "viewer").post(f"/promotions/{promotion.pk}/verify")
    assert answer.status_code == 403


@pytest.mark.parametrize("blind", [[False], [True], [False, True]])
def test_the_column_repeats_the_snapshot(blind: list[bool]) -> None:
    kestrel = make_kestrel(now=True)
    names = [f"policy-{number}" for number, _ in enumerate(blind)]
    for name, value in zip(names, blind, strict=True):
        make_approval_policy(kestrel["admin"], name, clock=kestrel.clock, blind=value)
    confirmed(
        update_environment(
            by=kestrel["admin"],
            clock=kestrel.clock,
            environment_id=kestrel.production.pk,
            changes={"approval_policies": names},
        ),
        kestrel.clock,
    )
    promotion = kestrel.waits_for_production()
    assert Promotion.objects.get(pk=promotion.pk).blind is any(blind)
    assert [each["name"] for each in stored_requirements(promotion)["approvalPolicies"]] == names


@pytest.mark.parametrize("before", [True, False])
def test_a_later_edit_of_the_policy_changes_nothing(before: bool) -> None:
    kestrel = blinded(blind=before)
    promotion = half_way(kestrel)
    hide(kestrel, blind=not before)
    promotion = evaluate(promotion.pk, by=kestrel["operator"], clock=kestrel.clock)
    assert can_see_votes(kestrel["approver"], promotion) is not before


def test_what_is_stored_is_the_same_whether_votes_are_hidden_or_not(kestrel: Kestrel) -> None:
    """The record of a blind promotion names its voters, and who may see it gets the stored bytes."""
    promotion = half_way(kestrel)
    stored = bytes(current_record(Promotion.objects.get(pk=promotion.pk)).document)
    assert [vote["username"] for vote in orjson.loads(stored)["approvals"]] == ["quillon"]
    assert call(kestrel, "quillon", f"{promotion.pk}/decision").content == stored
