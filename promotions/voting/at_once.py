"""One act of voting, without a lock where that is enough (docs/adr/0133)."""

from collections.abc import Callable
from uuid import UUID

from promotions.fastpath.without_lock import NeedsLock, nothing_asked, without_lock_first
from promotions.judging.locks import read_without_lock, reading_without_lock
from promotions.packets.signing_key import current_key
from promotions.voting.outcome import Outcome
from promotions.voting.session import Check, SeenSubject, VoteSession, build_vote_session, open_vote_session
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
from stellapromote.fastpath.prepared import Ahead
from stellapromote.transactions import transactional

Act = Callable[[VoteSession], None]


def act_at_once(
    act: Act,
    promotion_id: UUID,
    *,
    by: Actor,
    seen: SeenSubject,
    clock: Clock,
    check: Check,
    ahead: Ahead | None = None,
) -> Outcome:
    """Opens a vote session, acts and closes it.

    Without a lock, the rows read are judged, and one statement stores everything if the promotion is still the row that
    was read. If it is not, or if another statement is needed, nothing happened, and it is done under the lock.
    ``ahead``: the caller's reading of it by ``read_ahead``, if there is one.
    """
    return without_lock_first(
        lambda: _act_without_lock(act, promotion_id, by=by, seen=seen, clock=clock, check=check, ahead=ahead),
        lambda: _act_under_lock(act, promotion_id, by=by, seen=seen, clock=clock, check=check),
    )


def read_ahead(promotion_id: UUID, clock: Clock) -> Ahead:
    """The first reading of an act, to be sent with the statement that finds the actor."""
    return Ahead(reading_without_lock(promotion_id, clock, signing_key_id=_key_id()))


def _key_id() -> str | None:
    key = current_key()
    return None if key is None else key.key_id


def _act_without_lock(
    act: Act, promotion_id: UUID, *, by: Actor, seen: SeenSubject, clock: Clock, check: Check, ahead: Ahead | None
) -> Outcome:
    promotion, mark, moment, reading = read_without_lock(
        promotion_id, by.tenant, clock, signing_key_id=_key_id(), ahead=ahead
    )
    if promotion.supersedes_older and not promotion.is_rollback:
        raise NeedsLock
    with nothing_asked():
        session = build_vote_session(promotion, [], moment, reading, by=by, seen=seen, check=check)
        if isinstance(session, Outcome):
            raise NeedsLock
        session.mark = mark
        act(session)
        session.judge()
    session.work.write()
    return Outcome(promotion)


@transactional
def _act_under_lock(
    act: Act, promotion_id: UUID, *, by: Actor, seen: SeenSubject, clock: Clock, check: Check
) -> Outcome:
    session = open_vote_session(promotion_id, by=by, seen=seen, clock=clock, check=check)
    if isinstance(session, Outcome):
        return session
    act(session)
    return session.close()
