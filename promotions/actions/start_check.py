"""May a deployment start now? Judged again under the locks, on fresh facts (domain.md §4, start check)."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db.models import Q

from environments.models import Environment
from policies.facts import approval_policies_of
from policies.outcomes import Evaluation
from policies.overrides import OVERRIDE_POSSIBLE
from promotions.actions.rereading import adopt_reading
from promotions.judging.evaluation_context import EvaluationContext, gather_context
from promotions.judging.facts import StoredFacts
from promotions.judging.held_accounts import Act, another_acted
from promotions.judging.judge import adopt_subject, conclude, expire_if_due
from promotions.judging.ordering import check_can_enter
from promotions.judging.unit_of_work import UnitOfWork
from promotions.models import Promotion
from promotions.states import Status
from promotions.voting import rules
from promotions.voting.blindness import can_see_votes, gates_shown
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import accounts_behind
from stellapromote.clock import rfc3339
from stellapromote.errors import Conflict, ProductError, RuleViolation, reason_against


class Frozen(RuleViolation):
    """A freeze window is active for the target."""

    code = "GATE_FROZEN"


class Blocked(RuleViolation):
    """Gates that passed before do not pass now."""

    code = "PROM_BLOCKED"


class EnvironmentBusy(Conflict):
    """Another deployment holds the environment, or the product in it; ``mayPassAt`` is when that one is due to end."""

    code = "RES_ENVIRONMENT_BUSY"

    @classmethod
    def of(cls, other: Promotion, at: datetime, message: str, **details: Any) -> Self:
        """``other``: the promotion that is being deployed."""
        due = other.deployment_due_at
        may_pass_at = None if due is None or due <= at else rfc3339(due)
        named = {"promotionId": str(other.pk), "number": other.number}
        return cls(message, details={**named, **details, "mayPassAt": may_pass_at})


def check_starts(
    promotion: Promotion, superseded: list[Promotion], by: Actor, work: UnitOfWork, reading: StoredFacts
) -> ProductError | None:
    """Judges ``promotion`` again, in memory and records, and returns the refusal of its start, if any.

    The caller stores the promotion either way: a refused start keeps its re-evaluation.
    """
    at = work.at
    if expire_if_due(promotion, at, work):
        return rules.ApprovalExpired(promotion.status_detail)
    expires = promotion.approval_expires_at
    if promotion.status == Status.FAILED and (expires is None or at >= expires):
        return rules.ApprovalExpired("The approval expired: another attempt needs a new request.")
    adopt_reading(promotion, work)
    context = gather_context(promotion, at, reading=reading)
    adopt_subject(context, work)
    evaluation = conclude(context, work, superseded=superseded)
    if promotion.retry_closed:
        return rules.no_further_attempt(promotion.number, promotion.status)
    if evaluation.decision != "allow":
        gates = [gate.as_json() for gate in evaluation.gates if gate.blocks]
        blocking = gates_shown(gates, promotion, blind=not can_see_votes(by, promotion))
        details = {"gates": blocking, "mayPassAt": _may_pass_at(evaluation)}
        message = " ".join(gate["message"] for gate in blocking)
        frozen = any(gate["type"] == "freeze-window" for gate in blocking)
        return Frozen(message, details=details) if frozen else Blocked(message, details=details)
    # The order rule once more: the promotion that let the release in may have been rolled back since the request.
    return (
        reason_against(check_can_enter, promotion.release, promotion.target_environment, _path_of(context))
        or reason_against(check_deploys_apart, by, context)
        or _busy(promotion, at)
    )


def _path_of(context: EvaluationContext) -> list[UUID] | None:
    """The path that the request kept; None: it kept none."""
    path = context.facts.gate_input["requirements"].get("path")
    return None if path is None else [UUID(step["id"]) for step in path]


def _may_pass_at(evaluation: Evaluation) -> str | None:
    """When the last of the gates that block opens by itself; None when one waits for a person or fails for good."""
    opens = [
        None if gate.status == "fail" or OVERRIDE_POSSIBLE in gate.reason_codes else gate.next_change_at
        for gate in evaluation.gates
        if gate.blocks
    ]
    known = [at for at in opens if at is not None]
    return max(known) if known and len(known) == len(opens) else None


def check_deploys_apart(by: Actor, context: EvaluationContext) -> None:
    """excludeDeployer: a person who approved or confirmed reports no deployment, nor do their machines (docs/adr/0071)
    and accounts that may be theirs (docs/adr/0234).

    Raises SeparationOfDuties.
    """
    policies = approval_policies_of(context.facts.gate_input["requirements"], context.documents)
    if not any(policy["separationOfDuties"]["excludeDeployer"] for policy in policies):
        return
    facts, acting = context.facts, {str(each) for each in accounts_behind(by)}
    decided = [Act(act["at"], act["id"], act["voterId"]) for act in (*context.votes, *context.confirmations)]
    if any(
        act.by in acting or any(another_acted(facts.held, [act], facts.confirmed, each) for each in acting)
        for act in decided
    ):
        raise rules.SeparationOfDuties(
            "An approval policy excludes people who approved or confirmed from deploying: ask another person.",
            details={"reasons": ["DEPLOYER"]},
        )


def _busy(promotion: Promotion, at: datetime) -> EnvironmentBusy | None:
    others = Promotion.objects.filter(target_environment=promotion.target_environment, status=Status.DEPLOYING).exclude(
        pk=promotion.pk
    )
    if promotion.target_environment.exclusive == Environment.Exclusive.PRODUCT:
        others = others.filter(Q(deployment_lock=promotion.product) | Q(deployment_lock="*"))
    other = others.first()
    if other is None:
        return None
    return EnvironmentBusy.of(other, at, f"#{other.number} is being deployed there: start when it has ended.")
