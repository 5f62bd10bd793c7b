"""Judging a promotion under its lock: look at the facts, evaluate, conclude (architecture.md, how a change happens).

Every action that may change a verdict goes through ``look`` and ``conclude`` in one transaction, and nothing else
writes a decision record or moves a promotion between its open states.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

import orjson

from policies.engines.ask import ask_all
from policies.evaluator import evaluate
from policies.facts import GateInput
from policies.outcomes import Evaluation, GateResult
from policies.stored_documents import documents
from promotions import rows
from promotions.collected import want
from promotions.decision import Record, build_record, fingerprint
from promotions.electorate import approval_voters, gate_confirmers
from promotions.evidence import sign_packet
from promotions.facts import FREEZE_HORIZON, NO_BLOBS, Facts, gather, store_blobs
from promotions.journal import Journal
from promotions.models import Confirmation, DecisionRecord, EvidencePacket, Installation, Promotion, Vote
from promotions.signing_key import current_key
from promotions.states import OPEN, VOTING, Status, status_for, transition
from promotions.subject import changed_fields
from stellapromote.clock import Clock, parse_rfc3339
from stellapromote.errors import ProductError
from stellapromote.ids import new_id
from stellapromote.signing.keyring import SigningKey

CONTENT_SCHEMA = "stella.packet-content/v1"


class SigningUnavailable(ProductError):
    """A final decision cannot be signed now, and an unsigned one is never stored (domain.md §8)."""

    families = ("SYS_",)
    code = "SYS_UNAVAILABLE"


@dataclass(slots=True)
class Scene:
    """One promotion under its lock, at one instant, with the facts about it."""

    promotion: Promotion
    at: datetime
    facts: Facts
    documents: Mapping[str, dict[str, Any]]
    key: SigningKey | None

    @property
    def votes(self) -> list[dict[str, Any]]:
        votes: list[dict[str, Any]] = self.facts.gate_input["votes"]
        return votes

    @property
    def confirmations(self) -> list[dict[str, Any]]:
        confirmations: list[dict[str, Any]] = self.facts.gate_input["confirmations"]
        return confirmations

    @property
    def overrides(self) -> list[dict[str, Any]]:
        overrides: list[dict[str, Any]] = self.facts.gate_input["overrides"]
        return overrides

    def evaluate(self) -> Evaluation:
        """What the gates say about these facts. Policies as code are asked now: a vote that was just given counts."""
        facts = cast("GateInput", self.facts.gate_input)
        policy = self.documents[facts["requirements"]["promotionPolicy"]["digest"]]
        facts["policyAnswers"] = {**facts.get("policyAnswers", {}), **ask_all(policy, facts, self.documents)}
        return evaluate(facts, self.documents)

    def subject_changes(self) -> list[str]:
        """What changed in the subject since the promotion was last evaluated."""
        if self.facts.gate_input["subject"]["digest"] == self.promotion.subject_digest:
            return []
        return changed_fields(self.promotion.subject, self.facts.subject)


def instant(clock: Clock, promotion: Promotion) -> datetime:
    """Read once, after the locks: never before the last evaluation of this promotion (domain.md §0)."""
    return max(clock.now(), promotion.last_evaluated_at)


def stored_requirements(promotion: Promotion) -> dict[str, Any]:
    """The snapshot taken at request, as it stands in every gate input of the promotion."""
    requirements: dict[str, Any] = orjson.loads(bytes(promotion.requirements))
    del requirements["schema"]
    return requirements


def look(promotion: Promotion, at: datetime, *, unstored: Mapping[str, bytes] = NO_BLOBS) -> Scene:
    """Gathers the facts. Cost: one statement when the policy documents are cached and no dependency gate asks more.

    ``unstored``: the bundle of a promotion that is only previewed.
    """
    requirements = stored_requirements(promotion)
    wanted = [requirements["promotionPolicy"]["digest"], *(p["digest"] for p in requirements["approvalPolicies"])]
    texts: dict[str, Any] = dict(documents(promotion.tenant_id, wanted))
    key = current_key()
    facts = gather(
        promotion,
        requirements=requirements,
        policy=texts[requirements["promotionPolicy"]["digest"]],
        signing_available=key is not None,
        at=at,
        unstored=unstored,
    )
    texts.update(facts.documents)
    texts.update({name: orjson.loads(content) for name, content in facts.blobs.items()})
    return Scene(promotion, at, facts, texts, key)


def adopt_subject(scene: Scene, journal: Journal) -> list[str]:
    """If the subject changed, voids every live vote and confirmation and binds the promotion to the new subject.

    Returns the names of what changed; empty when nothing did.
    """
    promotion = scene.promotion
    changes = scene.subject_changes()
    if changes:
        promotion.version += 1
        ended = {"ended_at": scene.at, "ended_as": "void", "ended_reason": "SUBJECT_CHANGED"}
        Vote.objects.filter(promotion=promotion, ended_at=None).update(**ended)
        Confirmation.objects.filter(promotion=promotion, ended_at=None).update(**ended)
        voided = [act["voterId"] for act in (*scene.votes, *scene.confirmations)]
        scene.votes.clear()
        scene.confirmations.clear()
        promotion.approval_seconds_left = None
        promotion.earlier_subjects = {**promotion.earlier_subjects, promotion.subject_digest: promotion.subject}
        if voided:
            journal.note("approval.voided", promotion, changed=changes, voters=sorted(set(voided)))
    promotion.subject = dict(scene.facts.subject)
    promotion.subject_digest = scene.facts.gate_input["subject"]["digest"]
    return changes


def conclude(scene: Scene, journal: Journal, *, superseded: Iterable[Promotion] = ()) -> Evaluation:
    """Evaluates, writes a record if the outcome differs, seals a packet if it is final, and moves the promotion.

    Changes ``scene.promotion`` in memory; the caller stores it. Raises SigningUnavailable only while creating.
    """
    promotion = scene.promotion
    version, shown = promotion.version, _shown(promotion)
    evaluation = scene.evaluate()
    creating = not promotion.decision_sequence
    movable = creating or promotion.status in OPEN
    target = status_for(evaluation.decision, waits_for_people_only=evaluation.waits_for_people_only)
    moves = movable and (creating or target != promotion.status)
    seals = moves and target in (Status.APPROVED, Status.REJECTED)

    promotion.last_evaluated_at = scene.at
    if seals and scene.key is None:
        if creating:
            raise SigningUnavailable("No usable signing key: nothing can be decided now. Tell the platform owner.")
        # A refusal that cannot be signed waits, blocked, until the worker finds a key.
        promotion.next_change_at = min(promotion.next_change_at or scene.at, scene.at)
        promotion.version += _shown(promotion) != shown
        return evaluation

    _summarise(promotion, evaluation)
    live = [act["id"] for act in (*scene.votes, *scene.confirmations)]
    mark = fingerprint(evaluation, votes=live, subject_digest=promotion.subject_digest)
    if mark != promotion.decision_fingerprint or seals:
        packet_id = new_id() if seals else None
        record = _write_record(promotion, scene, evaluation, packet_id)
        policy = scene.documents[scene.facts.gate_input["requirements"]["promotionPolicy"]["digest"]]
        want(promotion, policy, subject_digest=promotion.subject_digest, at=scene.at)
        promotion.decision_fingerprint = mark
        promotion.version += 1
        if packet_id is not None and scene.key is not None:
            _seal_decision(promotion, scene, evaluation, record, packet_id, scene.key, journal)
    if moves:
        _move(promotion, target, scene, evaluation, journal, creating=creating)
        if target is Status.APPROVED:
            for older in superseded:
                cancel(older, "superseded", f"Superseded by #{promotion.number}.", journal)
                rows.store(older)
    promotion.open_voters = _open_voters(scene, evaluation) if promotion.status in VOTING else []
    promotion.next_change_at = _next_change(promotion, evaluation)
    if promotion.version == version and _shown(promotion) != shown:
        promotion.version += 1
    return evaluation


def _shown(promotion: Promotion) -> tuple[Any, ...]:
    """What an evaluation may change of what is shown, beside the record: the version, an ETag, changes with it."""
    return (
        promotion.status,
        promotion.gates,
        promotion.approvals_required,
        promotion.approvals_given,
        promotion.open_voters,
        promotion.next_change_at,
    )


def cancel(promotion: Promotion, status_reason: str, detail: str, journal: Journal) -> None:
    """Moves an open promotion to cancelled, in memory; no decision is made (domain.md §7)."""
    before = promotion.status
    transition(Status(before), Status.CANCELLED)
    promotion.status = Status.CANCELLED
    promotion.status_reason = status_reason
    promotion.status_detail = detail
    promotion.open_voters = []
    promotion.next_change_at = None
    promotion.completed_at = journal.at
    promotion.version += 1
    journal.note(
        "promotion.cancelled",
        promotion,
        before={"status": before},
        after={"status": promotion.status, "statusReason": status_reason, "reason": detail},
    )


def expire_if_due(promotion: Promotion, at: datetime, journal: Journal) -> bool:
    """Judges expiry at the moment of use (domain.md §4); True when the promotion was moved to cancelled(expired)."""
    due = promotion.approval_expires_at if promotion.status == Status.APPROVED else promotion.pending_expires_at
    if promotion.status not in OPEN or due is None or at < due:
        return False
    what = "approval" if promotion.status == Status.APPROVED else "request"
    cancel(promotion, "expired", f"The {what} expired. Request the promotion again.", journal)
    return True


def _summarise(promotion: Promotion, evaluation: Evaluation) -> None:
    promotion.gates = [
        {"name": gate.name, "type": gate.type, "status": gate.status, "message": gate.message, **_failing_since(gate)}
        for gate in evaluation.gates
    ]
    promotion.blocked_by = [gate.name for gate in evaluation.gates if gate.status in ("pending", "fail")]
    promotion.approvals_required = evaluation.required
    promotion.approvals_given = evaluation.given


def _failing_since(gate: GateResult) -> dict[str, str]:
    """When a gate that waits for an override began to fail: the next evaluation counts from there."""
    possible = gate.details.get("overridePossible")
    return {} if possible is None else {"failingSince": possible["since"]}


def _bundle(scene: Scene) -> dict[str, Any] | None:
    """The evidence bundle of the facts, which the record says the main digests of."""
    evidence = scene.facts.gate_input["evidence"]
    bundle: dict[str, Any] | None = (
        None if evidence is None else orjson.loads(scene.facts.documents[evidence["bundleDigest"]])
    )
    return bundle


def _write_record(promotion: Promotion, scene: Scene, evaluation: Evaluation, packet_id: Any) -> Record:
    store_blobs(scene.facts.blobs)
    record_id = new_id()
    record = build_record(
        record_id=record_id,
        promotion_id=promotion.id,
        sequence=promotion.decision_sequence + 1,
        previous_id=promotion.decision_id,
        packet_id=packet_id,
        gate_input=scene.facts.gate_input,
        bundle=_bundle(scene),
        evaluation=evaluation,
        at=scene.at,
    )
    recorded = DecisionRecord(
        id=record_id,
        tenant_id=promotion.tenant_id,
        promotion_id=promotion.id,
        sequence=promotion.decision_sequence + 1,
        decision=evaluation.decision,
        reason_codes=list(evaluation.reason_codes),
        evaluated_at=scene.at,
        subject_digest=promotion.subject_digest,
        input=record.input,
        document=record.document,
        determinism_hash=record.fields["determinismHash"],
    )
    rows.insert(recorded)
    promotion.decision_id = record_id
    promotion.decision_sequence += 1
    return record


@lru_cache(maxsize=1)
def installation_id() -> str:
    """The id that every packet of this installation carries; it never changes."""
    return str(Installation.objects.values_list("installation_id", flat=True).get())


def packet_content(
    promotion: Promotion,
    facts: Facts,
    *,
    approvers: list[dict[str, Any]],
    decision: dict[str, Any] | None,
    execution: dict[str, Any] | None,
) -> dict[str, Any]:
    """The content of a packet of any type (domain.md §8): of people only account id, username and display name."""
    requirements = facts.gate_input["requirements"]
    source, target = promotion.source_environment, promotion.target_environment
    content: dict[str, Any] = {
        "schema": CONTENT_SCHEMA,
        "installationId": installation_id(),
        "lastSealedAuditHead": facts.audit_head,
        "promotion": {
            "id": str(promotion.id),
            "number": promotion.number,
            "reason": promotion.reason,
            "requestedAt": facts.gate_input["promotion"]["requestedAt"],
            "isRollback": promotion.is_rollback,
        },
        "change": promotion.change,
        "release": {
            "id": str(promotion.release_id),
            "name": promotion.release.name,
            "product": promotion.product,
            "manifestDigest": promotion.manifest_digest,
            "components": facts.components,
        },
        "environment": {
            "id": str(target.id),
            "name": target.name,
            "isProduction": target.is_production,
            "source": None if source is None else {"id": str(source.id), "name": source.name},
        },
        "actors": {
            "requester": {
                "id": str(promotion.requested_by_id),
                "username": promotion.requested_by_username,
                "displayName": promotion.requested_by_name,
            },
            "approvers": approvers,
            "excluded": requirements["excludedPersons"],
        },
        "decision": decision,
        "weakeningEdits": facts.weakening_edits,
        "execution": execution,
        "previous": None if promotion.evidence_packet_id is None else {"packetId": str(promotion.evidence_packet_id)},
    }
    if facts.is_demo:
        content["demo"] = True
    return content


def _seal_decision(
    promotion: Promotion,
    scene: Scene,
    evaluation: Evaluation,
    record: Record,
    packet_id: Any,
    key: SigningKey,
    journal: Journal,
) -> None:
    fields = record.fields
    decision = {
        "recordId": fields["id"],
        "sequence": fields["sequence"],
        "result": evaluation.decision,
        "reasons": fields["reasonCodes"],
        "gates": [
            {
                "name": gate.name,
                "type": gate.type,
                "status": gate.status,
                "reasonCodes": list(gate.reason_codes),
                "message": gate.message,
            }
            for gate in evaluation.gates
        ],
        **{name: fields[name] for name in ("policyName", "policyVersion", "policyDigest", "approvalPolicies")},
        **{name: fields[name] for name in ("requirementsDigest", "inputDigest", "determinismHash", "subjectDigest")},
        "humanDecisionEnvelopeIds": fields["humanDecisionEnvelopeIds"],
        "evidence": fields["evidence"],
    }
    approvers = [
        {
            "id": vote["voterId"],
            "username": vote["username"],
            "displayName": vote["displayName"],
            "teams": vote["teams"],
            "verdict": vote["verdict"],
            "at": vote["at"],
        }
        for vote in scene.votes
    ]
    content = packet_content(promotion, scene.facts, approvers=approvers, decision=decision, execution=None)
    store_packet(promotion, "release_decision", content, packet_id, key, journal, decision_id=promotion.decision_id)


def store_packet(
    promotion: Promotion,
    packet_type: str,
    content: dict[str, Any],
    packet_id: Any,
    key: SigningKey,
    journal: Journal,
    *,
    decision_id: Any,
) -> None:
    """Signs, stores the exact bytes, and makes the packet the promotion's newest."""
    signed = sign_packet(
        packet_id=packet_id,
        packet_type=packet_type,
        tenant_id=promotion.tenant_id,
        generated_at=journal.at,
        content=content,
        key=key,
    )
    packet = EvidencePacket(
        id=packet_id,
        tenant_id=promotion.tenant_id,
        promotion_id=promotion.id,
        decision_id=decision_id,
        type=packet_type,
        generated_at=journal.at,
        document=signed.document,
        envelope=signed.envelope,
        content_hash=signed.content_hash,
        signing_key_id=key.key_id,
    )
    rows.insert(packet)
    promotion.evidence_packet_id = packet_id
    journal.note(
        "evidence.packet_created",
        promotion,
        packetId=str(packet_id),
        type=packet_type,
        contentHash=signed.content_hash,
    )


def _move(
    promotion: Promotion,
    target: Status,
    scene: Scene,
    evaluation: Evaluation,
    journal: Journal,
    *,
    creating: bool,
) -> None:
    before = None if creating else Status(promotion.status)
    step = transition(before, target)
    at = scene.at
    if before is Status.APPROVED and promotion.approval_expires_at is not None:
        promotion.approval_seconds_left = max(0, int((promotion.approval_expires_at - at).total_seconds()))
        promotion.approval_expires_at = promotion.approved_at = promotion.decided_at = None
    promotion.status = target
    promotion.status_reason = promotion.status_detail = ""
    if target is Status.APPROVED:
        left = promotion.approval_seconds_left
        seconds = promotion.approval_ttl_seconds if left is None else left
        promotion.approved_at = promotion.decided_at = at
        promotion.approval_expires_at = at + timedelta(seconds=seconds)
    elif target is Status.REJECTED:
        failed = next(gate for gate in evaluation.gates if gate.status == "fail")
        promotion.decided_at = at
        promotion.status_reason = failed.reason_codes[0] if failed.reason_codes else "GATE_FAILED"
        promotion.status_detail = failed.message[:2000]
    outcome = {"status": str(target), "decision": evaluation.decision, "reasonCodes": list(evaluation.reason_codes)}
    journal.note(
        step.event,
        promotion,
        before=None if before is None else {"status": str(before)},
        after=outcome,
        decisionId=str(promotion.decision_id),
    )
    if creating and target in (Status.APPROVED, Status.REJECTED):
        journal.note(f"promotion.{target}", promotion, after=outcome, decisionId=str(promotion.decision_id))


def _open_voters(scene: Scene, evaluation: Evaluation) -> list[UUID]:
    """Everybody whose approval or confirmation is still wanted: what "waits for me" asks about."""
    found: set[str] = set()
    for gate in evaluation.gates:
        if gate.status == "pending" and gate.type == "approval":
            found |= approval_voters(scene.facts.gate_input, scene.documents)
        elif gate.status == "pending" and gate.type == "manual":
            found |= gate_confirmers(scene.facts.gate_input, scene.documents, gate.name)
    return sorted(UUID(each) for each in found)


def _next_change(promotion: Promotion, evaluation: Evaluation) -> datetime | None:
    if promotion.status not in OPEN:
        return None
    due = promotion.approval_expires_at if promotion.status == Status.APPROVED else promotion.pending_expires_at
    changes = [promotion.last_evaluated_at + FREEZE_HORIZON]
    if due is not None:
        changes.append(due)
    if evaluation.next_change_at is not None:
        changes.append(parse_rfc3339(evaluation.next_change_at))
    return min(changes)
