"""Judging a promotion under its lock: gather the facts, evaluate, conclude (architecture.md, how a change happens).

Every action that may change a verdict calls ``gather_context`` and ``conclude`` in one transaction. Nothing else writes
a decision record or moves a promotion between its open states.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from policies.facts import policy_of
from policies.outcomes import Evaluation, GateResult
from promotions.fastpath import rows
from promotions.judging.collected_facts import request_facts
from promotions.judging.decision import Record, build_record, fingerprint
from promotions.judging.electorate import approval_voters, gate_confirmers
from promotions.judging.evaluation_context import EvaluationContext
from promotions.judging.facts import FREEZE_HORIZON, store_blobs
from promotions.judging.sealing import SigningUnavailable, seal_decision
from promotions.judging.unit_of_work import UnitOfWork
from promotions.models import Confirmation, DecisionRecord, Promotion, Vote
from promotions.states import OPEN, VOTING, Status, status_for, transition
from stellapromote.audit.events import OfPromotion
from stellapromote.clock import parse_rfc3339
from stellapromote.ids import new_id
from stellapromote.signing.canonical_json import canonical_bytes

REJECTED = "APPROVAL_REJECTED"
# The time after which a promotion is judged again while no key signs: its decision is made and only not stored.
SIGNING_RETRY = timedelta(seconds=30)


def adopt_subject(context: EvaluationContext, work: UnitOfWork) -> list[str]:
    """If the subject changed, voids every live approval and confirmation and binds the promotion to the new subject.

    Returns the names of what changed; empty when nothing did.
    """
    promotion = context.promotion
    changes = context.subject_changes()
    if changes:
        context.subject_changed = True
        promotion.version += 1
        ended = {"ended_at": context.at, "ended_as": "void", "ended_reason": "SUBJECT_CHANGED"}
        approvals = [vote for vote in context.votes if vote["verdict"] == "approve"]
        Vote.objects.filter(promotion=promotion, verdict=Vote.Verdict.APPROVE, ended_at=None).update(**ended)
        Confirmation.objects.filter(promotion=promotion, ended_at=None).update(**ended)
        voided = [act["voterId"] for act in (*approvals, *context.confirmations)]
        context.votes[:] = [vote for vote in context.votes if vote not in approvals]
        context.confirmations.clear()
        promotion.approval_seconds_left = None
        promotion.earlier_subjects = {**promotion.earlier_subjects, promotion.subject_digest: promotion.subject}
        if voided:
            work.note("approval.voided", promotion, changed=changes, voters=sorted(set(voided)))
    promotion.subject = dict(context.facts.subject)
    promotion.subject_digest = context.facts.gate_input["subject"]["digest"]
    return changes


def _end_void_acts(context: EvaluationContext, evaluation: Evaluation, work: UnitOfWork) -> None:
    """Ends the votes and confirmations that the evaluation found void, for good (domain.md §5; docs/adr/0102).

    The record of the evaluation holds them and is written already: facts from here on are without them. Cost: nothing
    when there are none, else a statement or two.
    """
    codes = {
        void["id"]: void["code"]
        for gate in evaluation.gates
        for void in (*gate.details.get("voidVotes", ()), *gate.details.get("voidConfirmations", ()))
    }
    if not codes:
        return
    facts, voters = context.facts.gate_input, set()
    for kind, acts in ((Vote, facts["votes"]), (Confirmation, facts["confirmations"])):
        for act in acts:
            if act["id"] in codes:
                ended = {"ended_at": context.at, "ended_as": "void", "ended_reason": codes[act["id"]]}
                kind.objects.filter(pk=act["id"], ended_at=None).update(**ended)
                voters.add(act["voterId"])
    facts["votes"] = [act for act in facts["votes"] if act["id"] not in codes]
    facts["confirmations"] = [act for act in facts["confirmations"] if act["id"] not in codes]
    context.promotion.version += 1
    work.note("approval.voided", context.promotion, reasons=sorted(set(codes.values())), voters=sorted(voters))


def conclude(context: EvaluationContext, work: UnitOfWork, *, superseded: Iterable[Promotion] = ()) -> Evaluation:
    """Evaluates, writes a record if the outcome differs, seals a packet if it is final, and moves the promotion.

    Changes ``context.promotion`` in memory; the caller stores it. Raises SigningUnavailable only while creating.
    """
    promotion = context.promotion
    version, shown, next_change_at = promotion.version, _shown(promotion), promotion.next_change_at
    evaluation = context.evaluate()
    creating = not promotion.decision_sequence
    movable = creating or promotion.status in OPEN
    target = status_for(evaluation.decision, waits_for_people_only=evaluation.waits_for_people_only)
    moves = movable and (creating or target != promotion.status)
    closes = promotion.status == Status.FAILED and not promotion.retry_closed and _is_rejected(evaluation)
    seals = closes or (moves and target in (Status.APPROVED, Status.REJECTED))

    promotion.last_evaluated_at = context.at
    if seals and context.key is None:
        if creating:
            raise SigningUnavailable("No usable signing key: nothing can be decided now. Tell the platform owner.")
        # A refusal that cannot be signed waits, blocked, until the worker finds a key.
        promotion.next_change_at = context.at + SIGNING_RETRY
        if context.subject_changed and not work.has_event_of(promotion):
            work.note("promotion.evaluated", promotion, after={"status": str(promotion.status)}, outside=False)
        return evaluation

    _summarise(promotion, evaluation)
    live = [act["id"] for act in (*context.votes, *context.confirmations)]
    mark = fingerprint(evaluation, votes=live, subject_digest=promotion.subject_digest)
    recorded = mark != promotion.decision_fingerprint or seals
    packet_id = new_id() if seals else None
    record = None
    if recorded:
        record = _write_record(promotion, context, evaluation, packet_id, work)
        policy = policy_of(context.facts.gate_input["requirements"], context.documents)
        request_facts(promotion, policy, subject_digest=promotion.subject_digest, at=context.at)
        promotion.decision_fingerprint = mark
        promotion.version += 1
        _end_void_acts(context, evaluation, work)
    else:
        _keep_newer_results(promotion, evaluation)
        _end_void_acts(context, evaluation, work)
    if moves:
        _move(promotion, target, context, evaluation, work, creating=creating)
    promotion.retry_closed |= closes
    if record is not None and packet_id is not None and context.key is not None:
        seal_decision(promotion, context, evaluation, record, packet_id, context.key, work)
    if moves and target is Status.APPROVED:
        for older in superseded:
            cancel(older, "superseded", f"Superseded by #{promotion.number}.", work)
            rows.store(older)
    if recorded and not moves and not work.has_event_of(promotion):
        _note_event(promotion, "promotion.evaluated", evaluation, work)
    if promotion.status in VOTING and not evaluation.waits_for_time_only:
        promotion.approval_seconds_left = None
    promotion.open_voters = _open_voters(context, evaluation) if promotion.status in VOTING else []
    promotion.next_change_at = _next_change(promotion, evaluation)
    changes = _shown(promotion) != shown
    changes |= promotion.next_change_at != next_change_at and not _waits_for_key(evaluation)
    if promotion.version == version and changes:
        promotion.version += 1
    return evaluation


def _shown(promotion: Promotion) -> tuple[Any, ...]:
    """The shown parts that an evaluation may change beside the record: the version, an ETag, changes with them.

    It also changes with the next change, unless that is only the next attempt to find a key.
    """
    return (
        promotion.status,
        promotion.gates,
        promotion.approvals_required,
        promotion.approvals_given,
        promotion.open_voters,
        promotion.retry_closed,
    )


def cancel(promotion: Promotion, status_reason: str, detail: str, work: UnitOfWork) -> None:
    """Moves an open promotion to cancelled, in memory; no decision is made (domain.md §7)."""
    before = promotion.status
    transition(Status(before), Status.CANCELLED)
    promotion.status = Status.CANCELLED
    promotion.status_reason = status_reason
    promotion.status_detail = detail
    promotion.open_voters = []
    promotion.next_change_at = None
    promotion.completed_at = work.at
    promotion.version += 1
    work.note(
        "promotion.cancelled",
        promotion,
        before={"status": before},
        after={"status": promotion.status, "statusReason": status_reason, "reason": detail},
    )


def expire_if_due(promotion: Promotion, at: datetime, work: UnitOfWork) -> bool:
    """Judges expiry at the moment of use (domain.md §4); True when the promotion was moved to cancelled(expired)."""
    due, what = _expiry(promotion)
    if promotion.status not in OPEN or due is None or at < due:
        return False
    cancel(promotion, "expired", f"The {what} expired. Request the promotion again.", work)
    return True


def _expiry(promotion: Promotion) -> tuple[datetime | None, str]:
    """When an open promotion expires, and what of it does."""
    if promotion.status == Status.APPROVED:
        return promotion.approval_expires_at, "approval"
    return promotion.pending_expires_at, "request"


def _summarise(promotion: Promotion, evaluation: Evaluation) -> None:
    promotion.gates = [
        {"name": gate.name, "type": gate.type, "status": gate.status, "message": gate.message, **_failing_since(gate)}
        for gate in evaluation.gates
    ]
    promotion.blocked_by = [gate.name for gate in evaluation.gates if gate.blocks]
    promotion.approvals_required = evaluation.required
    promotion.approvals_given = evaluation.given


def _keep_newer_results(promotion: Promotion, evaluation: Evaluation) -> None:
    """The results that differ from the record in force, which the evaluation did not replace: they are shown instead.

    Cost: one statement.
    """
    document = DecisionRecord.objects.values_list("document", flat=True).get(
        promotion=promotion, sequence=promotion.decision_sequence
    )
    recorded = {gate["name"]: gate for gate in orjson.loads(bytes(document))["gates"]}
    for kept, gate in zip(promotion.gates, evaluation.gates, strict=True):
        result = orjson.loads(canonical_bytes(gate.as_json()))
        if result != recorded[gate.name]:
            kept["newer"] = result


def _failing_since(gate: GateResult) -> dict[str, str]:
    """When a gate that waits for an override began to fail: the next evaluation counts from there."""
    possible = gate.details.get("overridePossible")
    return {} if possible is None else {"failingSince": possible["since"]}


def _bundle(context: EvaluationContext) -> dict[str, Any] | None:
    """The evidence bundle of the facts, which the record says the main digests of."""
    evidence = context.facts.gate_input["evidence"]
    bundle: dict[str, Any] | None = (
        None if evidence is None else orjson.loads(context.facts.documents[evidence["bundleDigest"]])
    )
    return bundle


def _write_record(
    promotion: Promotion, context: EvaluationContext, evaluation: Evaluation, packet_id: Any, work: UnitOfWork
) -> Record:
    store_blobs(context.facts.blobs)
    record_id = new_id()
    record = build_record(
        record_id=record_id,
        promotion_id=promotion.id,
        sequence=promotion.decision_sequence + 1,
        previous_id=promotion.decision_id,
        packet_id=packet_id,
        gate_input=context.facts.gate_input,
        bundle=_bundle(context),
        evaluation=evaluation,
        at=context.at,
    )
    recorded = {
        "id": record_id,
        "tenant_id": promotion.tenant_id,
        "promotion_id": promotion.id,
        "sequence": promotion.decision_sequence + 1,
        "decision": evaluation.decision,
        "reason_codes": list(evaluation.reason_codes),
        "evaluated_at": context.at,
        "subject_digest": promotion.subject_digest,
        "input": record.input,
        "document": record.document,
        "determinism_hash": record.fields["determinismHash"],
    }
    work.writes.insert(DecisionRecord, recorded)
    work.note_record(promotion, record_id, record.digest)
    promotion.decision_id = record_id
    promotion.decision_sequence += 1
    return record


def _move(
    promotion: Promotion,
    target: Status,
    context: EvaluationContext,
    evaluation: Evaluation,
    work: UnitOfWork,
    *,
    creating: bool,
) -> None:
    before = None if creating else Status(promotion.status)
    step = transition(before, target)
    at = context.at
    if before is Status.APPROVED and promotion.approval_expires_at is not None:
        promotion.approval_seconds_left = max(0, int((promotion.approval_expires_at - at).total_seconds()))
        promotion.approval_expires_at = promotion.approved_at = promotion.decided_at = None
    promotion.status = target
    promotion.status_reason = promotion.status_detail = ""
    if target is Status.APPROVED:
        left = promotion.approval_seconds_left
        # No event has what is left: it lengthens nothing.
        seconds = promotion.approval_ttl_seconds if left is None else min(left, promotion.approval_ttl_seconds)
        promotion.approved_at = promotion.decided_at = at
        promotion.approval_expires_at = at + timedelta(seconds=seconds)
    elif target is Status.REJECTED:
        failed = _deciding(evaluation)
        promotion.decided_at = at
        promotion.status_reason = failed.leading_code or "GATE_FAILED"
        promotion.status_detail = failed.message[:2000]
    _note_event(promotion, step.event, evaluation, work, before=None if before is None else {"status": str(before)})
    if creating and target is Status.APPROVED:
        _note_event(promotion, "promotion.approved", evaluation, work)
    elif creating and target is Status.REJECTED:
        _note_event(promotion, "promotion.rejected", evaluation, work)


def _note_event(
    promotion: Promotion,
    event: OfPromotion,
    evaluation: Evaluation,
    work: UnitOfWork,
    *,
    before: dict[str, Any] | None = None,
) -> None:
    outcome = {
        "status": str(promotion.status),
        "decision": evaluation.decision,
        "reasonCodes": list(evaluation.reason_codes),
    }
    work.note(event, promotion, before=before, after=outcome, decisionId=str(promotion.decision_id))


def _deciding(evaluation: Evaluation) -> GateResult:
    """The failing gate to show as the reason: the one with a reject, else the first one."""
    failed = [gate for gate in evaluation.gates if gate.status == "fail"]
    return next((gate for gate in failed if _has_code(gate, REJECTED)), failed[0])


def _has_code(gate: GateResult, code: str) -> bool:
    """Whether the approval gate says it: a policy as code may say the same words."""
    return gate.type == "approval" and code in gate.reason_codes


def _is_rejected(evaluation: Evaluation) -> bool:
    """Whether a person's reject fails it: one that waits for a signing key does not yet."""
    return any(_has_code(gate, REJECTED) and gate.status == "fail" for gate in evaluation.gates)


def _waits_for_key(evaluation: Evaluation) -> bool:
    return any(_has_code(gate, "SIGNING_UNAVAILABLE") for gate in evaluation.gates)


def _open_voters(context: EvaluationContext, evaluation: Evaluation) -> list[UUID]:
    """The people whose approval or confirmation is still required: the list behind "waits for me"."""
    found: set[str] = set()
    for gate in evaluation.gates:
        if gate.status == "pending" and gate.type == "approval":
            found |= approval_voters(context.facts.gate_input, context.documents)
        elif gate.status == "pending" and gate.type == "manual":
            found |= gate_confirmers(context.facts.gate_input, context.documents, gate.name)
    return sorted(UUID(each) for each in found)


def _next_change(promotion: Promotion, evaluation: Evaluation) -> datetime | None:
    if promotion.status not in OPEN:
        rejected = any(_has_code(gate, REJECTED) for gate in evaluation.gates)
        waits = promotion.status == Status.FAILED and rejected and _waits_for_key(evaluation)
        return promotion.last_evaluated_at + SIGNING_RETRY if waits else None
    due, _ = _expiry(promotion)
    changes = [promotion.last_evaluated_at + FREEZE_HORIZON]
    if due is not None:
        changes.append(due)
    if evaluation.next_change_at is not None:
        changes.append(parse_rfc3339(evaluation.next_change_at))
    if _waits_for_key(evaluation):
        changes.append(promotion.last_evaluated_at + SIGNING_RETRY)
    return min(changes)
