from uuid import UUID

from django.http import Http404

from stellapromote.accounts.actor import Actor
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity.models import PersonSession
from stellapromote.transactions import transactional


@transactional
def end_session(*, by: Actor, clock: Clock, session_id: UUID) -> None:
    """End one of the actor's own sessions; its browser has to sign in again. Raises Http404 for any other."""
    ended, _ = PersonSession.objects.filter(user_id=by.account, public_id=session_id).delete()
    if not ended:
        raise Http404("No such session.")
    record(by=by, at=clock.now(), action="session.ended", resource="session", resource_id=session_id)


@transactional
def end_other_sessions(*, by: Actor, clock: Clock, keep: str | None) -> int:
    """End all of the actor's own sessions except the one with the key `keep`; how many there were."""
    ended, _ = PersonSession.objects.filter(user_id=by.account).exclude(session_key=keep).delete()
    if ended:
        record(
            by=by,
            at=clock.now(),
            action="session.others_ended",
            resource="user",
            resource_id=by.account,
            metadata={"count": ended},
        )
    return ended
