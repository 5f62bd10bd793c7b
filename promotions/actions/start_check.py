"""May a deployment start now? Judged again under the locks, on fresh facts (domain.md §4, start check)."""

from uuid import UUID

from django.db.models import Q

from environments.models import Environment
from promotions import rules
from promotions.journal import Journal
from promotions.judging import adopt_subject, conclude, expire_if_due
from promotions.models import Promotion
from promotions.ordering import SequenceViolation, check_can_enter
from promotions.scene import Scene, look
from promotions.states import Status
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import accounts_behind
from stellapromote.errors import Conflict, ProductError, RuleViolation


class Frozen(RuleViolation):
    """A freeze window is active for the target."""

    code = "GATE_FROZEN"


class Blocked(RuleViolation):
    """Gates that passed before do not pass now."""

    code = "PROM_BLOCKED"


class EnvironmentBusy(Conflict):
    """Another deployment holds the environment, or the product in it."""

    code = "RES_ENVIRONMENT_BUSY"


def check_starts(promotion: Promotion, superseded: list[Promotion], by: Actor, journal: Journal) -> ProductError | None:
    """Judges ``promotion`` again, in memory and records, and returns what stands against its start.

    The caller stores the promotion either way: a refused start keeps its re-evaluation.
    """
    at = journal.at
    if expire_if_due(promotion, at, journal):
        return rules.ApprovalExpired(promotion.status_detail)
    expires = promotion.approval_expires_at
    if promotion.status == Status.FAILED and (expires is None or at >= expires):
        return rules.ApprovalExpired("The approval expired: another attempt needs a new request.")
    scene = look(promotion, at)
    adopt_subject(scene, journal)
    evaluation = conclude(scene, journal, superseded=superseded)
    if evaluation.decision != "allow":
        blocking = [gate.as_json() for gate in evaluation.gates if gate.status in ("pending", "fail")]
        details = {"gates": blocking, "mayPassAt": evaluation.next_change_at}
        message = " ".join(gate["message"] for gate in blocking)
        frozen = any(gate["type"] == "freeze-window" for gate in blocking)
        return Frozen(message, details=details) if frozen else Blocked(message, details=details)
    return _may_enter(promotion) or _deployer_may(scene, by) or _busy(promotion)


def _may_enter(promotion: Promotion) -> SequenceViolation | None:
    """The order rule once more: what let the release in at the request may have been rolled back since."""
    try:
        check_can_enter(promotion.release, promotion.target_environment)
    except SequenceViolation as refusal:
        return refusal
    return None


def _deployer_may(scene: Scene, by: Actor) -> ProductError | None:
    """excludeDeployer: who approved does not deploy, nor does a machine of theirs (domain.md §5)."""
    wanted = scene.facts.gate_input["requirements"]["approvalPolicies"]
    if not any(scene.documents[policy["digest"]]["separationOfDuties"]["excludeDeployer"] for policy in wanted):
        return None
    voters = {UUID(vote["voterId"]) for vote in scene.votes}
    if accounts_behind(by) & voters:
        return rules.SeparationOfDuties(
            "An approval policy excludes whoever approved from deploying: somebody else must start this deployment.",
            details={"reasons": ["DEPLOYER"]},
        )
    return None


def _busy(promotion: Promotion) -> EnvironmentBusy | None:
    others = Promotion.objects.filter(target_environment=promotion.target_environment, status=Status.DEPLOYING).exclude(
        pk=promotion.pk
    )
    if promotion.target_environment.exclusive == Environment.Exclusive.PRODUCT:
        others = others.filter(Q(deployment_lock=promotion.product) | Q(deployment_lock="*"))
    other = others.first()
    if other is None:
        return None
    return EnvironmentBusy(
        f"#{other.number} is being deployed there: start when it has ended.",
        details={"promotionId": str(other.pk), "number": other.number},
    )
