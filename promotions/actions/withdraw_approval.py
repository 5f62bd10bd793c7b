from uuid import UUID

from promotions.judging.evaluation_context import EvaluationContext
from promotions.models import Promotion, Vote
from promotions.voting import rules
from promotions.voting.outcome import Outcome
from promotions.voting.rules import Ballot
from promotions.voting.session import UNSEEN, Seen, open_box
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.transactions import transactional


def withdraw_approval(
    promotion_id: UUID, *, by: Actor, seen: Seen = UNSEEN, clock: Clock = DATABASE_CLOCK
) -> Promotion:
    """Takes the caller's own approval back and judges again; possible while the promotion is open (domain.md §5).

    Raises Http404, the refusals of ``promotions.voting.rules`` and Conflict RES_PRECONDITION_FAILED.
    """
    return _withdraw(promotion_id, by, seen, clock).result()


@transactional
def _withdraw(promotion_id: UUID, by: Actor, seen: Seen, clock: Clock) -> Outcome:
    mine = (str(by.user_id), Vote.Verdict.APPROVE)

    def check(context: EvaluationContext, ballot: Ballot) -> None:
        rules.check_can_withdraw(by, ballot)
        if all((vote["voterId"], vote["verdict"]) != mine for vote in context.votes):
            raise rules.StateForbids("You rejected this promotion: a reject cannot be withdrawn.")

    box = open_box(promotion_id, by=by, seen=seen, clock=clock, check=check, takes_back=True)
    if isinstance(box, Outcome):
        return box
    Vote.objects.filter(
        promotion=box.promotion, voter_id=by.user_id, verdict=Vote.Verdict.APPROVE, ended_at=None
    ).update(ended_at=box.context.at, ended_as="withdrawn")
    box.context.votes[:] = [vote for vote in box.context.votes if (vote["voterId"], vote["verdict"]) != mine]
    box.work.note("approval.withdrawn", box.promotion)
    return box.close()
