from uuid import UUID

from django.http import Http404

from policies.requirements import Rule
from promotions import rules
from promotions.actions.ballot_box import UNSEEN, Seen, open_box
from promotions.actions.outcome import Outcome
from promotions.electorate import confirmers, gate_confirmers
from promotions.models import Confirmation, Promotion
from promotions.rules import Ballot
from promotions.scene import Scene
from promotions.voting import confirmation_as_fact, new_act
from stellapromote.accounts.actor import Actor
from stellapromote.clock import SYSTEM_CLOCK, Clock
from stellapromote.transactions import transactional


def confirm(
    promotion_id: UUID, gate: str, *, by: Actor, comment: str = "", seen: Seen = UNSEEN, clock: Clock = SYSTEM_CLOCK
) -> Promotion:
    """Confirms one manual gate: same exclusions, binding and audit as a vote (domain.md §6).

    Raises Http404 for a gate that is not a manual one of this promotion, and the refusals of ``promotions.rules``.
    """
    return _confirm(promotion_id, gate, by, comment, seen, clock).result()


def unconfirm(
    promotion_id: UUID, gate: str, *, by: Actor, seen: Seen = UNSEEN, clock: Clock = SYSTEM_CLOCK
) -> Promotion:
    """Takes the caller's own confirmation of a manual gate back. Raises as ``confirm``."""
    return _unconfirm(promotion_id, gate, by, seen, clock).result()


@transactional
def _confirm(promotion_id: UUID, gate: str, by: Actor, comment: str, seen: Seen, clock: Clock) -> Outcome:
    def check(scene: Scene, ballot: Ballot) -> None:
        named = _named(scene, gate)
        may = frozenset(gate_confirmers(scene.facts.gate_input, scene.documents, gate))
        rules.check_can_confirm(by, ballot, may, confirmed=_confirmers(scene, gate), confirmers=named)

    box = open_box(promotion_id, by=by, seen=seen, clock=clock, check=check)
    if isinstance(box, Outcome):
        return box
    act = new_act(by, box.scene, comment=comment, seen=box.seen, gate=gate)
    box.journal.writes.insert(Confirmation, act)
    box.scene.confirmations.append(confirmation_as_fact(act))
    box.journal.note(
        "approval.granted", box.promotion, after={"comment": comment}, gate=gate, confirmationId=str(act["id"])
    )
    return box.close()


@transactional
def _unconfirm(promotion_id: UUID, gate: str, by: Actor, seen: Seen, clock: Clock) -> Outcome:
    def check(scene: Scene, ballot: Ballot) -> None:
        _named(scene, gate)
        rules.check_can_unconfirm(by, ballot, confirmed=_confirmers(scene, gate))

    box = open_box(promotion_id, by=by, seen=seen, clock=clock, check=check, takes_back=True)
    if isinstance(box, Outcome):
        return box
    me = str(by.user_id)
    Confirmation.objects.filter(promotion=box.promotion, gate=gate, voter_id=by.user_id, ended_at=None).update(
        ended_at=box.scene.at, ended_as="withdrawn"
    )
    box.scene.confirmations[:] = [act for act in box.scene.confirmations if (act["gate"], act["voterId"]) != (gate, me)]
    box.journal.note("approval.withdrawn", box.promotion, gate=gate)
    return box.close()


def _named(scene: Scene, gate: str) -> Rule:
    """Whom the policy names to confirm the gate. Http404 where it has no manual gate of that name."""
    named = confirmers(scene.documents[scene.facts.gate_input["requirements"]["promotionPolicy"]["digest"]], gate)
    if named is None:
        raise Http404("This promotion has no manual gate of that name.")
    return named


def _confirmers(scene: Scene, gate: str) -> frozenset[str]:
    return frozenset(act["voterId"] for act in scene.confirmations if act["gate"] == gate)
