"""Another person says that the right person has an account (docs/adr/0234)."""

from dataclasses import replace

import pytest
from django.db import IntegrityError, ProgrammingError, transaction
from django.http import Http404

from policies.etags import proposal_tag
from policies.models import Proposal
from promotions.actions.grant_override import grant_override
from promotions.actions.proposals import confirm_proposal
from stellapromote.accounts.actor import Actor, SecondFactorRequired
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import ApiToken, HeldAccount, RoleGrant, SignInSettings, User
from stellapromote.accounts.vouching import people_vouched_for, vouched_for
from stellapromote.api.etag import IfMatch
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Refused
from stellapromote.identity.actions.accept_invitation import accept_signed_in, accept_with_new_account
from stellapromote.identity.actions.add_service_owner import add_service_owner
from stellapromote.identity.actions.confirm_account import confirm_account
from stellapromote.identity.actions.confirm_grant import confirm_grant
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.invite import invite
from stellapromote.identity.rules import HeldByYou, NotVouchedFor, OwnGift, OwnRights
from tests.factories import PASSWORD, actor_of, actor_of_token, make_person, make_service, make_tenant, make_token
from tests.stellapromote.identity.actions.cases import House, last_event, make_house

pytestmark = pytest.mark.django_db

NOBODY = Actor("system", None, "", "Nobody signed in", None, "")


@pytest.fixture
def house() -> House:
    return make_house()


def joins(house: House, username: str = "mei", *roles: str) -> User:
    made = invite(by=house.admin, clock=DATABASE_CLOCK, username=username, roles=roles or ["approver"])
    assert made.link is not None
    secret = made.link.rsplit("/", 1)[1]
    return accept_with_new_account(by=NOBODY, clock=DATABASE_CLOCK, secret=secret, password=PASSWORD)


def confirms(by: Actor, user: User) -> list[HeldAccount]:
    return confirm_account(by=by, clock=DATABASE_CLOCK, user_id=user.pk)


def confirms_role(by: Actor, user: User, role: str = "approver") -> None:
    grant = RoleGrant.objects.get(user=user, role=role, tenant_id=by.tenant)
    confirm_grant(by=by, clock=DATABASE_CLOCK, user_id=user.pk, grant_id=grant.pk)


def test_another_person_whose_role_is_confirmed_confirms_it(house: House) -> None:
    mei = joins(house)
    [held] = confirms(house.as_actor(house.nia), mei)
    assert (held.confirmed_by, held.confirmed_under) == (house.nia, RoleGrant.objects.get(user=house.nia))
    event = last_event("member.account_confirmed")
    assert (event.actor_id, event.resource_id, event.after) == (house.nia.pk, str(mei.pk), {"username": "mei"})
    assert confirms(house.as_actor(house.nia), mei) == []


def test_a_tenant_may_require_a_second_factor_for_it(house: House) -> None:
    mei, by = joins(house), house.as_actor(house.nia)
    SignInSettings.objects.create(tenant=house.tenant, second_factor_from=DATABASE_CLOCK.now())
    with pytest.raises(SecondFactorRequired):
        confirms(by, mei)
    [held] = confirms(replace(by, second_factor=True), mei)
    assert held.confirmed_by == house.nia


def test_so_does_the_owner_of_the_installation(house: House) -> None:
    mei = joins(house)
    [held] = confirms(command_actor(house.tenant), mei)
    assert (held.confirmed_at is None, held.confirmed_by) == (False, None)


def test_neither_the_person_who_saw_its_link_nor_the_account_does(house: House) -> None:
    mei, mo = joins(house), joins(house, "mo", "admin")
    command = command_actor(house.tenant)
    grant_role(by=command, clock=DATABASE_CLOCK, user_id=house.greta.pk, role="approver")
    grant_role(by=command, clock=DATABASE_CLOCK, user_id=mei.pk, role="admin")
    grant_role(by=command, clock=DATABASE_CLOCK, user_id=mo.pk, role="auditor")
    with pytest.raises(HeldByYou):
        confirms(house.admin, mei)
    with pytest.raises(OwnRights):
        confirms(house.as_actor(mei), mei)
    with pytest.raises(HeldByYou):
        confirms(house.as_actor(mo), mei)
    assert HeldAccount.objects.filter(confirmed_at=None).count() == 2


def test_nor_a_person_whose_own_role_or_account_nobody_confirmed(house: House) -> None:
    mei = joins(house)
    new = make_person(house.tenant, "new")
    grant_role(by=house.admin, clock=DATABASE_CLOCK, user_id=new.pk, role="approver")
    with pytest.raises(NotVouchedFor):
        confirms(house.as_actor(new), mei)
    ada = make_person(house.tenant, "ada", roles=["admin"])
    other = invite(by=actor_of(ada, house.tenant), clock=DATABASE_CLOCK, username="kim", roles=["approver"])
    assert other.link is not None
    kim = accept_with_new_account(
        by=NOBODY, clock=DATABASE_CLOCK, secret=other.link.rsplit("/", 1)[1], password=PASSWORD
    )
    confirms_role(house.as_actor(house.nia), kim)
    with pytest.raises(NotVouchedFor):
        confirms(house.as_actor(kim), mei)
    confirms(house.as_actor(house.nia), kim)
    assert confirms(house.as_actor(kim), mei)


def test_nor_a_machine_nor_a_token_of_another_issuer_nor_an_operator(house: House) -> None:
    mei = joins(house)
    service = make_service(house.tenant, house.nia, scopes=["tenant:admin"])
    for by in (
        actor_of_token(make_token(house.tenant, service.user)),
        actor_of_token(make_token(house.tenant, house.greta, by=command_actor(house.tenant))),
        house.as_actor(house.tomas),
    ):
        with pytest.raises(Refused):
            confirms(by, mei)


def test_an_account_that_may_be_in_other_hands_vouches_for_nothing(house: House) -> None:
    mei = joins(house)
    confirms_role(house.as_actor(house.nia), mei)
    assert vouched_for(house.tenant.pk, mei.pk) is None
    assert mei.pk not in people_vouched_for(house.tenant.pk)
    ada = actor_of(make_person(house.tenant, "ada", roles=["admin"]), house.tenant)
    grant_role(by=ada, clock=DATABASE_CLOCK, user_id=house.tomas.pk, role="approver")
    with pytest.raises(NotVouchedFor):
        confirms_role(house.as_actor(mei), house.tomas)
    confirms(house.as_actor(house.nia), mei)
    confirms_role(house.as_actor(mei), house.tomas)


def test_its_holder_confirms_neither_what_it_holds_nor_what_it_gave(house: House) -> None:
    mei = joins(house, "mei", "admin")
    ada = make_person(house.tenant, "ada", roles=["admin"])
    grant_role(by=actor_of(ada, house.tenant), clock=DATABASE_CLOCK, user_id=mei.pk, role="approver")
    grant_role(by=house.as_actor(mei), clock=DATABASE_CLOCK, user_id=house.tomas.pk, role="approver")
    with pytest.raises(HeldByYou):
        confirms_role(house.admin, mei)
    with pytest.raises(OwnGift):
        confirms_role(house.admin, house.tomas)
    confirms_role(house.as_actor(house.nia), house.tomas)


def test_neither_confirms_a_proposal_of_the_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    mei = joins(house, "mei", "admin")
    command = command_actor(house.tenant)
    grant_role(by=command, clock=DATABASE_CLOCK, user_id=mei.pk, role="auditor")
    monkeypatch.setattr("promotions.actions.grant_override.environments_with_overrides", lambda *_: ["production"])
    for author, second in ((house.admin, house.as_actor(mei)), (house.as_actor(mei), house.admin)):
        proposal = grant_override(
            by=author, clock=DATABASE_CLOCK, user_id=house.nia.pk, scope="promotion:override", reason="On call"
        )
        assert isinstance(proposal, Proposal)
        assert {house.greta.pk, mei.pk} <= set(proposal.behind)
        with pytest.raises(Refused):
            confirm_proposal(proposal.pk, by=second, if_match=IfMatch(proposal_tag(proposal)))
    ada = make_person(house.tenant, "ada", roles=["admin"])
    confirm_proposal(proposal.pk, by=actor_of(ada, house.tenant), if_match=IfMatch(proposal_tag(proposal)))


def test_an_account_that_nobody_confirmed_is_no_second_person_for_anybody(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    mei = joins(house, "mei", "admin")
    confirms_role(house.as_actor(house.nia), mei, "admin")
    monkeypatch.setattr("promotions.actions.grant_override.environments_with_overrides", lambda *_: ["production"])
    ada = actor_of(make_person(house.tenant, "ada", roles=["admin"]), house.tenant)
    proposal = grant_override(
        by=ada, clock=DATABASE_CLOCK, user_id=house.nia.pk, scope="promotion:override", reason="On call"
    )
    assert isinstance(proposal, Proposal)
    with pytest.raises(Refused) as refused:
        confirm_proposal(proposal.pk, by=house.as_actor(mei), if_match=IfMatch(proposal_tag(proposal)))
    assert refused.value.code == "PERM_NOT_VOUCHED_FOR"
    confirms(house.as_actor(house.nia), mei)
    confirm_proposal(proposal.pk, by=house.as_actor(mei), if_match=IfMatch(proposal_tag(proposal)))


def test_a_confirmation_holds_in_its_tenant_alone(house: House) -> None:
    mei = joins(house)
    elsewhere = make_tenant("elsewhere")
    boss = make_person(elsewhere, "boss", roles=["admin"])
    made = invite(by=actor_of(boss, elsewhere), clock=DATABASE_CLOCK, username="mei", roles=["viewer"])
    assert made.link is not None
    accept_signed_in(
        by=Actor("person", mei.pk, "mei", "Mei", None, ""), clock=DATABASE_CLOCK, secret=made.link.rsplit("/", 1)[1]
    )
    confirms(actor_of(make_person(elsewhere, "ada", roles=["admin"]), elsewhere), mei)
    assert HeldAccount.objects.get(tenant=house.tenant).confirmed_at is None
    assert HeldAccount.objects.get(tenant=elsewhere).confirmed_at is not None


def test_tokens_that_the_account_made_before_are_revoked(house: House) -> None:
    mei, ci = joins(house), make_service(house.tenant, house.tomas)
    add_service_owner(by=house.admin, clock=DATABASE_CLOCK, service_id=ci.pk, owner="mei")
    make_token(house.tenant, mei)
    make_token(house.tenant, ci.user, by=house.as_actor(mei))
    make_token(house.tenant, ci.user, by=house.as_actor(house.tomas))
    confirms(house.as_actor(house.nia), mei)
    assert {token.issuer: token.revoked_by for token in ApiToken.objects.all()} == {mei: house.nia, house.tomas: None}
    assert last_event("member.account_confirmed").metadata["revokedTokens"] == 2


def test_whom_the_account_invited_before_counts_as_the_inviters_of_the_account(house: House) -> None:
    mei = joins(house, "mei", "admin")
    made = invite(by=house.as_actor(mei), clock=DATABASE_CLOCK, username="mo", roles=["operator"])
    confirms(house.as_actor(house.nia), mei)
    assert made.link is not None
    mo = accept_with_new_account(by=NOBODY, clock=DATABASE_CLOCK, secret=made.link.rsplit("/", 1)[1], password=PASSWORD)
    assert set(HeldAccount.objects.get(user=mo).holders) == {mei.pk, house.greta.pk}


def test_the_account_gives_its_holder_no_role(house: House) -> None:
    mei = joins(house, "mei", "admin")
    confirms_role(house.as_actor(house.nia), mei, "admin")
    with pytest.raises(OwnRights):
        grant_role(
            by=house.as_actor(mei), clock=DATABASE_CLOCK, user_id=house.greta.pk, role="approver", reason="Needed"
        )


def test_administrators_of_another_tenant_do_not_find_the_account(house: House) -> None:
    mei = joins(house)
    elsewhere = make_tenant("elsewhere")
    boss = make_person(elsewhere, "boss", roles=["admin"])
    with pytest.raises(Http404):
        confirms(actor_of(boss, elsewhere), mei)
    assert HeldAccount.objects.get().confirmed_at is None


@pytest.mark.parametrize("who", ["greta", "mei"])
def test_the_database_takes_no_confirmation_by_its_holder_or_itself(house: House, who: str) -> None:
    joins(house)
    person = User.objects.get(username=who)
    under = RoleGrant.objects.get(user=person)
    with pytest.raises(IntegrityError), transaction.atomic():
        HeldAccount.objects.update(confirmed_at=DATABASE_CLOCK.now(), confirmed_by=person, confirmed_under=under)


def test_the_database_takes_no_other_change(house: House) -> None:
    mei = joins(house)
    for change in (
        lambda: HeldAccount.objects.update(holders=[house.nia.pk]),
        lambda: HeldAccount.objects.all()._raw_delete("default"),
    ):
        with pytest.raises(ProgrammingError), transaction.atomic():
            change()
    confirms(command_actor(house.tenant), mei)
    with pytest.raises(ProgrammingError), transaction.atomic():
        HeldAccount.objects.update(confirmed_at=None)
