from dataclasses import dataclass, field
from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import persons_behind
from stellapromote.accounts.held_accounts import hold
from stellapromote.accounts.models import HeldAccount, User
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.errors import Refused
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import lock_membership
from stellapromote.identity.invitations import is_mailed
from stellapromote.identity.link_rates import count_link_by
from stellapromote.identity.managed_accounts import is_managed
from stellapromote.identity.messages import queue_reset
from stellapromote.identity.one_time_links import reset_link
from stellapromote.identity.roster import member_of
from stellapromote.transactions import transactional


class NotManagedHere(Refused):
    """Another tenant or the command line made the account, or it is or was a member elsewhere: no answer says which."""

    code = "PERM_NOT_MANAGED"


@dataclass(frozen=True, slots=True)
class Reset:
    """``link`` is shown once and kept nowhere; None where it goes by e-mail."""

    link: str | None = field(default=None, repr=False)


def make_reset(*, by: Actor, clock: Clock, user_id: UUID) -> Reset:
    """Makes a one-time link for a new password of a member whose account this tenant alone manages (access.md, People).

    It goes to their verified address; without one it is shown, and the account counts as that of the people who saw it
    (docs/adr/0234). The present password works until it is used. Raises Refused (403), OwnRights (403), NotManagedHere
    (403), Http404, TooManyLinks (429).
    """
    rules.check_can_invite(by)
    rules.check_manages_members(by, user_id)
    mailbox = member_of(by.tenant, user_id).user.email
    count_link_by(by.account, mailbox, now=clock.now())
    return _make(by, clock, user_id)


@transactional
def _make(by: Actor, clock: Clock, user_id: UUID) -> Reset:
    tenant_id = by.tenant
    for each in sorted({by.account, user_id}):
        lock_membership(tenant_id, each)
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    if not user.is_active or not is_managed(tenant_id, user_id):
        raise NotManagedHere
    at = clock.now()
    mailed = is_mailed() and bool(user.email)
    held = (
        []
        if mailed
        else hold(user_id, persons_behind(by), because=HeldAccount.Because.RESET, tenant_id=tenant_id, at=at)
    )
    record(
        by=by,
        at=at,
        action="member.reset_made",
        resource="member",
        resource_id=user_id,
        after={"username": user.username},
        metadata={"shown": not mailed},
        rows=held,
    )
    if mailed:
        queue_reset(user, at=at)
        return Reset()
    return Reset(reset_link(user))
