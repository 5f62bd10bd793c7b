"""Who may override a gate (domain.md §6): rights, teams, tokens, and the people whom the promotion excludes."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from promotions.models import Override
from promotions.voting.rules import MachinesDoNotVote, NotEligible, SeparationOfDuties
from stellapromote.accounts.models import ScopeGrant, User
from stellapromote.errors import ProductError
from stellapromote.identity.actions.confirm_grant import confirm_grant
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_team import grant_team
from tests.factories import actor_of, actor_of_token, make_service, make_token
from tests.promotions.actions.overriding import as_administrator, gate_of, may_override, overrides, why_not, with_hours
from tests.promotions.kestrel import Kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return with_hours()


def test_whoever_overrides_does_not_vote_there(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    overrides(kestrel, "third", promotion)
    with pytest.raises(NotEligible):
        kestrel.approves("third", promotion)


def test_the_vote_of_whoever_overrides_is_void(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    kestrel.approves("third", promotion)
    overrides(kestrel, "third", promotion)
    assert "VOTER_NOT_ELIGIBLE" in gate_of(promotion, "approval")["reasonCodes"]


def _refusals() -> dict[str, Any]:
    return {
        "requester": SeparationOfDuties,  # asked for it
        "builder": SeparationOfDuties,  # made the release
        "approver": NotEligible,  # holds the right, is not named
        "operator": NotEligible,  # neither
        "admin": NotEligible,  # administrators have no way round
    }


@pytest.mark.parametrize(("who", "refusal"), _refusals().items())
def test_who_may_not(kestrel: Kestrel, who: str, refusal: type[ProductError]) -> None:
    if who in ("requester", "builder", "approver"):
        may_override(kestrel, who)
    promotion = kestrel.waits_for_production()
    with pytest.raises(refusal):
        overrides(kestrel, who, promotion)
    assert not Override.objects.exists()


def test_being_named_without_the_right_is_not_enough(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    assert why_not(kestrel, "third", promotion, "by name") == ["RIGHT_NOT_GRANTED"]


def test_a_right_granted_by_somebody_excluded_does_not_count(kestrel: Kestrel) -> None:
    grant_role(by=kestrel["admin"], clock=kestrel.clock, user_id=kestrel["requester"].account, role="admin")
    kestrel.actors["requester"] = actor_of(User.objects.get(pk=kestrel["requester"].account), kestrel.tenant)
    may_override(kestrel, "third", by="requester")
    promotion = kestrel.waits_for_production()
    assert why_not(kestrel, "third", promotion, "excluded") == ["RIGHT_GRANTED_BY_EXCLUDED"]
    kestrel.wait()
    grant = ScopeGrant.objects.get()
    by = kestrel["approver"]
    confirm_grant(by=by, clock=kestrel.clock, user_id=grant.user_id, grant_id=grant.pk)
    assert overrides(kestrel, "third", promotion).authority == "grant"


def test_a_right_by_an_administrator_whom_the_requester_made_does_not_count(kestrel: Kestrel) -> None:
    as_administrator(kestrel, "requester")
    friend = kestrel["viewer"].account
    grant_role(by=kestrel["requester"], clock=kestrel.clock, user_id=friend, role="admin")
    kestrel.actors["viewer"] = actor_of(User.objects.get(pk=friend), kestrel.tenant)
    may_override(kestrel, "third", by="viewer")
    with pytest.raises(NotEligible, match="excluded"):
        overrides(kestrel, "third", kestrel.waits_for_production())


def on_call(kestrel: Kestrel, who: str, *, by: str) -> None:
    """The person joins team security, which may override the hours."""
    kestrel.wait()
    user_id = kestrel[who].account
    grant_team(by=kestrel[by], clock=kestrel.clock, user_id=user_id, team="security")
    kestrel.actors[who] = actor_of(User.objects.get(pk=user_id), kestrel.tenant)


def test_a_team_that_somebody_excluded_put_them_into_does_not_count(kestrel: Kestrel) -> None:
    as_administrator(kestrel, "requester")
    may_override(kestrel, "operator")
    on_call(kestrel, "operator", by="requester")
    promotion = kestrel.waits_for_production()
    said = "A person who is excluded here put you into the team security"
    assert why_not(kestrel, "operator", promotion, said) == ["TEAM_GRANTED_BY_EXCLUDED"]


@pytest.mark.parametrize("joins", ["before", "after"])
def test_a_team_counts_that_they_were_in_at_the_request(kestrel: Kestrel, joins: str) -> None:
    may_override(kestrel, "operator")
    if joins == "before":
        on_call(kestrel, "operator", by="admin")
        assert overrides(kestrel, "operator", kestrel.waits_for_production()).authority == "grant"
    else:
        promotion = kestrel.waits_for_production()
        on_call(kestrel, "operator", by="admin")
        said = "You joined the team security after this promotion was requested"
        assert why_not(kestrel, "operator", promotion, said) == ["TEAM_GRANTED_AFTER_REQUEST"]


def test_who_is_not_named_is_told_so(kestrel: Kestrel) -> None:
    may_override(kestrel, "operator")
    promotion = kestrel.waits_for_production()
    assert why_not(kestrel, "operator", promotion, "names other people") == ["NOT_NAMED"]


def test_a_right_granted_after_the_request_does_not_count_there(kestrel: Kestrel) -> None:
    earlier = kestrel.waits_for_production()
    may_override(kestrel, "third")
    assert why_not(kestrel, "third", earlier, "after this promotion was requested") == ["RIGHT_GRANTED_AFTER_REQUEST"]
    later = kestrel.waits_for_production()
    assert overrides(kestrel, "third", later).authority == "grant"


def test_a_token_without_the_scope_may_not(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    text = make_token(kestrel.tenant, User.objects.get(username="third"), scopes=["promotion:approve"])
    kestrel.actors["third"] = actor_of_token(text)
    assert why_not(kestrel, "third", promotion, "but this token does not carry it") == ["TOKEN_TOO_NARROW"]


def test_a_service_account_never_may(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    service = make_service(kestrel.tenant, User.objects.get(username="third"), scopes=["promotion:deploy"])
    kestrel.actors["machine"] = actor_of_token(make_token(kestrel.tenant, service.user))
    with pytest.raises(MachinesDoNotVote):
        overrides(kestrel, "machine", promotion)


def test_the_database_refuses_the_requesters_own(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    given = overrides(kestrel, "third", promotion)
    given.pk = promotion.pk
    given.actor_id = promotion.requested_by_id
    with pytest.raises(IntegrityError, match="override_not_by_requester"):
        given.save(force_insert=True)


def test_a_right_that_ended_gives_no_more(kestrel: Kestrel) -> None:
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    ScopeGrant.objects.update(ended_at=kestrel.clock.now() + timedelta(hours=1))
    with pytest.raises(NotEligible):
        overrides(kestrel, "third", promotion)
