from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import TeamGrant
from stellapromote.accounts.vouching import authority_of, via
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import lock_membership, lock_team
from stellapromote.identity.attribution import people_behind
from stellapromote.transactions import transactional


@transactional
def grant_team(*, by: Actor, clock: Clock, user_id: UUID, team: str, reason: str = "") -> TeamGrant:
    """Put a member into the team with this slug from now on. Who is in it already keeps the grant they have.

    A team gained after a promotion was requested does not count for it (domain.md §5).
    Raises Refused (403), Invalid (400), Http404.
    """
    rules.check_manages_members(by, user_id)
    tenant_id = by.tenant
    reason = rules.checked_line("reason", reason, longest=rules.LONGEST_REASON, required=False)
    behind = people_behind(by, user_id)
    membership = lock_membership(tenant_id, user_id)
    found = lock_team(tenant_id, team)
    grant = TeamGrant.objects.filter(team=found, user_id=user_id, ended_at=None).first()
    if grant is not None:
        return grant
    at = clock.now()
    grant = TeamGrant.objects.create(
        tenant_id=tenant_id,
        user_id=user_id,
        team=found,
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
        action="team.granted",
        resource="member",
        resource_id=user_id,
        after={"username": membership.user.username, "team": team, "reason": reason},
        rows=[grant],
    )
    return grant
