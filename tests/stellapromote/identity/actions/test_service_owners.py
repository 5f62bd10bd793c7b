"""add_service_owner, end_service_owner: a service changes hands and never ends up in nobody's."""

from uuid import UUID

import pytest
from django.http import Http404

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ApiToken, ServiceAccount, ServiceOwner, User
from stellapromote.accounts.token_format import parse
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid, Refused
from stellapromote.identity.actions.add_service_owner import add_service_owner
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_service_owner import LastOwner, end_service_owner
from stellapromote.identity.rules import OwnRights
from tests.factories import actor_of_token, make_person, make_service, make_tenant, make_token
from tests.stellapromote.identity.actions.cases import House, last_event, make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> House:
    return make_house()


@pytest.fixture
def runner(house: House) -> ServiceAccount:
    """Owned by tomas."""
    return make_service(house.tenant, house.tomas, "ci-runner")


def add(by: Actor, service: ServiceAccount, owner: str) -> ServiceOwner:
    return add_service_owner(by=by, clock=DATABASE_CLOCK, service_id=service.pk, owner=owner)


def end(by: Actor, service: ServiceAccount, user_id: UUID, reason: str = "") -> tuple[ServiceOwner, int]:
    return end_service_owner(by=by, clock=DATABASE_CLOCK, service_id=service.pk, user_id=user_id, reason=reason)


def owners(service: ServiceAccount) -> list[str]:
    live = service.owners.filter(ended_at=None)
    return list(live.order_by("owner__username").values_list("owner__username", flat=True))


def test_a_service_changes_hands(house: House, runner: ServiceAccount) -> None:
    add(house.admin, runner, "nia")
    assert owners(runner) == ["nia", "tomas"]
    event = last_event("service.owner_added")
    assert (event.actor_name, event.resource_id, event.after) == (
        "Greta (greta)",
        str(runner.pk),
        {"name": "ci-runner", "owner": "nia"},
    )
    end(house.admin, runner, house.tomas.pk, "Hands it over")
    assert owners(runner) == ["nia"]
    event = last_event("service.owner_ended")
    assert (event.before, event.after) == ({"name": "ci-runner", "owner": "tomas"}, {"reason": "Hands it over"})


def test_both_may_be_said_again(house: House, runner: ServiceAccount) -> None:
    assert add(house.admin, runner, "nia") == add(house.admin, runner, "nia")
    assert [end(house.admin, runner, house.tomas.pk)[0].ended_at for _ in range(2)] == [
        runner.owners.get(owner=house.tomas).ended_at
    ] * 2
    assert owners(runner) == ["nia"]


def test_the_last_owner_stays(house: House, runner: ServiceAccount) -> None:
    with pytest.raises(LastOwner, match="add another owner first"):
        end(house.admin, runner, house.tomas.pk)
    assert owners(runner) == ["tomas"]


@pytest.mark.parametrize("gone", ["left", "deactivated"])
def test_an_owner_who_is_no_active_member_does_not_count(house: House, runner: ServiceAccount, gone: str) -> None:
    add(house.admin, runner, "nia")
    if gone == "left":
        end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk)
    else:
        User.objects.filter(pk=house.nia.pk).update(is_active=False)
    with pytest.raises(LastOwner):
        end(house.admin, runner, house.tomas.pk)
    User.objects.filter(pk=house.nia.pk).update(is_active=True)  # no action of the product does this


def test_a_service_that_nobody_owns_acts_again_with_a_new_owner(house: House, runner: ServiceAccount) -> None:
    text = make_token(house.tenant, runner.user)
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk)
    with pytest.raises(AssertionError):
        actor_of_token(text)
    add(house.admin, runner, "nia")
    assert actor_of_token(text).kind == "service"


def test_the_tokens_that_a_former_owner_knows_are_revoked_and_no_others(house: House, runner: ServiceAccount) -> None:
    add(house.admin, runner, "nia")
    known = [make_token(house.tenant, runner.user, by=by) for by in (house.as_actor(house.tomas), None)]
    others = [
        make_token(house.tenant, runner.user, by=house.as_actor(house.nia)),
        make_token(house.tenant, make_service(house.tenant, house.tomas).user, by=house.as_actor(house.tomas)),
        make_token(house.tenant, house.tomas, by=house.as_actor(house.tomas)),
    ]
    assert end(house.admin, runner, house.tomas.pk)[1] == 2
    assert last_event("service.owner_ended").metadata["revokedTokens"] == 2
    assert [is_revoked(each) for each in (*known, *others)] == [True, True, False, False, False]


def is_revoked(token: str) -> bool:
    parts = parse(token)
    assert parts is not None
    return ApiToken.objects.get(public_id=parts[0]).revoked_at is not None


def test_nobody_ends_their_own_ownership(house: House, runner: ServiceAccount) -> None:
    make_person(house.tenant, "tomas", roles=["admin"])
    add(house.admin, runner, "nia")
    with pytest.raises(OwnRights):
        end(house.as_actor(house.tomas), runner, house.tomas.pk)


def test_nobody_ends_their_own_ownership_through_a_machine_of_theirs(house: House, runner: ServiceAccount) -> None:
    add(house.admin, runner, "nia")
    machine = make_service(house.tenant, house.tomas, scopes=["tenant:admin"])
    with pytest.raises(OwnRights):
        end(actor_of_token(make_token(house.tenant, machine.user, scopes=["tenant:admin"])), runner, house.tomas.pk)


def test_only_administrators_change_owners(house: House, runner: ServiceAccount) -> None:
    for change in (lambda by: add(by, runner, "nia"), lambda by: end(by, runner, house.nia.pk)):
        with pytest.raises(Refused):
            change(house.as_actor(house.tomas))
    assert owners(runner) == ["tomas"]


def test_an_owner_is_a_member(house: House, runner: ServiceAccount) -> None:
    make_person(make_tenant("osprey"), "mei")
    for username in ("mei", "nobody", "kestrel-pay.ci-runner"):
        with pytest.raises(Invalid, match="Not a member"):
            add(house.admin, runner, username)


def test_who_never_owned_it_is_told_so(house: House, runner: ServiceAccount) -> None:
    with pytest.raises(Http404):
        end(house.admin, runner, house.nia.pk)


def test_services_of_another_tenant_do_not_exist(house: House) -> None:
    other = make_tenant("osprey")
    theirs = make_service(other, make_person(other, "mei"))
    with pytest.raises(Http404):
        add(house.admin, theirs, "nia")
    with pytest.raises(Http404):
        end(house.admin, theirs, theirs.owners.get().owner_id)
