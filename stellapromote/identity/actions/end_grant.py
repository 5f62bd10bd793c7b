from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Confirmable
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.confirm_grant import live_grant
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.end_scope import end_scope
from stellapromote.identity.actions.end_team import end_team
from stellapromote.identity.actions.lock import lock_membership
from stellapromote.transactions import transactional


@transactional
def end_grant(*, by: Actor, clock: Clock, user_id: UUID, grant_id: UUID, reason: str) -> Confirmable:
    """Takes a role, a team or a right by name from a member, from now on.

    Raises Refused (403), Invalid (400), Http404 for a grant that is not theirs or has ended, LastAdmin (409).
    """
    rules.check_manages_members(by, user_id)
    lock_membership(by.tenant, user_id)
    kind, name = live_grant(by.tenant, user_id, grant_id).names_right
    if kind == "role":
        return end_role(by=by, clock=clock, user_id=user_id, role=name, reason=reason)
    if kind == "team":
        return end_team(by=by, clock=clock, user_id=user_id, team=name, reason=reason)
    return end_scope(by=by, clock=clock, user_id=user_id, scope=name, reason=reason)
