from uuid import UUID

from django.http import Http404

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import persons_behind
from stellapromote.accounts.models import Invitation
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.invite import Invited
from stellapromote.identity.actions.lock import lock_membership
from stellapromote.identity.invitations import LIFE, InvitationOver, check_open, invitation_link, is_mailed, new_link
from stellapromote.identity.link_rates import count_link_by
from stellapromote.identity.messages import queue_invitation
from stellapromote.transactions import transactional


def send_invitation(*, by: Actor, clock: Clock, invitation_id: UUID) -> Invited:
    """Gives an open invitation a new link for 72 hours, by e-mail or shown; the one before ends.

    Raises Refused (403), Http404, InvitationOver (409), TooManyLinks (429).
    """
    rules.check_can_invite(by)
    count_link_by(by.account, _found(by, invitation_id).email, now=clock.now())
    return _send(by, clock, invitation_id)


@transactional
def _send(by: Actor, clock: Clock, invitation_id: UUID) -> Invited:
    lock_membership(by.tenant, by.account)
    invitation = _locked(by, invitation_id)
    at = clock.now()
    invitation.expires_at = at + LIFE
    check_open(invitation, at)
    link = None
    if is_mailed():
        if not invitation.email:
            raise InvitationOver("This invitation has no e-mail address: withdraw it, then invite again with one.")
        invitation.link_digest = None
    else:
        secret, invitation.link_digest = new_link()
        invitation.shown_to = sorted({*invitation.shown_to, *persons_behind(by)})
        link = invitation_link(secret)
    invitation.save(update_fields=["expires_at", "link_digest", "shown_to"])
    record(
        by=by,
        at=at,
        action="invitation.link_made",
        resource="invitation",
        resource_id=invitation.pk,
        after={"username": invitation.username},
        metadata={"shown": link is not None},
        rows=[invitation],
    )
    if link is None:
        queue_invitation(invitation, at=at)
    return Invited(invitation, link)


@transactional
def withdraw_invitation(*, by: Actor, clock: Clock, invitation_id: UUID) -> Invitation:
    """Ends an open invitation: its link gives nothing any more. Raises Refused (403), Http404, InvitationOver (409)."""
    by.require(TENANT_ADMIN)
    invitation = _locked(by, invitation_id)
    if invitation.ended_at is not None:
        raise InvitationOver(f"This invitation is {invitation.ended_as} already.")
    at = max(clock.now(), invitation.created_at)
    invitation.ended_at, invitation.ended_as, invitation.ended_by_id = at, Invitation.End.WITHDRAWN, by.user_id
    invitation.save(update_fields=["ended_at", "ended_as", "ended_by"])
    record(
        by=by,
        at=at,
        action="invitation.withdrawn",
        resource="invitation",
        resource_id=invitation.pk,
        before={"username": invitation.username},
        rows=[invitation],
    )
    return invitation


def _found(by: Actor, invitation_id: UUID) -> Invitation:
    invitation = Invitation.objects.filter(tenant_id=by.tenant, pk=invitation_id).first()
    if invitation is None:
        raise Http404("No such invitation.")
    return invitation


def _locked(by: Actor, invitation_id: UUID) -> Invitation:
    rows = Invitation.objects.select_for_update(no_key=True).filter(tenant_id=by.tenant, pk=invitation_id)
    invitation = rows.first()
    if invitation is None:
        raise Http404("No such invitation.")
    return invitation
