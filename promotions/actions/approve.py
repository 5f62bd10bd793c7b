from uuid import UUID

from promotions import rules
from promotions.actions.ballot_box import UNSEEN, Seen, open_box
from promotions.actions.outcome import Outcome
from promotions.models import Promotion, Vote
from promotions.voting import as_fact, new_act
from stellapromote.accounts.actor import Actor
from stellapromote.clock import SYSTEM_CLOCK, Clock
from stellapromote.transactions import transactional


def approve(
    promotion_id: UUID, *, by: Actor, comment: str = "", seen: Seen = UNSEEN, clock: Clock = SYSTEM_CLOCK
) -> Promotion:
    """Gives one approval and judges again; the last one needed decides, signs and stores (domain.md §5, §7).

    Raises Http404, the refusals of ``promotions.rules`` and Conflict RES_PRECONDITION_FAILED.
    """
    return _approve(promotion_id, by, comment, seen, clock).result()


@transactional
def _approve(promotion_id: UUID, by: Actor, comment: str, seen: Seen, clock: Clock) -> Outcome:
    box = open_box(
        promotion_id, by=by, seen=seen, clock=clock, check=lambda _, ballot: rules.check_can_approve(by, ballot)
    )
    if isinstance(box, Outcome):
        return box
    rules.check_comment(box.ballot, comment)
    vote = new_act(by, box.scene, comment=comment, seen=box.seen, verdict=Vote.Verdict.APPROVE)
    box.journal.writes.insert(Vote, vote)
    box.scene.votes.append(as_fact(vote))
    box.journal.note("approval.granted", box.promotion, after={"comment": comment}, voteId=str(vote["id"]))
    return box.close()
