"""Sealing packets in the deciding transaction: signing them and storing their exact bytes (domain.md §8)."""

from typing import Any

from policies.outcomes import Evaluation
from promotions.judging.decision import Record
from promotions.judging.evaluation_context import EvaluationContext
from promotions.judging.packet_content import packet_content
from promotions.judging.unit_of_work import UnitOfWork
from promotions.models import EvidencePacket, Promotion
from promotions.packets.packet import sign_packet
from stellapromote.errors import ProductError
from stellapromote.signing.canonical_json import digest_bytes
from stellapromote.signing.keyring import SigningKey


class SigningUnavailable(ProductError):
    """A final decision cannot be signed now, and an unsigned one is never stored (domain.md §8)."""

    families = ("SYS_",)
    code = "SYS_UNAVAILABLE"


def seal_decision(
    promotion: Promotion,
    context: EvaluationContext,
    evaluation: Evaluation,
    record: Record,
    packet_id: Any,
    key: SigningKey,
    work: UnitOfWork,
) -> None:
    """Seals the packet of a final decision. ``record`` is the one that this evaluation wrote."""
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
    written = {"id": fields["id"], "sequence": fields["sequence"], "digest": record.digest}
    content = packet_content(
        promotion,
        context.facts,
        record_digest=record.digest,
        input_digest=fields["inputDigest"],
        records=[*context.facts.records, written],
        votes=context.votes,
        decision=decision,
        execution=None,
    )
    store_packet(promotion, "release_decision", content, packet_id, key, work, decision_id=promotion.decision_id)


def store_packet(
    promotion: Promotion,
    packet_type: str,
    content: dict[str, Any],
    packet_id: Any,
    key: SigningKey,
    work: UnitOfWork,
    *,
    decision_id: Any,
) -> None:
    """Signs, stores the exact bytes, and makes the packet the promotion's newest."""
    signed = sign_packet(
        packet_id=packet_id,
        packet_type=packet_type,
        tenant_id=promotion.tenant_id,
        generated_at=work.at,
        content=content,
        key=key,
    )
    packet = {
        "id": packet_id,
        "tenant_id": promotion.tenant_id,
        "promotion_id": promotion.id,
        "decision_id": decision_id,
        "type": packet_type,
        "generated_at": work.at,
        "document": signed.document,
        "envelope": signed.envelope,
        "content_hash": signed.content_hash,
        "signing_key_id": key.key_id,
    }
    work.writes.insert(EvidencePacket, packet)
    promotion.evidence_packet_id = packet_id
    work.note(
        "evidence.packet_created",
        promotion,
        packetId=str(packet_id),
        type=packet_type,
        contentHash=signed.content_hash,
        documentDigest=digest_bytes(signed.document),
        envelopeDigest=digest_bytes(signed.envelope),
    )
