from uuid import UUID

from django.http import Http404

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import RoleGrant
from stellapromote.accounts.vouching import GRANTING_ROLES
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.grant_role import live_role
from stellapromote.identity.actions.last_admin import check_leaves_an_admin
from stellapromote.identity.actions.lock import lock_membership
from stellapromote.identity.attribution import people_behind
from stellapromote.transactions import transactional


@transactional
def end_role(*, by: Actor, clock: Clock, user_id: UUID, role: str, reason: str = "") -> RoleGrant:
    """Take a role from a member from now on. Raises Refused (403), Invalid (400), Http404 when they do not hold it,
    LastAdmin (409)."""
    rules.check_manages_members(by, user_id)
    tenant_id = by.tenant
    reason = rules.checked_line("reason", reason, longest=rules.LONGEST_REASON, required=False)
    people_behind(by, user_id)
    membership = lock_membership(tenant_id, user_id)
    grant = live_role(tenant_id, user_id, role)
    if grant is None:
        raise Http404("They do not hold this role.")
    if role in GRANTING_ROLES:
        check_leaves_an_admin(tenant_id, user_id)
    grant.ended_at, grant.ended_by_id = max(clock.now(), grant.granted_at), by.user_id
    grant.save(update_fields=["ended_at", "ended_by"])
    record(
        by=by,
        at=grant.ended_at,
        action="role.ended",
        resource="member",
        resource_id=user_id,
        before={"username": membership.user.username, **grant.as_audited},
        after={"reason": reason},
        rows=[grant],
    )
    return grant
