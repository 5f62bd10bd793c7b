"""add_service, issue_token, revoke_token (contract.md, tokens; domain.md §5, machines launder nothing)."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.http import Http404

from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import ApiToken, ServiceAccount, ServiceOwner, User
from stellapromote.accounts.scopes import PROMOTION_APPROVE, PROMOTION_OVERRIDE, ROLES, TENANT_ADMIN
from stellapromote.accounts.token_format import parse, secret_digest
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid, Refused
from stellapromote.identity.actions.add_service import ServiceExists, add_service
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.issue_token import IssuedToken, issue_token
from stellapromote.identity.actions.revoke_token import revoke_token
from stellapromote.identity.rules import NotYourToken
from tests.factories import actor_of_token, make_person, make_service, make_tenant, make_token
from tests.stellapromote.identity.actions.cases import House, last_event, make_house

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def house() -> House:
    return make_house()


def issue(house: House, owner: User, by: User | None = None, **more: object) -> IssuedToken:
    """Issued by the owner unless somebody else is named."""
    return issue_token(
        by=house.as_actor(by or owner),
        clock=DATABASE_CLOCK,
        user_id=owner.pk,
        name="laptop",
        **more,  # type: ignore[arg-type]
    )


# --- services ---------------------------------------------------------------------------------------------------------


def test_a_service_acts_under_a_name_that_no_person_can_have(house: House) -> None:
    service = make_service(house.tenant, house.tomas, "ci-runner")
    assert service.user.username == "kestrel-pay.ci-runner"
    assert (service.user.kind, service.user.has_usable_password()) == ("service", False)


def test_a_service_and_its_owners_are_audited(house: House) -> None:
    make_service(house.tenant, house.tomas, "ci-runner", scopes=["release:read"])
    assert last_event("service.created").after == {"name": "ci-runner", "scopes": ["release:read"], "owners": ["tomas"]}


@pytest.mark.parametrize("scope", [PROMOTION_APPROVE, PROMOTION_OVERRIDE, "nonsense"])
def test_a_service_gets_no_scope_to_vote_or_override(house: House, scope: str) -> None:
    with pytest.raises(Invalid):
        make_service(house.tenant, house.tomas, scopes=["release:read", scope])
    assert not ServiceAccount.objects.exists()


@pytest.mark.parametrize("owners", [[], ["nobody"], ["tomas", "mei"], ["kestrel-pay.other"]])
def test_a_service_is_owned_by_members_of_its_tenant(house: House, owners: list[str]) -> None:
    make_person(make_tenant("osprey"), "mei")
    make_service(house.tenant, house.tomas, "other")
    with pytest.raises(Invalid):
        add_service(by=house.admin, clock=DATABASE_CLOCK, name="ci-runner", owners=owners, scopes=["release:read"])
    assert ServiceAccount.objects.count() == 1


def test_who_left_owns_no_new_service(house: House) -> None:
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk)
    with pytest.raises(Invalid):
        make_service(house.tenant, house.tomas)


def test_the_name_of_a_service_is_taken_once_in_each_tenant(house: House) -> None:
    make_service(house.tenant, house.tomas, "ci-runner")
    with pytest.raises(ServiceExists):
        make_service(house.tenant, house.tomas, "ci-runner")
    other = make_tenant("osprey")
    make_service(other, make_person(other, "mei"), "ci-runner")


def test_only_administrators_add_services(house: House) -> None:
    by = house.as_actor(house.tomas)
    with pytest.raises(Refused, match=TENANT_ADMIN):
        add_service(by=by, clock=DATABASE_CLOCK, name="ci-runner", owners=["tomas"], scopes=["release:read"])


# --- issuing ----------------------------------------------------------------------------------------------------------


def test_a_token_holds_what_its_owner_holds_unless_told_otherwise(house: House) -> None:
    assert actor_of_token(issue(house, house.nia).text).scopes == ROLES["approver"]


def test_only_the_digest_of_the_secret_is_kept(house: House) -> None:
    issued = issue(house, house.nia)
    parts = parse(issued.text)
    assert parts is not None
    assert bytes(issued.token.secret_digest) == secret_digest(parts[1])
    everything = json.dumps(list(AuditEvent.objects.values("before", "after", "metadata")))
    assert parts[1] not in everything
    assert parts[1] not in repr(issued)


def test_a_token_is_audited_with_owner_scopes_and_end(house: House) -> None:
    issued = issue_token(
        by=house.as_actor(house.nia),
        clock=FixedClock(NOON),
        user_id=house.nia.pk,
        name="laptop",
        scopes=["promotion:read"],
    )
    assert last_event("token.issued").after == {
        "owner": "nia",
        "name": "laptop",
        "publicId": issued.token.public_id,
        "scopes": ["promotion:read"],
        "expiresAt": "2027-02-21T12:00:00.000Z",
    }


@pytest.mark.parametrize("scope", [TENANT_ADMIN, "release:write", PROMOTION_OVERRIDE, "nonsense", ""])
def test_a_token_gets_no_scope_that_its_owner_lacks(house: House, scope: str) -> None:
    with pytest.raises(Invalid):
        issue(house, house.nia, scopes=["promotion:read", scope])
    assert not ApiToken.objects.exists()


def test_a_token_for_who_holds_nothing_is_refused(house: House) -> None:
    with pytest.raises(Invalid):
        issue(house, make_person(house.tenant))


def test_a_token_loses_what_its_owner_loses(house: House) -> None:
    text = issue(house, house.nia).text
    end_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk, role="approver")
    assert actor_of_token(text).scopes == frozenset()


def test_a_token_gains_nothing_that_its_owner_gains(house: House) -> None:
    text = issue(house, house.nia, scopes=["promotion:read"]).text
    make_person(house.tenant, "nia", roles=["admin"])
    assert actor_of_token(text).scopes == {"promotion:read"}


@pytest.mark.parametrize("days", [1, 90, 366])
def test_a_token_lives_up_to_366_days(house: House, days: int) -> None:
    token = issue(house, house.nia, life=timedelta(days=days)).token
    assert token.expires_at - token.created_at == timedelta(days=days)


def test_a_token_lives_90_days_unless_told_otherwise(house: House) -> None:
    token = issue(house, house.nia).token
    assert token.expires_at - token.created_at == timedelta(days=90)


@pytest.mark.parametrize(
    "life", [timedelta(0), timedelta(days=-1), timedelta(days=367), timedelta(days=366, seconds=1)]
)
def test_a_token_that_lives_too_long_or_not_at_all_is_refused(house: House, life: timedelta) -> None:
    with pytest.raises(Invalid):
        issue(house, house.nia, life=life)


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\0b", "a\u202eb", "a\nb"])
def test_a_name_that_cannot_be_is_refused(house: House, name: str) -> None:
    with pytest.raises(Invalid):
        issue_token(by=house.as_actor(house.nia), clock=DATABASE_CLOCK, user_id=house.nia.pk, name=name)


def test_nobody_issues_a_token_for_another_person(house: House) -> None:
    for by in (house.greta, house.tomas):
        with pytest.raises(NotYourToken):
            issue(house, house.nia, by=by)


def test_a_token_issues_no_other_token(house: House) -> None:
    by = actor_of_token(issue(house, house.nia).text)
    with pytest.raises(NotYourToken):
        issue_token(by=by, clock=DATABASE_CLOCK, user_id=house.nia.pk, name="copy")


@pytest.mark.parametrize("username", ["tomas", "greta"])
def test_a_service_token_is_issued_by_an_owner_or_an_administrator_who_is_recorded(house: House, username: str) -> None:
    service = make_service(house.tenant, house.tomas)
    issuer = User.objects.get(username=username)
    text = issue(house, service.user, by=issuer, scopes=["promotion:read"]).text
    assert actor_of_token(text).token_issuer_id == issuer.pk


def test_a_service_token_is_issued_by_nobody_else(house: House) -> None:
    service = make_service(house.tenant, house.tomas)
    with pytest.raises(NotYourToken):
        issue(house, service.user, by=house.nia)


def test_a_service_token_gets_no_scope_that_the_service_lacks(house: House) -> None:
    service = make_service(house.tenant, house.tomas, scopes=["release:read"])
    with pytest.raises(Invalid):
        issue(house, service.user, by=house.tomas, scopes=["release:write"])


def test_a_token_from_the_command_line_has_no_issuer(house: House) -> None:
    text = make_token(house.tenant, house.nia, by=command_actor(house.tenant))
    assert actor_of_token(text).token_issuer_id is None
    assert last_event("token.issued").actor_type == "system"


def test_accounts_of_another_tenant_do_not_exist(house: House) -> None:
    other = make_tenant("osprey")
    mei = make_person(other, "mei", roles=["viewer"])
    for account in (mei, make_service(other, mei).user):
        with pytest.raises(Http404):
            issue_token(by=command_actor(house.tenant), clock=DATABASE_CLOCK, user_id=account.pk, name="theirs")


# --- revoking ---------------------------------------------------------------------------------------------------------


def revoked(house: House, by: User) -> bool:
    revoke_token(by=house.as_actor(by), clock=DATABASE_CLOCK, token_id=ApiToken.objects.get().pk)
    return ApiToken.objects.get().revoked_by == by


def test_a_token_is_revoked_by_its_owner(house: House) -> None:
    issue(house, house.nia)
    assert revoked(house, house.nia)


def test_a_token_is_revoked_by_an_administrator(house: House) -> None:
    issue(house, house.nia)
    assert revoked(house, house.greta)


def test_a_service_token_is_revoked_by_an_owner_of_the_service(house: House) -> None:
    service = make_service(house.tenant, house.tomas)
    issue(house, service.user, by=house.greta, scopes=["promotion:read"])
    assert revoked(house, house.tomas)


def test_a_token_is_revoked_by_nobody_else(house: House) -> None:
    issue(house, house.nia)
    with pytest.raises(NotYourToken):
        revoked(house, house.tomas)


def test_a_revoked_token_stays_as_it_was_revoked(house: House) -> None:
    issue(house, house.nia)
    revoked(house, house.greta)
    before = ApiToken.objects.get().revoked_at
    revoke_token(by=house.as_actor(house.nia), clock=DATABASE_CLOCK, token_id=ApiToken.objects.get().pk)
    token = ApiToken.objects.get()
    assert (token.revoked_at, token.revoked_by) == (before, house.greta)
    assert AuditEvent.objects.filter(action="token.revoked").count() == 1


def test_a_token_of_another_tenant_does_not_exist(house: House) -> None:
    other = make_tenant("osprey")
    make_token(other, make_person(other, "mei", roles=["viewer"]))
    with pytest.raises(Http404):
        revoked(house, house.greta)


def test_a_member_who_comes_back_finds_their_old_tokens_revoked(house: House) -> None:
    text = issue(house, house.nia).text
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=house.nia.pk)
    make_person(house.tenant, "nia", roles=["approver"])
    assert ApiToken.objects.get().revoked_at is not None
    assert actor_of_token(text).scopes


# --- a service and its owners -----------------------------------------------------------------------------------------


def test_who_leaves_owns_nothing_any_more_and_their_services_tokens_are_revoked(house: House) -> None:
    """Tomas issued a token for his service and one for one that he shares with nia: he knows both."""
    his = make_service(house.tenant, house.tomas, "his")
    shared = add_service(
        by=house.admin, clock=DATABASE_CLOCK, name="shared", owners=["tomas", "nia"], scopes=["release:read"]
    )
    of_tomas = [issue(house, service.user, by=house.tomas) for service in (his, shared)]
    of_nia = issue(house, shared.user, by=house.nia)
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk, reason="Left")
    assert not ServiceOwner.objects.filter(owner=house.tomas, ended_at=None).exists()
    assert ApiToken.objects.filter(pk__in=[each.token.pk for each in of_tomas], revoked_by=house.greta).count() == 2
    assert actor_of_token(of_nia.text).scopes == {"release:read"}
    event = last_event("member.ended")
    assert (event.before["services"], event.metadata["revokedTokens"]) == (["his", "shared"], 2)


def test_what_a_person_owns_in_another_tenant_stays(house: House) -> None:
    other = make_tenant("osprey")
    make_person(other, "tomas", roles=["operator"])
    service = make_service(other, house.tomas)
    text = make_token(other, service.user)
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk)
    assert actor_of_token(text).kind == "service"
