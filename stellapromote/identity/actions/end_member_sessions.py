from uuid import UUID

from django.http import Http404

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import EndedSession
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import lock_membership
from stellapromote.identity.sessions import sessions_in
from stellapromote.transactions import transactional


@transactional
def end_member_sessions(*, by: Actor, clock: Clock, user_id: UUID, session_id: UUID | None = None) -> int:
    """Ends sessions of a member in the actor's tenant, all or the one named; how many there were.

    A session goes on in other tenants of its person, who gets the right back by signing in again (docs/adr/0235).
    Raises Refused (403), also for one's own, Http404 for an account that is no member or a session that is not theirs.
    """
    rules.check_manages_members(by, user_id)
    lock_membership(by.tenant, user_id)
    sessions = sessions_in(by.tenant, user_id)
    ended = list(sessions if session_id is None else sessions.filter(public_id=session_id))
    if session_id is not None and not ended:
        raise Http404("No such session.")
    at = clock.now()
    EndedSession.objects.bulk_create(
        [
            EndedSession(tenant_id=by.tenant, sign_in_id=each.sign_in, ended_at=at, ended_by_id=by.user_id)
            for each in ended
        ],
        ignore_conflicts=True,
    )
    if ended:
        record(
            by=by,
            at=at,
            action="member.sessions_ended",
            resource="member",
            resource_id=user_id,
            metadata={"count": len(ended), "sessions": sorted(str(each.public_id) for each in ended)},
        )
    return len(ended)
