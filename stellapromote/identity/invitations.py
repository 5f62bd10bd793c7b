"""Invitations and their one-time links: the link is kept as a digest, and leads to a page that needs no sign-in."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse

from stellapromote.accounts.models import Invitation, RoleGrant
from stellapromote.errors import Conflict
from stellapromote.identity.one_time_links import absolute

LIFE: Final = timedelta(hours=72)


class InvitationOver(Conflict):
    """The invitation gives nothing any more, or not to this person; the message says why."""

    code = "RES_STATE_CONFLICT"


def new_link() -> tuple[str, bytes]:
    """The secret of a new link, and its digest."""
    secret = secrets.token_urlsafe(32)
    return secret, _digest(secret)


def invitation_link(secret: str) -> str:
    return absolute(reverse("invitation", args=[secret]))


def invitation_of_link(secret: str) -> Invitation | None:
    """The invitation that this link belongs to, whatever became of it; None for a link that was replaced or was never
    made."""
    found = Invitation.objects.select_related("tenant", "created_by").filter(link_digest=_digest(secret))
    return found.first()


def open_invitations(tenant_id: UUID) -> QuerySet[Invitation]:
    """Those that were not accepted or withdrawn; one that is too old may be sent again."""
    rows = Invitation.objects.filter(tenant_id=tenant_id, ended_at=None)
    return rows.select_related("created_by").prefetch_related("messages").order_by("-created_at", "-id")


def is_mailed() -> bool:
    """Whether links go by e-mail and are shown to nobody."""
    return bool(settings.MAIL_SERVER.is_there)


def check_open(invitation: Invitation, at: datetime) -> None:
    """Raises InvitationOver for an invitation that was accepted or withdrawn, is too old, or whose inviter does not
    administer any more."""
    if invitation.ended_as == Invitation.End.ACCEPTED:
        raise InvitationOver("This invitation was accepted already: sign in.")
    if invitation.ended_at is not None:
        raise InvitationOver("This invitation was taken back: ask an administrator for a new one.")
    if at >= invitation.expires_at:
        raise InvitationOver("This invitation has ended after 72 hours: ask an administrator for a new one.")
    if not RoleGrant.objects.filter(pk=invitation.granted_under_id, ended_at=None).exists():
        raise InvitationOver(
            "The person who invited does not administer the tenant any more: ask an administrator for a new invitation."
        )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
