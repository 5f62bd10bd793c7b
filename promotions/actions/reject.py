from uuid import UUID

from promotions.judging.act_facts import VOTE
from promotions.judging.audited_rows import of_act, said_with
from promotions.models import Promotion, Vote
from promotions.voting import rules
from promotions.voting.ballot import new_act
from promotions.voting.outcome import Outcome
from promotions.voting.session import UNSEEN, Seen, open_box
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import FieldError, Invalid
from stellapromote.transactions import transactional


def reject(
    promotion_id: UUID, *, by: Actor, reason: str, seen: Seen = UNSEEN, clock: Clock = DATABASE_CLOCK
) -> Promotion:
    """Ends the promotion by one person's reject, which replaces their own approval (domain.md §5). A failed one stays
    failed, and takes no further attempt.

    Raises Http404, Invalid without a reason, the refusals of ``promotions.voting.rules``, Conflict
    RES_PRECONDITION_FAILED.
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
        ended_at=box.context.at, ended_as="replaced"
    )
    box.context.votes[:] = [vote for vote in box.context.votes if vote["voterId"] != me]
    vote = new_act(by, box.context, said={"comment": reason}, seen=box.seen, verdict=Vote.Verdict.REJECT)
    box.work.writes.insert(Vote, vote)
    box.context.votes.append(VOTE.of(vote))
    told = {"voteId": str(vote["id"]), **of_act(vote)}
    box.work.note("approval.denied", box.promotion, after=said_with(vote, comment="reason"), **told)
    return box.close()
