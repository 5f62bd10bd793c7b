"""set_password, change_display_name, end_sessions: an account belongs to its person (domain.md §5)."""

import pytest
from django.http import Http404

from stellapromote.accounts.models import User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid
from stellapromote.identity.actions.change_display_name import change_display_name
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_sessions import end_other_sessions, end_session
from stellapromote.identity.actions.set_password import NotYourPassword, PasswordIsSet, set_password
from stellapromote.identity.models import PersonSession
from stellapromote.ids import new_id
from tests.factories import PASSWORD, make_person, make_service, make_tenant
from tests.stellapromote.identity.actions.cases import House, last_event, make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> House:
    return make_house()


def add_session(user: User, key: str) -> PersonSession:
    now = DATABASE_CLOCK.now()
    return PersonSession.objects.create(session_key=key, user=user, expire_date=now, last_seen_at=now)


def test_a_person_sets_their_password(house: House) -> None:
    by = house.as_actor(house.nia)
    set_password(by=by, clock=DATABASE_CLOCK, user=house.nia, password=PASSWORD)
    assert User.objects.get(pk=house.nia.pk).check_password(PASSWORD)
    assert last_event("user.password_set").actor_id == house.nia.pk


def test_no_administrator_sets_the_password_of_another(house: House) -> None:
    with pytest.raises(NotYourPassword):
        set_password(by=house.admin, clock=DATABASE_CLOCK, user=house.nia, password=PASSWORD)
    assert not User.objects.get(pk=house.nia.pk).has_usable_password()


def test_a_link_sets_a_password_once(house: House) -> None:
    by = house.as_actor(house.nia)
    stale = User.objects.get(pk=house.nia.pk)
    over = stale.password
    set_password(by=by, clock=DATABASE_CLOCK, user=house.nia, password=PASSWORD, only_over=over)
    with pytest.raises(PasswordIsSet):
        set_password(by=by, clock=DATABASE_CLOCK, user=stale, password="another horse", only_over=over)
    assert User.objects.get(pk=house.nia.pk).check_password(PASSWORD)


def test_a_password_is_in_no_audit_event(house: House) -> None:
    set_password(by=house.as_actor(house.nia), clock=DATABASE_CLOCK, user=house.nia, password=PASSWORD)
    event = last_event("user.password_set")
    assert (event.before, event.after) == (None, None)
    assert PASSWORD not in str(event.metadata)


def test_a_new_password_ends_all_sessions_but_the_one_that_is_kept(house: House) -> None:
    for key in ("this", "that", "other"):
        add_session(house.nia, key)
    add_session(house.tomas, "theirs")
    by = house.as_actor(house.nia)
    set_password(by=by, clock=DATABASE_CLOCK, user=house.nia, password=PASSWORD, keep_session="this")
    assert set(PersonSession.objects.values_list("session_key", flat=True)) == {"this", "theirs"}


def test_ending_a_session_is_audited(house: House) -> None:
    session = add_session(house.nia, "that")
    end_session(by=house.as_actor(house.nia), clock=DATABASE_CLOCK, session_id=session.public_id)
    assert last_event("session.ended").resource_id == str(session.public_id)


@pytest.mark.parametrize("whose", ["greta", "nobody"])
def test_a_session_of_others_does_not_exist(house: House, whose: str) -> None:
    session_id = add_session(house.greta, "that").public_id if whose == "greta" else new_id()
    with pytest.raises(Http404):
        end_session(by=house.as_actor(house.nia), clock=DATABASE_CLOCK, session_id=session_id)
    assert PersonSession.objects.count() == (1 if whose == "greta" else 0)


def test_no_other_sessions_is_no_event(house: House) -> None:
    add_session(house.nia, "this")
    assert end_other_sessions(by=house.as_actor(house.nia), clock=DATABASE_CLOCK, keep="this") == 0


def test_a_new_name_is_audited_with_the_old_one(house: House) -> None:
    change_display_name(by=house.as_actor(house.nia), clock=DATABASE_CLOCK, display_name="Nia Okafor")
    event = last_event("user.renamed")
    assert (event.before, event.after) == ({"displayName": "Nia"}, {"displayName": "Nia Okafor"})


@pytest.mark.parametrize(
    "name", ["tomas", "TOMAS", "Mei  Ling", "\N{FULLWIDTH LATIN CAPITAL LETTER M}ei Ling", "ci", "left"]
)
def test_nobody_takes_the_name_of_another_account(house: House, name: str) -> None:
    """Username or displayed name, of people now or before and of services."""
    make_person(house.tenant, "mei", display_name="Mei Ling")
    make_service(house.tenant, house.tomas, "ci")
    left = make_person(house.tenant, "left", display_name="Somebody")
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=left.pk)
    with pytest.raises(Invalid, match="This is the name of another account here") as refused:
        change_display_name(by=house.as_actor(house.nia), clock=DATABASE_CLOCK, display_name=name)
    assert [each.field for each in refused.value.fields] == ["displayName"]
    assert User.objects.get(pk=house.nia.pk).display_name == "Nia"


@pytest.mark.parametrize("name", ["nia", "NIA", "Nia of release", "stranger", "Stran Ger"])
def test_ones_own_name_and_that_of_other_tenants_are_free(house: House, name: str) -> None:
    make_person(make_tenant("osprey"), "stranger", display_name="Stran Ger")
    change_display_name(by=house.as_actor(house.nia), clock=DATABASE_CLOCK, display_name=name)
    assert User.objects.get(pk=house.nia.pk).display_name == name


def test_a_new_account_takes_no_name_of_another(house: House) -> None:
    with pytest.raises(Invalid, match="nia: choose another one"):
        make_person(house.tenant, "eve", display_name="Nia")
    assert not User.objects.filter(username="eve").exists()
