from uuid import UUID

from promotions.judging.act_facts import VOTE
from promotions.judging.audited_rows import audited_act, audited_texts
from promotions.models import Promotion, Vote
from promotions.voting import rules
from promotions.voting.ballot import new_act
from promotions.voting.outcome import Outcome
from promotions.voting.session import UNSEEN, SeenSubject, open_vote_session
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import FieldError, Invalid
from stellapromote.transactions import transactional


def reject(
    promotion_id: UUID, *, by: Actor, reason: str, seen: SeenSubject = UNSEEN, clock: Clock = DATABASE_CLOCK
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
def _reject(promotion_id: UUID, by: Actor, reason: str, seen: SeenSubject, clock: Clock) -> Outcome:
    session = open_vote_session(
        promotion_id,
        by=by,
        seen=SeenSubject(if_match=seen.if_match),
        clock=clock,
        check=lambda _, ballot: rules.check_can_reject(by, ballot),
        digest_optional=True,
    )
    if isinstance(session, Outcome):
        return session
    me = str(by.user_id)
    Vote.objects.filter(promotion=session.promotion, voter_id=by.user_id, ended_at=None).update(
        ended_at=session.context.at, ended_as="replaced"
    )
    session.context.votes[:] = [vote for vote in session.context.votes if vote["voterId"] != me]
    vote = new_act(by, session.context, texts={"comment": reason}, seen=session.seen, verdict=Vote.Verdict.REJECT)
    session.work.writes.insert(Vote, vote)
    session.context.votes.append(VOTE.of(vote))
    told = {"voteId": str(vote["id"]), **audited_act(vote)}
    session.work.note("approval.denied", session.promotion, after=audited_texts(vote, comment="reason"), **told)
    return session.close()
