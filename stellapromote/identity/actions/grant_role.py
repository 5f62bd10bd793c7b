from collections.abc import Iterable
from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import RoleGrant
from stellapromote.accounts.scopes import stored_names, stored_role
from stellapromote.accounts.vouching import authority_of, via
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import lock_membership
from stellapromote.identity.attribution import people_behind
from stellapromote.identity.products import check_can_be_limited, checked_products
from stellapromote.transactions import transactional


@transactional
def grant_role(
    *, by: Actor, clock: Clock, user_id: UUID, role: str, products: Iterable[str] = (), reason: str = ""
) -> RoleGrant:
    """Give a member a role from now on, for these products or for all. Who holds it already keeps the grant they have;
    one for other products ends with it.

    A role gained after a promotion was requested does not count for it (domain.md §5), nor does one whose products
    changed. Raises Refused (403), Invalid (400), Http404.
    """
    rules.check_manages_members(by, user_id)
    tenant_id = by.tenant
    rules.checked_role(role)
    limit = checked_products(tenant_id, products)
    check_can_be_limited([role], limit)
    reason = rules.checked_line("reason", reason, longest=rules.LONGEST_REASON, required=False)
    behind = people_behind(by, user_id)
    membership = lock_membership(tenant_id, user_id)
    before = live_role(tenant_id, user_id, role)
    if before is not None and before.products == limit:
        return before
    at = clock.now()
    if before is not None:
        before.ended_at, before.ended_by_id = (at := max(at, before.granted_at)), by.user_id
        before.save(update_fields=["ended_at", "ended_by"])
    grant = RoleGrant.objects.create(
        tenant_id=tenant_id,
        user_id=user_id,
        role=stored_role(role, limit),
        products=limit,
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
        action="role.granted",
        resource="member",
        resource_id=user_id,
        before=None if before is None else before.as_audited,
        after={"username": membership.user.username, **grant.as_audited, "reason": reason},
        rows=[grant] if before is None else [before, grant],
    )
    return grant


def live_role(tenant_id: UUID, user_id: UUID, role: str) -> RoleGrant | None:
    """The live grant of the role, for whatever products."""
    live = RoleGrant.objects.filter(tenant_id=tenant_id, user_id=user_id, ended_at=None)
    return live.filter(role__in=stored_names(role)).first()
