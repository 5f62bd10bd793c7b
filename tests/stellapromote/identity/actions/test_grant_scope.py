"""Rights that no role has, given by name (domain.md §6): what they add to a person, and when it ends."""

import pytest
from django.core.management import CommandError, call_command

from stellapromote.accounts.models import ScopeGrant
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_scope import end_scope
from stellapromote.identity.actions.grant_scope import grant_scope
from tests.factories import actor_of, actor_of_token, make_token
from tests.stellapromote.identity.actions.cases import House, last_event, make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> House:
    return make_house()


def give(house: House, reason: str = "On call in December") -> ScopeGrant:
    return grant_scope(
        by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, scope=PROMOTION_OVERRIDE, reason=reason
    )


def test_the_person_holds_it_signed_in_and_by_token(house: House) -> None:
    assert not actor_of(house.nia, house.tenant).has(PROMOTION_OVERRIDE)
    give(house)
    assert actor_of(house.nia, house.tenant).has(PROMOTION_OVERRIDE)
    assert actor_of_token(make_token(house.tenant, house.nia)).has(PROMOTION_OVERRIDE)


def test_a_token_without_the_scope_does_not_have_it(house: House) -> None:
    give(house)
    text = make_token(house.tenant, house.nia, scopes=["promotion:read"])
    assert not actor_of_token(text).has(PROMOTION_OVERRIDE)


def test_a_token_loses_it_when_the_grant_ends(house: House) -> None:
    give(house)
    text = make_token(house.tenant, house.nia)
    end_scope(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, scope=PROMOTION_OVERRIDE)
    assert not actor_of_token(text).has(PROMOTION_OVERRIDE)
    assert not actor_of(house.nia, house.tenant).has(PROMOTION_OVERRIDE)


def test_it_is_audited_with_its_reason(house: House) -> None:
    give(house)
    event = last_event("scope.granted")
    assert event.after == {"username": house.nia.username, "scope": PROMOTION_OVERRIDE, "reason": "On call in December"}


def test_it_needs_a_reason(house: House) -> None:
    with pytest.raises(Invalid):
        give(house, reason=" ")


def test_no_other_right_is_given_by_name(house: House) -> None:
    with pytest.raises(Invalid, match="is not given by name"):
        grant_scope(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, scope="tenant:admin", reason="No")


def test_given_twice_it_is_one_grant(house: House) -> None:
    assert give(house) == give(house, reason="Again")


def test_it_ends_with_the_membership(house: House) -> None:
    give(house)
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, reason="Left")
    assert not ScopeGrant.objects.filter(ended_at=None).exists()


def test_the_command_gives_it(house: House) -> None:
    call_command("grant_scope", tenant=house.tenant.slug, username=house.nia.username, reason="The first", verbosity=0)
    assert ScopeGrant.objects.get().granted_by is None


def test_the_command_refuses_who_is_no_member(house: House) -> None:
    with pytest.raises(CommandError, match="no member"):
        call_command("grant_scope", tenant=house.tenant.slug, username="nobody", reason="No")
