"""Members and their grants as the API shows them."""

from typing import Any

from stellapromote.accounts.models import Confirmable
from stellapromote.identity.roster import Member


def member_document(member: Member) -> dict[str, Any]:
    """A member in wire names."""
    return {
        "id": member.user.pk,
        "username": member.user.username,
        "displayName": member.user.display_name,
        "joinedAt": member.membership.granted_at,
        "grants": [grant_document(grant) for grant in member.grants],
    }


def grant_document(grant: Confirmable) -> dict[str, Any]:
    """A role, team or right of a member in wire names."""
    kind, name = grant.names_right
    return {
        "id": grant.pk,
        "kind": kind,
        "name": name,
        "grantedAt": grant.granted_at,
        "grantedBy": grant.granted_by_id,
        "grantedByName": None if grant.granted_by is None else grant.granted_by.username,
        "grantedVia": grant.granted_via,
        "confirmedAt": grant.confirmed_at,
        "confirmedBy": grant.confirmed_by_id,
        "confirmedByName": None if grant.confirmed_by is None else grant.confirmed_by.username,
        "vouchedFor": grant.is_vouched_for,
    }
