from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.held_accounts import carry_over, hold
from stellapromote.accounts.models import (
    GrantedVia,
    HeldAccount,
    Invitation,
    Membership,
    RoleGrant,
    Team,
    TeamGrant,
    User,
)
from stellapromote.accounts.scopes import role_of
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.errors import Invalid
from stellapromote.identity import names
from stellapromote.identity.account_events import record_account
from stellapromote.identity.actions.lock import lock_membership, lock_person
from stellapromote.identity.invitations import InvitationOver, check_open, invitation_of_link
from stellapromote.transactions import transactional


class NameTaken(InvitationOver):
    """The username has an account by now; its link sets no password."""

    def __init__(self, username: str) -> None:
        super().__init__(
            f"{username} has an account by now: sign in with it, or ask for an invitation with another username."
        )


@dataclass(frozen=True, slots=True)
class _Locked:
    """An invitation that may be accepted at this instant, with its teams, under their locks."""

    invitation: Invitation
    teams: list[Team]
    at: datetime


@transactional
def accept_with_new_account(*, by: Actor, clock: Clock, secret: str, password: str) -> User:
    """Makes the invited account with its first password, and its membership. The form has judged the password.

    ``by``: nobody yet, with the address of the request. Raises Http404 for a link that was never made or was replaced,
    InvitationOver (409), NameTaken (409).
    """
    found = _locked(secret, clock)
    invitation, at = found.invitation, found.at
    if lock_person(invitation.username) is not None:
        raise NameTaken(invitation.username)
    _check_name(invitation.username, invitation.display_name, invitation.tenant_id)
    by_mail_alone = not invitation.shown_to
    user = User(
        username=invitation.username,
        display_name=invitation.display_name,
        email=invitation.email if by_mail_alone else "",
        kind=User.Kind.PERSON,
        date_joined=at,
    )
    user.set_password(password)
    # Two tenants may invite the same name: the second waits here for the first, and then finds its row.
    User.objects.bulk_create([user], ignore_conflicts=True)
    stored = lock_person(invitation.username)
    if stored is None or stored.pk != user.pk:
        raise NameTaken(invitation.username)
    person = replace(by, kind="person", user_id=user.pk, username=user.username, display_name=user.display_name)
    record_account("user.created", user, by=person, at=at)
    held = hold(
        user.pk, _inviters(invitation), because=HeldAccount.Because.INVITATION, tenant_id=invitation.tenant_id, at=at
    )
    _accept(found, user, by=person, made_account=True, held=held)
    return user


@transactional
def accept_signed_in(*, by: Actor, clock: Clock, secret: str) -> Invitation:
    """Gives the membership to the person who is signed in, who is the one invited. Where it is their first one in the
    tenant, the account counts as that of the inviters until another person confirms it (docs/adr/0234).

    Raises Http404 as ``accept_with_new_account``, InvitationOver (409).
    """
    found = _locked(secret, clock)
    invitation = found.invitation
    user = lock_person(invitation.username)
    if user is None or not user.is_active or user.pk != by.user_id or by.auth_method != "session":
        raise InvitationOver(f"This invitation is for {invitation.username}: sign in with that account.")
    if user.pk in _inviters(invitation):
        raise InvitationOver("You made this invitation, so you cannot accept it: ask another administrator.")
    if Membership.objects.filter(tenant_id=invitation.tenant_id, user=user, ended_at=None).exists():
        raise InvitationOver("You are a member already: an administrator changes your roles on Members.")
    _check_name(user.username, user.display_name, invitation.tenant_id)
    held = carry_over(user.pk, tenant_id=invitation.tenant_id, at=found.at, invited_by=_inviters(invitation))
    _accept(found, user, by=by, made_account=False, held=held)
    return invitation


def _inviters(invitation: Invitation) -> frozenset[UUID]:
    return frozenset({invitation.created_by_id, *invitation.created_behind, *invitation.shown_to})


def _locked(secret: str, clock: Clock) -> _Locked:
    """The open invitation, after its inviter's membership: their role does not end meanwhile."""
    found = invitation_of_link(secret)
    if found is None:
        raise Http404("No such link.")
    with suppress(Http404):  # their roles ended with a membership that is over, which check_open says
        lock_membership(found.tenant_id, found.created_by_id)
    rows = Invitation.objects.select_for_update(no_key=True, of=("self",)).select_related("tenant")
    invitation = rows.filter(pk=found.pk, link_digest=found.link_digest).first()
    if invitation is None:
        raise Http404("No such link.")
    at = max(clock.now(), invitation.created_at)
    check_open(invitation, at)
    if not User.objects.filter(pk=invitation.created_by_id, is_active=True).exists():
        raise InvitationOver("The person who invited may not act here any more: ask for a new invitation.")
    wanted = Team.objects.select_for_update(no_key=True).filter(tenant=invitation.tenant, pk__in=invitation.teams)
    teams = list(wanted.order_by("slug"))
    if len(teams) != len(invitation.teams):
        raise InvitationOver("A team of this invitation is gone: ask an administrator for a new one.")
    return _Locked(invitation, teams, at)


def _check_name(username: str, display_name: str, tenant_id: UUID) -> None:
    try:
        names.check_free("displayName", display_name, username=username, tenants=[tenant_id])
    except Invalid:
        raise InvitationOver(
            f"The name {display_name} is that of another account of the tenant: change your name, or ask for an "
            "invitation with another one."
        ) from None


def _accept(found: _Locked, user: User, *, by: Actor, made_account: bool, held: list[HeldAccount]) -> None:
    invitation, at, tenant = found.invitation, found.at, found.invitation.tenant
    given: Mapping[str, Any] = {
        "tenant": tenant,
        "user": user,
        "granted_at": at,
        "granted_by_id": invitation.created_by_id,
        "granted_behind": invitation.created_behind,
        "granted_via": GrantedVia.PAGE,
        "invitation": invitation,
    }
    under = {"granted_under_id": invitation.granted_under_id}
    membership = Membership.objects.create(**given)
    roles = [
        RoleGrant.objects.create(
            **given, **under, role=role, products=invitation.products if role != role_of(role) else []
        )
        for role in invitation.roles
    ]
    in_teams = [TeamGrant.objects.create(**given, **under, team=team) for team in found.teams]
    invitation.ended_at, invitation.ended_as, invitation.ended_by = at, Invitation.End.ACCEPTED, user
    invitation.made_account = made_account
    invitation.save(update_fields=["ended_at", "ended_as", "ended_by", "made_account"])
    record(
        by=replace(by, tenant_id=tenant.pk, tenant_slug=tenant.slug),
        at=at,
        action="invitation.accepted",
        resource="invitation",
        resource_id=invitation.pk,
        after={
            "username": user.username,
            "displayName": user.display_name,
            "roles": invitation.role_names,
            **({"products": invitation.products} if invitation.products else {}),
            "teams": [team.slug for team in found.teams],
        },
        metadata={"isNewPerson": made_account},
        rows=[invitation, membership, *roles, *in_teams, *held],
    )
