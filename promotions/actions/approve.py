from uuid import UUID

from promotions import rules
from promotions.actions.ballot_box import UNSEEN, OpenBox, Seen
from promotions.actions.without_lock import act_at_once
from promotions.models import Promotion, Vote
from promotions.voting import as_fact, new_act
from stellapromote.accounts.actor import Actor
from stellapromote.clock import SYSTEM_CLOCK, Clock


def approve(
    promotion_id: UUID, *, by: Actor, comment: str = "", seen: Seen = UNSEEN, clock: Clock = SYSTEM_CLOCK
) -> Promotion:
    """Gives one approval and judges again; the last one needed decides, signs and stores (domain.md §5, §7).

    Raises Http404, the refusals of ``promotions.rules`` and Conflict RES_PRECONDITION_FAILED. Cost: two statements,
    if nothing else is needed (docs/adr/0133).
    """

    def give(box: OpenBox) -> None:
        rules.check_comment(box.ballot, comment)
        vote = new_act(by, box.scene, comment=comment, seen=box.seen, verdict=Vote.Verdict.APPROVE)
        box.journal.writes.insert(Vote, vote)
        box.scene.votes.append(as_fact(vote))
        box.journal.note("approval.granted", box.promotion, after={"comment": comment}, voteId=str(vote["id"]))

    outcome = act_at_once(
        give,
        promotion_id,
        by=by,
        seen=seen,
        clock=clock,
        check=lambda _, ballot: rules.check_can_approve(by, ballot),
    )
    return outcome.result()
