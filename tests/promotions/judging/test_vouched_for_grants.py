"""Whose word a vote rests on: grants of people excluded on the promotion, and their confirmation (docs/adr/0157)."""

import orjson
import pytest

from promotions.models import DecisionRecord, Promotion
from promotions.verification.replay import replay
from promotions.voting.rules import NotEligible
from promotions.worker.round import run_round
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import RoleGrant, TeamGrant
from stellapromote.identity.actions.confirm_grant import confirm_grant
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_team import grant_team
from tests.factories import actor_of, make_person
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    """The requester is an administrator, made on the command line, and brought Vera in on a page."""
    kestrel = make_kestrel()
    joins(kestrel, "vera")
    gives(command_actor(kestrel.tenant), kestrel, "requester", "admin")
    gives(kestrel["requester"], kestrel, "vera", "approver")
    return kestrel


def joins(kestrel: Kestrel, username: str, roles: tuple[str, ...] = ()) -> None:
    user = make_person(kestrel.tenant, username, roles=roles, clock=kestrel.clock)
    kestrel.actors[username] = actor_of(user, kestrel.tenant)


def gives(by: Actor, kestrel: Kestrel, username: str, role: str) -> RoleGrant:
    """A role, or with `team release` a team, from now on."""
    kestrel.wait()
    account = kestrel[username].account
    grant = grant_role(by=by, clock=kestrel.clock, user_id=account, role=role)
    kestrel.actors[username] = actor_of(grant.user, kestrel.tenant)
    return grant


def confirms(by: Actor, kestrel: Kestrel, username: str, role: str = "approver") -> None:
    kestrel.wait()
    grant = RoleGrant.objects.get(user_id=kestrel[username].account, role=role, ended_at=None)
    confirm_grant(by=by, clock=kestrel.clock, user_id=grant.user_id, grant_id=grant.pk)


def exclusion(promotion: Promotion, username: str) -> str | None:
    record = DecisionRecord.objects.get(pk=Promotion.objects.get(pk=promotion.pk).decision_id)
    candidates = orjson.loads(bytes(record.input))["candidates"]
    return next(each["exclusion"] for each in candidates if each["username"] == username)


def for_staging(kestrel: Kestrel) -> Promotion:
    """A request of the requester that needs one approval by anybody."""
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    return kestrel.ask(release, kestrel.staging)


def test_a_role_by_the_requester_does_not_count_until_another_person_confirms_it(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel)
    assert exclusion(promotion, "vera") == "ROLE_GRANTED_BY_EXCLUDED"
    with pytest.raises(NotEligible):
        kestrel.approves("vera", promotion)
    confirms(kestrel["approver"], kestrel, "vera")
    assert kestrel.approves("vera", promotion).status == "approved"


def test_the_worker_judges_open_promotions_again_after_a_confirmation(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel)
    kestrel.wait()
    run_round("worker", kestrel.clock)
    before = Promotion.objects.get(pk=promotion.pk)
    assert str(kestrel["vera"].account) not in map(str, before.open_voters)
    confirms(kestrel["approver"], kestrel, "vera")
    run_round("worker", kestrel.clock)
    after = Promotion.objects.get(pk=promotion.pk)
    assert kestrel["vera"].account in after.open_voters


def test_the_record_replays(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel)
    confirms(kestrel["approver"], kestrel, "vera")
    promotion = kestrel.approves("vera", promotion)
    assert replay(DecisionRecord.objects.get(pk=promotion.decision_id)).equal


def test_the_owner_of_the_installation_confirms_where_nobody_else_does(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel)
    confirms(command_actor(kestrel.tenant), kestrel, "vera")
    assert kestrel.approves("vera", promotion).status == "approved"


def test_the_word_of_another_excluded_person_does_not_help(kestrel: Kestrel) -> None:
    kestrel.wait()
    builder = kestrel["builder"]  # made the release
    confirms(builder, kestrel, "vera")
    promotion = kestrel.waits_for_production()
    assert exclusion(promotion, "builder") == "RELEASE_CREATOR"
    assert exclusion(promotion, "vera") == "ROLE_GRANTED_BY_EXCLUDED"


def test_nor_that_of_an_administrator_whom_the_requester_made(kestrel: Kestrel) -> None:
    joins(kestrel, "friend")
    joins(kestrel, "walt")
    gives(kestrel["requester"], kestrel, "friend", "admin")
    gives(kestrel["friend"], kestrel, "walt", "approver")
    promotion = for_staging(kestrel)
    assert exclusion(promotion, "walt") == "ROLE_GRANTED_BY_EXCLUDED"
    with pytest.raises(NotEligible):
        kestrel.approves("walt", promotion)
    confirms(kestrel["approver"], kestrel, "friend", "admin")
    assert kestrel.approves("walt", promotion).status == "approved"


def test_nor_that_of_somebody_for_whom_only_excluded_people_vouched(kestrel: Kestrel) -> None:
    joins(kestrel, "friend")
    gives(kestrel["requester"], kestrel, "friend", "admin")
    confirms(kestrel["builder"], kestrel, "friend", "admin")
    confirms(kestrel["friend"], kestrel, "vera")
    promotion = kestrel.waits_for_production()  # asked for by the requester, its release made by the builder
    assert exclusion(promotion, "vera") == "ROLE_GRANTED_BY_EXCLUDED"


def test_a_voter_who_made_their_own_granter_has_no_vote(kestrel: Kestrel) -> None:
    joins(kestrel, "friend")
    joins(kestrel, "wanda", roles=("admin",))
    gives(kestrel["wanda"], kestrel, "friend", "admin")
    gives(kestrel["friend"], kestrel, "wanda", "approver")
    promotion = for_staging(kestrel)
    assert exclusion(promotion, "wanda") == "ROLE_GRANTED_BY_SELF"


def test_a_team_by_the_requester_counts_once_it_is_confirmed(kestrel: Kestrel) -> None:
    confirms(kestrel["approver"], kestrel, "vera")
    kestrel.wait()
    vera = kestrel["vera"].account
    grant_team(by=kestrel["requester"], clock=kestrel.clock, user_id=vera, team="security")
    promotion = kestrel.waits_for_production()
    assert vera not in promotion.open_voters
    kestrel.wait()
    team = TeamGrant.objects.get(user_id=vera)
    confirm_grant(by=kestrel["approver"], clock=kestrel.clock, user_id=vera, grant_id=team.pk)
    assert kestrel.approves("vera", promotion).status == "awaiting_approval"


def test_a_confirmation_stays_when_the_role_of_the_confirmer_ends(kestrel: Kestrel) -> None:
    confirms(kestrel["approver"], kestrel, "vera")
    kestrel.wait()
    by = command_actor(kestrel.tenant)
    end_role(by=by, clock=kestrel.clock, user_id=kestrel["approver"].account, role="approver")
    promotion = for_staging(kestrel)
    assert kestrel.approves("vera", promotion).status == "approved"


def test_a_confirmation_makes_no_role_older_than_the_request(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel)
    joins(kestrel, "late")
    gives(kestrel["requester"], kestrel, "late", "approver")
    confirms(kestrel["approver"], kestrel, "late")
    with pytest.raises(NotEligible):
        kestrel.approves("late", promotion)
