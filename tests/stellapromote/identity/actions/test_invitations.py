"""An administrator invites a person, who accepts by a one-time link."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.http import Http404

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import HeldAccount, Invitation, Membership, RoleGrant, Team, TeamGrant, User
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid, ProductError, Refused
from stellapromote.identity.actions.accept_invitation import (
    NameTaken,
    accept_signed_in,
    accept_with_new_account,
)
from stellapromote.identity.actions.create_team import create_team
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.invitation_links import send_invitation, withdraw_invitation
from stellapromote.identity.actions.invite import AlreadyInvited, AlreadyMember, Invited, invite
from stellapromote.identity.invitations import InvitationOver, invitation_of_link
from stellapromote.identity.rules import OwnRights
from tests.factories import PASSWORD, actor_of, actor_of_token, make_person, make_service, make_tenant, make_token
from tests.stellapromote.identity.actions.cases import House, last_event, make_house

pytestmark = pytest.mark.django_db

NOBODY = Actor("system", None, "", "Nobody signed in", None, "", address="192.0.2.9")


@pytest.fixture
def house() -> House:
    return make_house()


def invited(house: House, username: str = "mei", **options: Any) -> Invited:
    given: dict[str, Any] = {"roles": ["approver"], "teams": ["release"], "display_name": "Mei Tan", **options}
    return invite(by=house.admin, clock=given.pop("clock", DATABASE_CLOCK), username=username, **given)


def secret_of(made: Invited) -> str:
    assert made.link is not None
    return urlsplit(made.link).path.rsplit("/", 1)[1]


def accept(made: Invited, clock: Any = DATABASE_CLOCK) -> User:
    return accept_with_new_account(by=NOBODY, clock=clock, secret=secret_of(made), password=PASSWORD)


def signed_in(user: User) -> Actor:
    return Actor("person", user.pk, user.username, user.display_name, None, "")


def test_a_new_person_gets_an_account_and_what_the_inviter_gave(house: House) -> None:
    made = invited(house)
    person = accept(made)
    assert person.check_password(PASSWORD)
    assert (person.username, person.display_name, person.email) == ("mei", "Mei Tan", "")
    role = RoleGrant.objects.get(user=person)
    team = TeamGrant.objects.get(user=person)
    membership = Membership.objects.get(user=person)
    assert (role.role, team.team.slug) == ("approver", "release")
    for grant in (role, team, membership):
        assert (grant.granted_by, grant.made_by, grant.invitation) == (house.greta, "invitation", made.invitation)
    for right in (role, team):
        assert not right.is_vouched_for
        assert right.granted_under == RoleGrant.objects.get(user=house.greta)


def test_the_link_is_stored_as_a_digest_only(house: House) -> None:
    made = invited(house)
    stored = Invitation.objects.values().get()
    assert secret_of(made) not in str(stored)
    assert secret_of(made).encode() not in bytes(stored["link_digest"])
    assert secret_of(made) not in str(list(AuditEvent.objects.values_list("before", "after", "metadata")))


def test_it_is_audited_from_its_making_to_its_end(house: House) -> None:
    made = invited(house)
    person = accept(made)
    created, accepted = last_event("invitation.created"), last_event("invitation.accepted")
    assert created.after is not None
    assert (created.actor_id, created.after["username"], created.after["roles"]) == (
        house.greta.pk,
        "mei",
        ["approver"],
    )
    assert (accepted.actor_id, accepted.tenant_id, accepted.actor_ip) == (person.pk, house.tenant.pk, "192.0.2.9")
    assert len(accepted.metadata["rows"]) == 5
    assert last_event("user.created").tenant_id is None


def test_the_new_account_counts_as_that_of_the_person_who_saw_its_link(house: House) -> None:
    person = accept(invited(house))
    held = HeldAccount.objects.get()
    assert (held.user, held.holders, held.because, held.confirmed_at) == (
        person,
        [house.greta.pk],
        "invitation",
        None,
    )


def over(house: House, made: Invited) -> None:
    Invitation.objects.filter(pk=made.invitation.pk).update(expires_at=DATABASE_CLOCK.now())


def taken_back(house: House, made: Invited) -> None:
    withdraw_invitation(by=house.admin, clock=DATABASE_CLOCK, invitation_id=made.invitation.pk)


def used(house: House, made: Invited) -> None:
    accept(made)


def no_admin(house: House, made: Invited) -> None:
    other = make_person(house.tenant, "ada", roles=["admin"])
    end_role(by=actor_of(other, house.tenant), clock=DATABASE_CLOCK, user_id=house.greta.pk, role="admin")


def no_member(house: House, made: Invited) -> None:
    other = make_person(house.tenant, "ada", roles=["admin"])
    end_membership(by=actor_of(other, house.tenant), clock=DATABASE_CLOCK, user_id=house.greta.pk)


def admin_again(house: House, made: Invited) -> None:
    other = actor_of(make_person(house.tenant, "ada", roles=["admin"]), house.tenant)
    end_role(by=other, clock=DATABASE_CLOCK, user_id=house.greta.pk, role="admin")
    grant_role(by=other, clock=DATABASE_CLOCK, user_id=house.greta.pk, role="admin")


def not_active(house: House, made: Invited) -> None:
    User.objects.filter(pk=house.greta.pk).update(is_active=False)


def name_is_taken(house: House, made: Invited) -> None:
    make_person(house.tenant, "another", display_name="Mei Tan")


def username_is_taken(house: House, made: Invited) -> None:
    make_person(make_tenant("elsewhere"), "mei")


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (over, "ended after 72 hours"),
        (taken_back, "taken back"),
        (used, "accepted already"),
        (no_admin, "does not administer the tenant any more"),
        (no_member, "does not administer the tenant any more"),
        (admin_again, "does not administer the tenant any more"),
        (not_active, "may not act here any more"),
        (name_is_taken, "The name Mei Tan is that of another account"),
        (username_is_taken, "mei has an account by now"),
    ],
)
def test_an_invitation_that_is_over_gives_nothing(
    house: House, end: Callable[[House, Invited], None], words: str
) -> None:
    made = invited(house, teams=[])
    end(house, made)
    before = (Membership.objects.count(), RoleGrant.objects.count(), User.objects.count())
    with pytest.raises(InvitationOver, match=words):
        accept(made)
    assert (Membership.objects.count(), RoleGrant.objects.count(), User.objects.count()) == before


def test_an_invitation_into_a_team_that_is_gone_gives_nothing(house: House) -> None:
    create_team(by=house.admin, clock=DATABASE_CLOCK, slug="night")
    made = invited(house, teams=["night", "release"])
    Team.objects.filter(slug="night").delete()
    create_team(by=house.admin, clock=DATABASE_CLOCK, slug="night")
    with pytest.raises(InvitationOver, match="A team of this invitation is gone"):
        accept(made)
    assert not User.objects.filter(username="mei").exists()


def test_it_lives_72_hours(house: House) -> None:
    made = invited(house)
    assert made.invitation.expires_at - made.invitation.created_at == timedelta(hours=72)
    almost = FixedClock(made.invitation.expires_at - timedelta(milliseconds=1))
    assert accept(made, clock=almost).username == "mei"


def test_a_username_that_has_an_account_elsewhere_is_answered_alike(house: House) -> None:
    make_person(make_tenant("elsewhere"), "mei", display_name="Mei Tan")
    known, unknown = invited(house, "mei"), invited(house, "nobody-yet", display_name="Mei B")
    assert (known.link is None) == (unknown.link is None)
    told = last_event("invitation.created").metadata
    assert all(event.metadata.keys() == told.keys() for event in AuditEvent.objects.filter(action="invitation.created"))


def test_an_existing_account_accepts_signed_in_and_keeps_its_password(house: House) -> None:
    mei = make_person(make_tenant("elsewhere"), "mei", password=PASSWORD)
    made = invited(house)
    with pytest.raises(NameTaken):
        accept_with_new_account(by=NOBODY, clock=DATABASE_CLOCK, secret=secret_of(made), password="another one, please")
    accept_signed_in(by=signed_in(mei), clock=DATABASE_CLOCK, secret=secret_of(made))
    after = User.objects.get(pk=mei.pk)
    assert (after.password, after.display_name, after.email) == (mei.password, mei.display_name, mei.email)
    assert RoleGrant.objects.get(user=mei).tenant == house.tenant
    made.invitation.refresh_from_db()
    assert not made.invitation.made_account


def test_an_account_that_comes_from_elsewhere_counts_as_that_of_its_inviter(house: House) -> None:
    mei = make_person(make_tenant("elsewhere"), "mei")
    accept_signed_in(by=signed_in(mei), clock=DATABASE_CLOCK, secret=secret_of(invited(house)))
    held = HeldAccount.objects.get()
    assert (held.tenant, held.user, held.holders) == (house.tenant, mei, [house.greta.pk])


def test_nobody_else_accepts_for_an_existing_account(house: House) -> None:
    elsewhere = make_tenant("elsewhere")
    make_person(elsewhere, "mei")
    made = invited(house)
    for other in (make_person(elsewhere, "other"), house.nia, house.greta):
        with pytest.raises(InvitationOver, match="is for mei"):
            accept_signed_in(by=signed_in(other), clock=DATABASE_CLOCK, secret=secret_of(made))
    assert not Membership.objects.filter(tenant=house.tenant, user__username="mei").exists()


def test_a_token_accepts_nothing(house: House) -> None:
    elsewhere = make_tenant("elsewhere")
    mei = make_person(elsewhere, "mei", roles=["admin"])
    made = invited(house)
    with pytest.raises(InvitationOver):
        accept_signed_in(by=actor_of_token(make_token(elsewhere, mei)), clock=DATABASE_CLOCK, secret=secret_of(made))


def test_a_member_of_today_accepts_nothing(house: House) -> None:
    mei = make_person(make_tenant("elsewhere"), "mei")
    made = invited(house)
    make_person(house.tenant, "mei")
    with pytest.raises(InvitationOver, match="member already"):
        accept_signed_in(by=signed_in(mei), clock=DATABASE_CLOCK, secret=secret_of(made))


def test_an_account_that_is_held_elsewhere_is_held_here_too(house: House) -> None:
    elsewhere = make_tenant("elsewhere")
    boss = make_person(elsewhere, "boss", roles=["admin"])
    made = invite(by=actor_of(boss, elsewhere), clock=DATABASE_CLOCK, username="mei", roles=["viewer"])
    mei = accept(made)
    accept_signed_in(by=signed_in(mei), clock=DATABASE_CLOCK, secret=secret_of(invited(house)))
    here = HeldAccount.objects.get(tenant=house.tenant)
    assert (here.user, set(here.holders), here.because) == (mei, {boss.pk, house.greta.pk}, "elsewhere")


def test_a_member_whom_a_command_adds_is_held_as_elsewhere(house: House) -> None:
    mei = accept(invited(house))
    other = make_tenant("elsewhere")
    make_person(other, "mei")
    assert HeldAccount.objects.get(tenant=other).holders == [house.greta.pk]
    assert HeldAccount.objects.get(tenant=other).user == mei


def test_a_new_link_ends_the_one_before(house: House) -> None:
    first = invited(house)
    second = send_invitation(by=house.admin, clock=DATABASE_CLOCK, invitation_id=first.invitation.pk)
    with pytest.raises(Http404):
        accept(first)
    assert second.invitation.expires_at >= first.invitation.expires_at
    assert accept(second).username == "mei"


def test_each_person_who_saw_a_link_holds_the_account(house: House) -> None:
    ada = make_person(house.tenant, "ada", roles=["admin"])
    first = invited(house)
    second = send_invitation(by=actor_of(ada, house.tenant), clock=DATABASE_CLOCK, invitation_id=first.invitation.pk)
    accept(second)
    assert HeldAccount.objects.get().holders == sorted([ada.pk, house.greta.pk])


def test_an_invitation_that_has_ended_gets_no_new_link(house: House) -> None:
    made = invited(house)
    taken_back(house, made)
    with pytest.raises(InvitationOver, match="taken back"):
        send_invitation(by=house.admin, clock=DATABASE_CLOCK, invitation_id=made.invitation.pk)


def test_one_that_is_too_old_is_sent_again_or_replaced(house: House) -> None:
    made = invited(house)
    over(house, made)
    again = send_invitation(by=house.admin, clock=DATABASE_CLOCK, invitation_id=made.invitation.pk)
    over(house, made)
    replaced = invited(house)
    with pytest.raises(Http404):
        accept(Invited(made.invitation, again.link and again.link + "x"))
    made.invitation.refresh_from_db()
    assert made.invitation.ended_as == "expired"
    assert accept(replaced).username == "mei"


def test_there_is_one_invitation_for_a_username(house: House) -> None:
    made = invited(house)
    with pytest.raises(AlreadyInvited) as refused:
        invited(house)
    assert refused.value.details == {"id": str(made.invitation.pk)}


def test_a_member_is_not_invited(house: House) -> None:
    with pytest.raises(AlreadyMember):
        invited(house, "tomas")


def test_a_former_member_is_invited(house: House) -> None:
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk)
    made = invited(house, "tomas", display_name="Tomas")
    accept_signed_in(by=signed_in(house.tomas), clock=DATABASE_CLOCK, secret=secret_of(made))
    assert Membership.objects.filter(tenant=house.tenant, user=house.tomas, ended_at=None).exists()
    assert not HeldAccount.objects.exists()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"username": "Mei!"}, "username"),
        ({"roles": []}, "roles"),
        ({"roles": ["boss"]}, "roles"),
        ({"teams": ["nowhere"]}, "teams"),
        ({"email": "mei"}, "email"),
        ({"email": "mei@example.org\nBcc: all@example.org"}, "email"),
        ({"display_name": "a\u202eb"}, "displayName"),
        ({"display_name": "NIA"}, "displayName"),
    ],
)
def test_bad_input_is_refused_at_its_field(house: House, given: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        invited(house, **given)
    assert [each.field for each in refused.value.fields] == [field]
    assert not Invitation.objects.exists()


def test_only_administrators_in_person_invite(house: House) -> None:
    service = make_service(house.tenant, house.greta, scopes=["tenant:admin"])
    by_command = make_token(house.tenant, house.greta, by=None)
    refused: list[Actor] = [
        house.as_actor(house.nia),
        actor_of_token(make_token(house.tenant, service.user)),
    ]
    for by in refused:
        for act in (
            lambda by: invite(by=by, clock=DATABASE_CLOCK, username="mei", roles=["viewer"]),
            lambda by: send_invitation(by=by, clock=DATABASE_CLOCK, invitation_id=house.greta.pk),
        ):
            with pytest.raises(Refused):
                act(by)
    assert invite(by=actor_of_token(by_command), clock=DATABASE_CLOCK, username="mei", roles=["viewer"])


def test_nobody_invites_themselves(house: House) -> None:
    with pytest.raises(OwnRights):
        invited(house, "greta")


def test_administrators_of_another_tenant_find_nothing(house: House) -> None:
    made = invited(house)
    other = make_tenant("elsewhere")
    boss = actor_of(make_person(other, "boss", roles=["admin"]), other)
    for act in (send_invitation, withdraw_invitation):
        with pytest.raises(Http404):
            act(by=boss, clock=DATABASE_CLOCK, invitation_id=made.invitation.pk)
    assert accept(made)


def test_many_links_wait(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stellapromote.identity.link_rates.FREE_OF_A_PERSON", 2)
    for number in range(2):
        invited(house, f"mei-{number}", display_name=f"Mei {number}")
    with pytest.raises(ProductError) as refused:
        invited(house, "mei-9", display_name="Mei 9")
    assert (refused.value.code, refused.value.retry_after > 0) == ("SYS_RATE_LIMITED", True)


def test_a_mailbox_gets_a_few_links(house: House) -> None:
    for number in range(5):
        invited(house, f"mei-{number}", display_name=f"Mei {number}", email="mei@example.org")
    with pytest.raises(ProductError) as refused:
        invited(house, "mei-9", display_name="Mei 9", email="MEI@example.org")
    assert refused.value.code == "SYS_RATE_LIMITED"


def test_an_invented_link_leads_nowhere(house: House) -> None:
    invited(house)
    assert invitation_of_link("x") is None
