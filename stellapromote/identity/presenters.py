"""Members, invitations, grants and teams as the API shows them."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from stellapromote.accounts.models import (
    ApiToken,
    Confirmable,
    Invitation,
    RoleGrant,
    ServiceAccount,
    ServiceOwner,
    SignInSettings,
    Team,
    TeamGrant,
)
from stellapromote.identity.models import Message, PersonSession
from stellapromote.identity.roster import Member


def member_document(member: Member) -> dict[str, Any]:
    """A member in wire names."""
    return {
        "id": member.user.pk,
        "username": member.user.username,
        "displayName": member.user.display_name,
        "joinedAt": member.membership.granted_at,
        "endedAt": member.membership.ended_at,
        "heldBy": _holders(member) if member.held else None,
        "grants": [grant_document(grant) for grant in member.grants],
    }


def _holders(member: Member) -> dict[str, Any]:
    return {"since": member.held[0].held_at, "usernames": member.holders, "email": member.mailbox or None}


def grant_document(grant: Confirmable) -> dict[str, Any]:
    """A role, team or right of a member in wire names."""
    kind, name = grant.names_right
    return {
        "id": grant.pk,
        "kind": kind,
        "name": name,
        "products": grant.products if isinstance(grant, RoleGrant) else [],
        "grantedAt": grant.granted_at,
        "grantedBy": grant.granted_by_id,
        "grantedByName": None if grant.granted_by is None else grant.granted_by.username,
        "grantedVia": grant.made_by,
        "confirmedAt": grant.confirmed_at,
        "confirmedBy": grant.confirmed_by_id,
        "confirmedByName": None if grant.confirmed_by is None else grant.confirmed_by.username,
        "vouchedFor": grant.is_vouched_for,
        "endedAt": grant.ended_at,
    }


def mail_state(invitation: Invitation) -> dict[str, Any] | None:
    """What became of the newest e-mail with its link, in wire names; None where the link was shown."""
    return state_of(max(invitation.messages.all(), key=lambda each: (each.created_at, each.pk), default=None))


def state_of(newest: Message | None) -> dict[str, Any] | None:
    """What became of an e-mail, in wire names."""
    if newest is None:
        return None
    state = "sent" if newest.sent_at else "waiting" if newest.due_at else "failed"
    return {"state": state, "sentAt": newest.sent_at, "problem": newest.problem or None}


def slugs_of_teams(tenant_id: UUID) -> dict[UUID, str]:
    """The slugs of the tenant's teams, by id."""
    return dict(Team.objects.filter(tenant_id=tenant_id).values_list("pk", "slug"))


def invitation_document(invitation: Invitation, slugs: Mapping[UUID, str]) -> dict[str, Any]:
    """An invitation in wire names, without its link. ``slugs``: those of slugs_of_teams."""
    return {
        "id": invitation.pk,
        "username": invitation.username,
        "displayName": invitation.display_name,
        "email": invitation.email,
        "roles": invitation.role_names,
        "products": invitation.products,
        "teams": sorted(slugs[each] for each in invitation.teams if each in slugs),
        "createdAt": invitation.created_at,
        "createdBy": invitation.created_by_id,
        "createdByName": invitation.created_by.username,
        "expiresAt": invitation.expires_at,
        "mail": mail_state(invitation),
        "endedAt": invitation.ended_at,
    }


def session_document(session: PersonSession, current: str | None) -> dict[str, Any]:
    """A session in wire names. ``current``: the key of the one that asks."""
    return {
        "id": session.public_id,
        "device": session.device_words,
        "address": session.address,
        "signedInAt": session.signed_in_at,
        "lastSeenAt": session.last_seen_at,
        "current": session.session_key == current,
    }


def sign_in_settings_document(settings: SignInSettings) -> dict[str, Any]:
    """The sign-in settings of a tenant in wire names."""
    return {
        "id": settings.tenant_id,
        "requireSecondFactor": settings.second_factor_from is not None,
        "secondFactorFrom": settings.second_factor_from,
    }


def service_document(service: ServiceAccount, owners: Iterable[ServiceOwner]) -> dict[str, Any]:
    """A service with its owners of now in wire names."""
    return {
        "id": service.pk,
        "name": service.name,
        "accountId": service.user_id,
        "username": service.user.username,
        "scopes": service.all_scopes,
        "products": service.products,
        "createdAt": service.created_at,
        "owners": [
            {
                "id": each.owner_id,
                "username": each.owner.username,
                "displayName": each.owner.display_name,
                "grantedAt": each.granted_at,
            }
            for each in owners
        ],
    }


def token_document(token: ApiToken) -> dict[str, Any]:
    """A token in wire names, without its secret."""
    return {
        "id": token.pk,
        "name": token.name,
        "publicId": token.public_id,
        "scopes": token.all_scopes,
        "products": token.products,
        "createdAt": token.created_at,
        "expiresAt": token.expires_at,
        "lastUsedAt": token.last_used_at,
        "issuedBy": token.issuer_id,
        "issuedByName": None if token.issuer is None else token.issuer.username,
        "revokedAt": token.revoked_at,
        "revokedBy": token.revoked_by_id,
        "revokedByName": None if token.revoked_by is None else token.revoked_by.username,
    }


def team_row(team: Mapping[str, Any]) -> dict[str, Any]:
    """A team in wire names, from its values in teams_of()."""
    return {"id": team["id"], "slug": team["slug"], "displayName": team["name"], "memberCount": team["people"]}


def team_document(team: Team, grants: Iterable[TeamGrant]) -> dict[str, Any]:
    """A team with its members in wire names."""
    return {
        "id": team.pk,
        "slug": team.slug,
        "displayName": team.name,
        "members": [
            {
                "id": grant.user_id,
                "username": grant.user.username,
                "displayName": grant.user.display_name,
                "grant": grant_document(grant),
            }
            for grant in grants
        ],
    }
