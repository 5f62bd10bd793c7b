import pytest

from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Membership, User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid, Refused
from stellapromote.identity.actions.add_member import AddedMember, add_member
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.rules import OwnRights
from tests.factories import PASSWORD, make_person, make_tenant
from tests.stellapromote.identity.actions.cases import House, last_event, make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> House:
    return make_house()


def by_command(house: House, username: str, **more: str) -> AddedMember:
    return add_member(by=command_actor(house.tenant), clock=DATABASE_CLOCK, username=username, **more)  # type: ignore[arg-type]


def left(house: House, username: str) -> User:
    """Somebody who was a member and is not any more."""
    user = make_person(house.tenant, username)
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=user.pk)
    return user


def test_a_new_person_is_a_member_without_password_and_without_a_role(house: House) -> None:
    added = by_command(house, "mei", display_name="Mei Lin")
    assert (added.is_new_member, added.password_set) == (True, False)
    assert not added.user.has_usable_password()
    assert not added.user.role_grants.exists()
    event = last_event("member.added")
    assert event.after == {"username": "mei", "displayName": "Mei Lin", "reason": ""}
    assert event.metadata["isNewPerson"]


def test_again_for_a_member_changes_nothing(house: House) -> None:
    first = by_command(house, "mei")
    again = by_command(house, "mei", display_name="Somebody Else")
    assert again.membership == first.membership
    assert not again.is_new_member
    assert again.user.display_name == "mei"
    assert last_event("member.added").resource_id == str(first.user.pk)


def test_a_password_given_for_a_new_person_is_theirs(house: House) -> None:
    added = by_command(house, "mei", password=PASSWORD)
    assert added.password_set
    assert User.objects.get(username="mei").check_password(PASSWORD)


def test_a_password_is_never_set_over_that_of_its_person(house: House) -> None:
    by_command(house, "mei", password=PASSWORD)
    again = by_command(house, "mei", password="another horse, another staple")
    assert not again.password_set
    assert User.objects.get(username="mei").check_password(PASSWORD)


def test_no_administrator_sets_a_password(house: House) -> None:
    left(house, "mei")
    added = add_member(by=house.admin, clock=DATABASE_CLOCK, username="mei", password=PASSWORD)
    assert not added.password_set
    assert not User.objects.get(username="mei").has_usable_password()


@pytest.mark.parametrize("password", ["short", "password1234", "123456789012345", "", "mei-mei-mei-mei"])
def test_a_weak_password_makes_no_account(house: House, password: str) -> None:
    with pytest.raises(Invalid):
        by_command(house, "mei-mei-mei-mei", password=password)


def test_an_administrator_takes_back_who_left(house: House) -> None:
    mei = left(house, "mei")
    added = add_member(by=house.admin, clock=DATABASE_CLOCK, username="mei", reason="joins security")
    assert (added.user, added.membership.granted_by, added.membership.reason) == (mei, house.greta, "joins security")


def test_to_an_administrator_an_account_elsewhere_is_as_one_that_nobody_has(house: House) -> None:
    make_person(make_tenant(), "mei")
    answers = []
    for username in ("mei", "nobody"):
        with pytest.raises(Invalid) as refused:
            add_member(by=house.admin, clock=DATABASE_CLOCK, username=username)
        answers.append((refused.value.message, refused.value.fields))
    assert answers[0] == answers[1]
    assert not Membership.objects.filter(tenant=house.tenant, user__username="mei").exists()


def test_an_administrator_makes_no_account(house: House) -> None:
    with pytest.raises(Invalid, match="No present or former member"):
        add_member(by=house.admin, clock=DATABASE_CLOCK, username="mei")
    assert not User.objects.filter(username="mei").exists()


def test_who_left_can_come_back_with_a_new_membership(house: House) -> None:
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk)
    added = add_member(by=house.admin, clock=DATABASE_CLOCK, username="nia")
    assert added.is_new_member
    assert Membership.objects.filter(user=house.nia).count() == 2
    assert not house.nia.role_grants.filter(ended_at=None).exists()


def test_nobody_renews_their_own_membership(house: House) -> None:
    with pytest.raises(OwnRights):
        add_member(by=house.admin, clock=DATABASE_CLOCK, username="greta")


@pytest.mark.parametrize("username", ["nia", "tomas"])
def test_only_administrators_add_members(house: House, username: str) -> None:
    by = house.as_actor(User.objects.get(username=username))
    with pytest.raises(Refused, match="tenant:admin"):
        add_member(by=by, clock=DATABASE_CLOCK, username="greta")


@pytest.mark.parametrize("username", ["", "Mei", "-mei", "me i", "a.b", "x" * 64, "mei\n", "mei\0", "méi"])
def test_a_username_that_cannot_be_is_refused(house: House, username: str) -> None:
    with pytest.raises(Invalid):
        by_command(house, username)


@pytest.mark.parametrize("display_name", ["x" * 201, "Mei\u202e", "Mei\0", "a\nb"])
def test_a_name_that_cannot_be_is_refused(house: House, display_name: str) -> None:
    with pytest.raises(Invalid):
        by_command(house, "mei", display_name=display_name)
