"""Two changes of the same person's rights at one instant, on real transactions."""

from collections.abc import Callable

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import ApiToken, Invitation, Membership, RoleGrant, User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid
from stellapromote.identity.actions.accept_invitation import accept_with_new_account
from stellapromote.identity.actions.add_member import AddedMember, add_member
from stellapromote.identity.actions.change_display_name import change_display_name
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.end_service import end_service
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.invite import Invited, invite
from stellapromote.identity.actions.issue_token import issue_token
from stellapromote.identity.actions.last_admin import LastAdmin
from stellapromote.identity.invitations import InvitationOver
from tests.database import CommittedDatabase
from tests.factories import PASSWORD, actor_of, make_person, make_service, make_tenant
from tests.stellapromote.identity.actions.cases import make_house


def test_two_commands_at_once_make_one_account_and_one_membership(committed_db: CommittedDatabase) -> None:
    by = command_actor(make_tenant())

    def add() -> AddedMember:
        return add_member(by=by, clock=DATABASE_CLOCK, username="mei")

    outcomes = committed_db.at_once(*[add] * 6)
    assert [each for each in outcomes if isinstance(each, Exception)] == []
    assert User.objects.filter(username="mei").count() == 1
    assert Membership.objects.filter(user__username="mei").count() == 1


def test_of_people_who_take_the_same_name_at_once_one_gets_it(committed_db: CommittedDatabase) -> None:
    tenant = make_tenant()
    people = [actor_of(make_person(tenant, name), tenant) for name in ("mei", "nia", "ravi", "tomas")]

    def take(by: Actor) -> Callable[[], User]:
        return lambda: change_display_name(by=by, clock=DATABASE_CLOCK, display_name="Bea Ortiz")

    outcomes = committed_db.at_once(*map(take, people))
    assert sum(isinstance(each, Invalid) for each in outcomes) == 3
    assert User.objects.filter(display_name="Bea Ortiz").count() == 1


def test_the_same_role_granted_twice_at_one_instant_is_one_grant(committed_db: CommittedDatabase) -> None:
    house = make_house()
    by = house.admin

    def grant() -> RoleGrant:
        return grant_role(by=by, clock=DATABASE_CLOCK, user_id=house.nia.pk, role="auditor")

    outcomes = committed_db.at_once(*[grant] * 6)
    assert [each for each in outcomes if isinstance(each, Exception)] == []
    assert RoleGrant.objects.filter(user=house.nia, role="auditor").count() == 1


def test_a_membership_that_ends_while_a_role_is_granted_leaves_no_live_role(committed_db: CommittedDatabase) -> None:
    house = make_house()
    by = house.admin
    people = [make_person(house.tenant) for _ in range(6)]
    for person in people:
        committed_db.at_once(
            lambda person=person: grant_role(by=by, clock=DATABASE_CLOCK, user_id=person.pk, role="auditor"),
            lambda person=person: end_membership(by=by, clock=DATABASE_CLOCK, user_id=person.pk),
        )
    assert not RoleGrant.objects.filter(user__in=people, ended_at=None).exists()


def test_two_administrators_do_not_end_each_other_at_once(committed_db: CommittedDatabase) -> None:
    for _ in range(3):
        tenant = make_tenant()
        people = [make_person(tenant, roles=["admin"]) for _ in range(2)]
        mei, zoe = (actor_of(each, tenant) for each in people)
        outcomes = committed_db.at_once(
            lambda mei=mei, zoe=zoe: end_role(by=mei, clock=DATABASE_CLOCK, user_id=zoe.account, role="admin"),
            lambda mei=mei, zoe=zoe: end_membership(by=zoe, clock=DATABASE_CLOCK, user_id=mei.account),
        )
        assert [type(each) for each in outcomes if isinstance(each, Exception)] == [LastAdmin]
        assert RoleGrant.objects.filter(tenant=tenant, ended_at=None).count() == 1


def test_a_service_that_ends_gets_no_token_at_the_same_instant(committed_db: CommittedDatabase) -> None:
    house = make_house()
    by, owner = house.admin, house.as_actor(house.tomas)
    for _ in range(6):
        service = make_service(house.tenant, house.tomas)
        committed_db.at_once(
            lambda each=service: end_service(by=by, clock=DATABASE_CLOCK, service_id=each.pk, reason="over"),
            lambda each=service: issue_token(by=owner, clock=DATABASE_CLOCK, user_id=each.user_id, name="ci"),
        )
    assert not ApiToken.objects.filter(revoked_at=None).exists()


def test_an_invitation_that_two_people_accept_at_once_makes_one_account(committed_db: CommittedDatabase) -> None:
    house = make_house()
    made = invite(by=house.admin, clock=DATABASE_CLOCK, username="mei", roles=["viewer"])
    assert made.link is not None
    secret = made.link.rsplit("/", 1)[1]
    nobody = Actor("system", None, "", "Nobody signed in", None, "")

    def accept() -> User:
        return accept_with_new_account(by=nobody, clock=DATABASE_CLOCK, secret=secret, password=PASSWORD)

    outcomes = committed_db.at_once(*[accept] * 4)
    assert sum(isinstance(each, User) for each in outcomes) == 1
    assert sum(isinstance(each, InvitationOver) for each in outcomes) == 3
    assert User.objects.filter(username="mei").count() == 1
    assert Membership.objects.filter(user__username="mei").count() == 1


def test_two_administrators_who_invite_the_same_username_at_once_make_one_invitation(
    committed_db: CommittedDatabase,
) -> None:
    house = make_house()
    ada = actor_of(make_person(house.tenant, "ada", roles=["admin"]), house.tenant)

    def act(by: Actor) -> Callable[[], Invited]:
        return lambda: invite(by=by, clock=DATABASE_CLOCK, username="mei", roles=["viewer"])

    outcomes = committed_db.at_once(act(house.admin), act(ada))
    assert sorted(type(each).__name__ for each in outcomes) == ["AlreadyInvited", "Invited"]
    assert Invitation.objects.count() == 1
