from typing import Unpack
from uuid import UUID

from promotions.judging.act_facts import VOTE
from promotions.judging.audited_rows import audited_act, audited_texts
from promotions.models import Promotion, Vote
from promotions.models.vote import ActTexts
from promotions.voting import rules
from promotions.voting.at_once import act_at_once
from promotions.voting.ballot import new_act
from promotions.voting.session import UNSEEN, SeenSubject, VoteSession
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.fastpath.prepared import Ahead


def approve(
    promotion_id: UUID,
    *,
    by: Actor,
    seen: SeenSubject = UNSEEN,
    clock: Clock = DATABASE_CLOCK,
    ahead: Ahead | None = None,
    **texts: Unpack[ActTexts],
) -> Promotion:
    """Gives one approval and judges again; the last one needed decides, signs and stores (domain.md §5, §7).

    Raises Http404, the refusals of ``promotions.voting.rules`` and Conflict RES_PRECONDITION_FAILED. Cost: two
    statements, if nothing else is needed (docs/adr/0133), one of them ``ahead`` of the action where the caller has
    read it.
    """

    def give(session: VoteSession) -> None:
        rules.check_comment(session.ballot, texts.get("comment", ""))
        vote = new_act(by, session.context, texts=texts, seen=session.seen, verdict=Vote.Verdict.APPROVE)
        session.work.writes.insert(Vote, vote)
        session.context.votes.append(VOTE.of(vote))
        told = {"voteId": str(vote["id"]), **audited_act(vote)}
        session.work.note("approval.granted", session.promotion, after=audited_texts(vote), **told)

    outcome = act_at_once(
        give,
        promotion_id,
        by=by,
        seen=seen,
        clock=clock,
        check=lambda _, ballot: rules.check_can_approve(by, ballot),
        ahead=ahead,
    )
    return outcome.result()
