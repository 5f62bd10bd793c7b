from uuid import UUID

from promotions.judging.evaluation_context import EvaluationContext
from promotions.models import Promotion, Vote
from promotions.voting import rules
from promotions.voting.outcome import Outcome
from promotions.voting.rules import Ballot
from promotions.voting.session import UNSEEN, SeenSubject, open_vote_session
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.transactions import transactional


def withdraw_approval(
    promotion_id: UUID, *, by: Actor, seen: SeenSubject = UNSEEN, clock: Clock = DATABASE_CLOCK
) -> Promotion:
    """Takes the caller's own approval back and judges again; possible while the promotion is open (domain.md §5).

    Raises Http404, the refusals of ``promotions.voting.rules`` and Conflict RES_PRECONDITION_FAILED.
    """
    return _withdraw(promotion_id, by, seen, clock).result()


@transactional
def _withdraw(promotion_id: UUID, by: Actor, seen: SeenSubject, clock: Clock) -> Outcome:
    mine = (str(by.user_id), Vote.Verdict.APPROVE)

    def check(context: EvaluationContext, ballot: Ballot) -> None:
        rules.check_can_withdraw(by, ballot)
        if all((vote["voterId"], vote["verdict"]) != mine for vote in context.votes):
            raise rules.StateForbids("You rejected this promotion: a reject cannot be withdrawn.")

    session = open_vote_session(promotion_id, by=by, seen=seen, clock=clock, check=check, digest_optional=True)
    if isinstance(session, Outcome):
        return session
    Vote.objects.filter(
        promotion=session.promotion, voter_id=by.user_id, verdict=Vote.Verdict.APPROVE, ended_at=None
    ).update(ended_at=session.context.at, ended_as="withdrawn")
    session.context.votes[:] = [vote for vote in session.context.votes if (vote["voterId"], vote["verdict"]) != mine]
    session.work.note("approval.withdrawn", session.promotion)
    return session.close()
