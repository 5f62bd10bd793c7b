"""Sealing packets in the deciding transaction: what stands in one, and storing its exact bytes (domain.md §8)."""

from functools import lru_cache
from typing import Any

from policies.outcomes import Evaluation
from promotions.decision import Record
from promotions.evidence import sign_packet
from promotions.facts import Facts
from promotions.journal import Journal
from promotions.models import EvidencePacket, Installation, Promotion
from promotions.scene import Scene
from stellapromote.errors import ProductError
from stellapromote.signing.keyring import SigningKey

CONTENT_SCHEMA = "stella.packet-content/v1"


class SigningUnavailable(ProductError):
    """A final decision cannot be signed now, and an unsigned one is never stored (domain.md §8)."""

    families = ("SYS_",)
    code = "SYS_UNAVAILABLE"


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


def seal_decision(
    promotion: Promotion,
    scene: Scene,
    evaluation: Evaluation,
    record: Record,
    packet_id: Any,
    key: SigningKey,
    journal: Journal,
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
    packet = {
        "id": packet_id,
        "tenant_id": promotion.tenant_id,
        "promotion_id": promotion.id,
        "decision_id": decision_id,
        "type": packet_type,
        "generated_at": journal.at,
        "document": signed.document,
        "envelope": signed.envelope,
        "content_hash": signed.content_hash,
        "signing_key_id": key.key_id,
    }
    journal.writes.insert(EvidencePacket, packet)
    promotion.evidence_packet_id = packet_id
    journal.note(
        "evidence.packet_created",
        promotion,
        packetId=str(packet_id),
        type=packet_type,
        contentHash=signed.content_hash,
    )
