"""An act on a promotion that reads, judges and writes without a lock, if that is enough (docs/adr/0133)."""

from collections.abc import Callable
from typing import Any, NoReturn
from uuid import UUID

from django.db import OperationalError, connection

from promotions.actions.ballot_box import Check, OpenBox, Seen, open_box, opened
from promotions.actions.outcome import Outcome
from promotions.locks import read_without_lock
from promotions.signing_key import current_key
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
from stellapromote.transactions import is_outermost, is_repeatable, transactional

Act = Callable[[OpenBox], None]


class NeedsLock(BaseException):
    """More is to be read or written than one statement reads and one writes.

    Not an Exception, so that nothing takes it for an error of a gate and goes on.
    """


def act_at_once(act: Act, promotion_id: UUID, *, by: Actor, seen: Seen, clock: Clock, check: Check) -> Outcome:
    """Opens the box, acts and closes it: without a lock if that is enough, else under the lock (docs/adr/0133).

    Without a lock, what was read is judged, and one statement stores everything if the promotion is still the row
    that was read. If it is not, or if anything else has to be asked, nothing happened, and it is done under the lock.
    """
    if is_outermost():
        try:
            return _act_without_lock(act, promotion_id, by=by, seen=seen, clock=clock, check=check)
        except NeedsLock:
            if connection.in_atomic_block:  # A test's. Django marks it as broken; nothing reached the database.
                connection.set_rollback(False)
        except OperationalError as error:
            if not is_repeatable(error):
                raise
    return _act_under_lock(act, promotion_id, by=by, seen=seen, clock=clock, check=check)


def _act_without_lock(act: Act, promotion_id: UUID, *, by: Actor, seen: Seen, clock: Clock, check: Check) -> Outcome:
    key = current_key()
    promotion, mark, reading = read_without_lock(
        promotion_id, by.tenant, signing_key_id=None if key is None else key.key_id, since=clock.now()
    )
    if promotion.supersedes_older and not promotion.is_rollback:
        raise NeedsLock
    with connection.execute_wrapper(_refuse):
        box = opened(promotion, [], reading, by=by, seen=seen, clock=clock, check=check)
        if isinstance(box, Outcome):
            raise NeedsLock
        box.mark = mark
        act(box)
        box.judge()
    box.journal.write()
    return Outcome(promotion)


def _refuse(*_: Any) -> NoReturn:
    raise NeedsLock


@transactional
def _act_under_lock(act: Act, promotion_id: UUID, *, by: Actor, seen: Seen, clock: Clock, check: Check) -> Outcome:
    box = open_box(promotion_id, by=by, seen=seen, clock=clock, check=check)
    if isinstance(box, Outcome):
        return box
    act(box)
    return box.close()
