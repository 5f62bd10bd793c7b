from collections.abc import Callable, Collection
from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ScopeGrant
from stellapromote.accounts.vouching import authority_of, via
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import lock_membership
from stellapromote.identity.attribution import people_behind
from stellapromote.recorded_rows import RecordedRow
from stellapromote.transactions import transactional


@transactional
def grant_scope(
    *,
    by: Actor,
    clock: Clock,
    user_id: UUID,
    scope: str,
    reason: str,
    beside: Callable[[ScopeGrant], Collection[RecordedRow]] = lambda _: (),
) -> ScopeGrant:
    """Give a member a right that no role has, by name (domain.md §6). Who holds it already keeps the grant they have.

    `beside` stores what goes with a new grant, and returns these rows for its event.
    Raises Refused (403), Invalid (400), also without a reason, Http404.
    """
    rules.check_manages_members(by, user_id)
    tenant_id = by.tenant
    rules.checked_scope_by_name(scope)
    reason = rules.checked_line("reason", reason, longest=rules.LONGEST_REASON)
    behind = people_behind(by, user_id)
    membership = lock_membership(tenant_id, user_id)
    grant = ScopeGrant.objects.filter(tenant_id=tenant_id, user_id=user_id, scope=scope, ended_at=None).first()
    if grant is not None:
        return grant
    at = clock.now()
    grant = ScopeGrant.objects.create(
        tenant_id=tenant_id,
        user_id=user_id,
        scope=scope,
        granted_at=at,
        granted_by_id=by.user_id,
        granted_behind=behind,
        granted_via=via(by),
        granted_under_id=authority_of(by),
        reason=reason,
    )
    record(
        by=by,
        at=at,
        action="scope.granted",
        resource="member",
        resource_id=user_id,
        after={"username": membership.user.username, "scope": scope, "reason": reason},
        rows=[grant, *beside(grant)],
    )
    return grant
