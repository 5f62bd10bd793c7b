from uuid import UUID

from django.http import Http404

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import TeamGrant
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import lock_membership
from stellapromote.identity.attribution import people_behind
from stellapromote.transactions import transactional


@transactional
def end_team(*, by: Actor, clock: Clock, user_id: UUID, team: str, reason: str = "") -> TeamGrant:
    """Take a member out of a team from now on. Raises Refused (403), Invalid (400), Http404 when they are not in it."""
    rules.check_manages_members(by, user_id)
    tenant_id = by.tenant
    reason = rules.checked_line("reason", reason, longest=rules.LONGEST_REASON, required=False)
    people_behind(by, user_id)
    membership = lock_membership(tenant_id, user_id)
    grant = TeamGrant.objects.filter(tenant_id=tenant_id, user_id=user_id, team__slug=team, ended_at=None).first()
    if grant is None:
        raise Http404("They are not in this team.")
    grant.ended_at, grant.ended_by_id = max(clock.now(), grant.granted_at), by.user_id
    grant.save(update_fields=["ended_at", "ended_by"])
    record(
        by=by,
        at=grant.ended_at,
        action="team.ended",
        resource="member",
        resource_id=user_id,
        before={"username": membership.user.username, "team": team},
        after={"reason": reason},
        rows=[grant],
    )
    return grant
