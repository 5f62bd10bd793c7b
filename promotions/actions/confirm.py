from typing import Unpack
from uuid import UUID

from django.http import Http404

from policies.facts import policy_of
from policies.requirements import Rule
from promotions.judging.act_facts import CONFIRMATION
from promotions.judging.audited_rows import audited_act, audited_texts
from promotions.judging.electorate import confirmers, gate_confirmers
from promotions.judging.evaluation_context import EvaluationContext
from promotions.models import Confirmation, Promotion
from promotions.models.vote import ActTexts
from promotions.voting import rules
from promotions.voting.ballot import new_act
from promotions.voting.outcome import Outcome
from promotions.voting.rules import Ballot
from promotions.voting.session import UNSEEN, SeenSubject, open_vote_session
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.transactions import transactional


def confirm(
    promotion_id: UUID,
    gate: str,
    *,
    by: Actor,
    seen: SeenSubject = UNSEEN,
    clock: Clock = DATABASE_CLOCK,
    **texts: Unpack[ActTexts],
) -> Promotion:
    """Confirms one manual gate: same exclusions, binding and audit as a vote (domain.md §6).

    Raises Http404 for a gate that is not a manual one of this promotion, and the refusals of
    ``promotions.voting.rules``.
    """
    return _confirm(promotion_id, gate, by, texts, seen, clock).result()


def unconfirm(
    promotion_id: UUID, gate: str, *, by: Actor, seen: SeenSubject = UNSEEN, clock: Clock = DATABASE_CLOCK
) -> Promotion:
    """Takes the caller's own confirmation of a manual gate back. Raises as ``confirm``."""
    return _unconfirm(promotion_id, gate, by, seen, clock).result()


@transactional
def _confirm(promotion_id: UUID, gate: str, by: Actor, texts: ActTexts, seen: SeenSubject, clock: Clock) -> Outcome:
    def check(context: EvaluationContext, ballot: Ballot) -> None:
        named = _named(context, gate)
        may = frozenset(gate_confirmers(context.facts.gate_input, context.documents, gate))
        rules.check_can_confirm(by, ballot, may, confirmed=_confirmers(context, gate), confirmers=named)

    session = open_vote_session(promotion_id, by=by, seen=seen, clock=clock, check=check)
    if isinstance(session, Outcome):
        return session
    act = new_act(by, session.context, texts=texts, seen=session.seen, gate=gate)
    session.work.writes.insert(Confirmation, act)
    session.context.confirmations.append(CONFIRMATION.of(act))
    told = {"gate": gate, "confirmationId": str(act["id"]), **audited_act(act)}
    session.work.note("approval.granted", session.promotion, after=audited_texts(act), **told)
    return session.close()


@transactional
def _unconfirm(promotion_id: UUID, gate: str, by: Actor, seen: SeenSubject, clock: Clock) -> Outcome:
    def check(context: EvaluationContext, ballot: Ballot) -> None:
        _named(context, gate)
        rules.check_can_unconfirm(by, ballot, confirmed=_confirmers(context, gate))

    session = open_vote_session(promotion_id, by=by, seen=seen, clock=clock, check=check, digest_optional=True)
    if isinstance(session, Outcome):
        return session
    me = str(by.user_id)
    Confirmation.objects.filter(promotion=session.promotion, gate=gate, voter_id=by.user_id, ended_at=None).update(
        ended_at=session.context.at, ended_as="withdrawn"
    )
    session.context.confirmations[:] = [
        act for act in session.context.confirmations if (act["gate"], act["voterId"]) != (gate, me)
    ]
    session.work.note("approval.withdrawn", session.promotion, gate=gate)
    return session.close()


def _named(context: EvaluationContext, gate: str) -> Rule:
    """The people and teams that the policy names to confirm the gate. Http404 without a manual gate of that name."""
    named = confirmers(policy_of(context.facts.gate_input["requirements"], context.documents), gate)
    if named is None:
        raise Http404("This promotion has no manual gate of that name.")
    return named


def _confirmers(context: EvaluationContext, gate: str) -> frozenset[str]:
    return frozenset(act["voterId"] for act in context.confirmations if act["gate"] == gate)
