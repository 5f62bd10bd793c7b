from uuid import UUID

from promotions import rules
from promotions.actions.ballot_box import UNSEEN, Seen, open_box
from promotions.actions.outcome import Outcome
from promotions.models import Promotion, Vote
from promotions.voting import as_fact, new_act
from stellapromote.accounts.actor import Actor
from stellapromote.clock import SYSTEM_CLOCK, Clock
from stellapromote.errors import FieldError, Invalid
from stellapromote.transactions import transactional


def reject(
    promotion_id: UUID, *, by: Actor, reason: str, seen: Seen = UNSEEN, clock: Clock = SYSTEM_CLOCK
) -> Promotion:
    """Ends the promotion by one person's reject, which replaces their own approval (domain.md §5). A failed one stays
    failed, and takes no further attempt.

    Raises Http404, Invalid without a reason, the refusals of ``promotions.rules``, Conflict RES_PRECONDITION_FAILED.
    """
    if not reason.strip():
        message = "A reject needs a reason: say what must change before it may be requested again."
        raise Invalid(message, fields=[FieldError("reason", message, "required")])
    return _reject(promotion_id, by, reason, seen, clock).result()


@transactional
def _reject(promotion_id: UUID, by: Actor, reason: str, seen: Seen, clock: Clock) -> Outcome:
    box = open_box(
        promotion_id,
        by=by,
        seen=Seen(if_match=seen.if_match),
        clock=clock,
        check=lambda _, ballot: rules.check_can_reject(by, ballot),
        takes_back=True,
    )
    if isinstance(box, Outcome):
        return box
    me = str(by.user_id)
    Vote.objects.filter(promotion=box.promotion, voter_id=by.user_id, ended_at=None).update(
        ended_at=box.scene.at, ended_as="replaced"
    )
    box.scene.votes[:] = [vote for vote in box.scene.votes if vote["voterId"] != me]
    vote = new_act(by, box.scene, comment=reason, seen=box.seen, verdict=Vote.Verdict.REJECT)
    box.journal.writes.insert(Vote, vote)
    box.scene.votes.append(as_fact(vote))
    box.journal.note("approval.denied", box.promotion, after={"reason": reason}, voteId=str(vote["id"]))
    return box.close()
