"""Why a vote or a confirmation is of no use: one true reason each, in the action and on the page (domain.md §5)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from environments.actions.update_environment import update_environment
from policies.models import ApprovalPolicy
from promotions.actions.approve import approve
from promotions.actions.confirm import confirm
from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.models import Promotion
from promotions.voting.rules import NotEligible
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_scope import grant_scope
from stellapromote.identity.actions.grant_team import grant_team
from tests.factories import actor_of, make_person, make_promotion_policy
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel

pytestmark = pytest.mark.django_db

LATER = {"windows": [{"start": "2026-12-01T00:00:00Z", "end": "2026-12-02T00:00:00Z"}], "outside": "fail"}
HOURS = {"name": "hours", "kind": "schedule", "config": LATER, "override": {"by": ["third"]}}
BACKUP = {
    "name": "backup",
    "kind": "manual",
    "config": {"confirmers": {"users": ["third"], "teams": ["witnesses"]}, "text": "Backup"},
}


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def guarded(kestrel: Kestrel, *gates: Any) -> None:
    make_promotion_policy(kestrel["admin"], "guarded", clock=kestrel.clock, gates=list(gates))
    changes = {"promotion_policy": "guarded"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.production.pk, changes=changes)


def joins(kestrel: Kestrel, username: str, *, roles: tuple[str, ...] = (), teams: tuple[str, ...] = ()) -> Actor:
    kestrel.wait()
    user = make_person(kestrel.tenant, username, roles=roles, teams=teams, clock=kestrel.clock)
    kestrel.actors[username] = actor_of(user, kestrel.tenant)
    return kestrel[username]


def again(kestrel: Kestrel, username: str) -> Actor:
    """The person with the rights they have now."""
    kestrel.actors[username] = actor_of(User.objects.get(username=username), kestrel.tenant)
    return kestrel[username]


def as_administrator(kestrel: Kestrel, username: str) -> Actor:
    grant_role(by=kestrel["admin"], clock=kestrel.clock, user_id=kestrel[username].account, role="admin")
    return again(kestrel, username)


def refused(act: Callable[[], object]) -> NotEligible:
    with pytest.raises(NotEligible) as found:
        act()
    return found.value


def why_no_vote(kestrel: Kestrel, who: str, promotion: Promotion) -> str:
    """The one reason, which the page says in the same words."""
    kestrel.wait()
    refusal = refused(lambda: approve(promotion.pk, by=kestrel[who], clock=kestrel.clock))
    assert refusal.details is not None
    [reason] = refusal.details["reasons"]
    page = client_of(kestrel, who).get(f"/promotions/{promotion.pk}").content.decode()
    assert refusal.message in page
    return f"{reason}: {refusal.message}"


def test_every_place_is_filled(kestrel: Kestrel) -> None:
    guarded(kestrel, {"name": "hours", "kind": "schedule", "config": {**LATER, "outside": "pending"}})
    promotion = kestrel.approved_for_production()
    said = "QUORUM_FILLED: Every place of this promotion is filled: 2 approvals. You may still reject."
    assert why_no_vote(kestrel, "third", promotion) == said


def test_the_missing_teams_are_named(kestrel: Kestrel) -> None:
    joins(kestrel, "fourth", roles=("approver",), teams=("security",))
    promotion = kestrel.waits_for_production()
    kestrel.approves("second", promotion)
    said = "NOT_IN_A_MISSING_TEAM: The open places are for the team release, and you do not fill one."
    assert why_no_vote(kestrel, "fourth", promotion) == said


def test_several_missing_teams_are_named(kestrel: Kestrel) -> None:
    joins(kestrel, "bob", roles=("approver",))
    promotion = kestrel.waits_for_production()
    refusal = refused(lambda: kestrel.approves("bob", promotion))
    assert refusal.message == "The open places are for one of the teams release, security, and you do not fill one."
    assert refusal.details == {
        "reasons": ["NOT_IN_A_MISSING_TEAM"],
        "missing": {"teams": ["release", "security"], "users": []},
    }


def test_a_role_that_came_after_the_request(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    joins(kestrel, "late", roles=("approver",), teams=("release",))
    reason = why_no_vote(kestrel, "late", promotion)
    assert reason.startswith("ROLE_GRANTED_AFTER_REQUEST: Your role that votes was granted after this promotion")


def test_a_team_that_came_after_the_request(kestrel: Kestrel) -> None:
    joins(kestrel, "bob", roles=("approver",))
    promotion = kestrel.waits_for_production()
    kestrel.wait()
    grant_team(by=kestrel["admin"], clock=kestrel.clock, user_id=kestrel["bob"].account, team="release")
    reason = why_no_vote(kestrel, "bob", promotion)
    assert reason.startswith("TEAM_GRANTED_AFTER_REQUEST: You joined the team release after this promotion")


def test_a_role_by_somebody_excluded(kestrel: Kestrel) -> None:
    joins(kestrel, "bob", teams=("release",))
    by = as_administrator(kestrel, "builder")
    grant_role(by=by, clock=kestrel.clock, user_id=kestrel["bob"].account, role="approver")
    again(kestrel, "bob")
    reason = why_no_vote(kestrel, "bob", kestrel.waits_for_production())
    assert reason.startswith("ROLE_GRANTED_BY_EXCLUDED: You have the role that votes from somebody excluded here")


def test_a_team_by_somebody_excluded(kestrel: Kestrel) -> None:
    joins(kestrel, "bob", roles=("approver",))
    by = as_administrator(kestrel, "builder")
    grant_team(by=by, clock=kestrel.clock, user_id=kestrel["bob"].account, team="release")
    reason = why_no_vote(kestrel, "bob", kestrel.waits_for_production())
    assert reason.startswith("TEAM_GRANTED_BY_EXCLUDED: A person who is excluded here put you into the team release")


def overridden_by_third(kestrel: Kestrel, *gates: Any) -> Promotion:
    guarded(kestrel, HOURS, *gates)
    user_id = kestrel["third"].account
    by, clock = kestrel["admin"], kestrel.clock
    grant_scope(by=by, clock=clock, user_id=user_id, scope=PROMOTION_OVERRIDE, reason="On call")
    again(kestrel, "third")
    promotion = kestrel.waits_for_production()
    kestrel.wait()
    override_request = OverrideRequest("hours", "Payments are down", "INC-7", clock.now() + timedelta(hours=4))
    override_gate(promotion.pk, override_request, by=kestrel["third"], clock=clock)
    return promotion


def test_an_override_of_their_own(kestrel: Kestrel) -> None:
    promotion = overridden_by_third(kestrel)
    assert why_no_vote(kestrel, "third", promotion) == (
        "OVERRODE_HERE: You overrode a gate of this promotion, so somebody else must decide on it."
    )


def test_while_voting_is_blind_no_team_is_named(kestrel: Kestrel) -> None:
    policy = ApprovalPolicy.objects.get(name="two-person")
    update_approval_policy(by=kestrel["admin"], clock=kestrel.clock, policy_id=policy.pk, changes={"blind": True})
    joins(kestrel, "fourth", roles=("approver",), teams=("security",))
    promotion = kestrel.waits_for_production()
    kestrel.approves("second", promotion)
    refusal = refused(lambda: kestrel.approves("fourth", promotion))
    assert refusal.details == {"reasons": ["NO_OPEN_PLACE"]}
    assert "release" not in refusal.message
    assert why_no_vote(kestrel, "fourth", promotion).startswith(
        "NO_OPEN_PLACE: Your vote fits none of the open places."
    )


def why_no_confirmation(kestrel: Kestrel, who: str, promotion: Promotion) -> str:
    kestrel.wait()
    refusal = refused(lambda: confirm(promotion.pk, "backup", by=kestrel[who], clock=kestrel.clock))
    assert refusal.details is not None
    page = client_of(kestrel, who).get(f"/promotions/{promotion.pk}").content.decode()
    assert refusal.message in page
    return str(refusal.details["reasons"][0])


def test_who_may_not_confirm_is_told_why(kestrel: Kestrel) -> None:
    joins(kestrel, "bob", roles=("approver",))
    joins(kestrel, "first", teams=("witnesses",))
    promotion = overridden_by_third(kestrel, BACKUP)
    assert why_no_confirmation(kestrel, "third", promotion) == "OVERRODE_HERE"
    assert why_no_confirmation(kestrel, "bob", promotion) == "NOT_NAMED"
    kestrel.wait()
    grant_team(by=kestrel["admin"], clock=kestrel.clock, user_id=kestrel["bob"].account, team="witnesses")
    assert why_no_confirmation(kestrel, "bob", promotion) == "TEAM_GRANTED_AFTER_REQUEST"
