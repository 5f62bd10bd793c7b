"""Stored packets and overrides, verified with what stands beside them in the database (proof.md; docs/adr/0163)."""

from collections.abc import Mapping
from typing import Any

import orjson

from promotions.models import EvidencePacket, Override
from promotions.packets.verifying.envelope import predicate_of, statement_of, verify_envelope
from promotions.packets.verifying.keys import KnownKey
from promotions.packets.verifying.packet import verify_packet
from promotions.packets.verifying.result import Check, Verification
from promotions.packets.verifying.stored import Stored, stored_here
from stellapromote.clock import rfc3339


def verify_stored_packet(
    row: EvidencePacket, keys: Mapping[str, KnownKey], stored: Stored = stored_here
) -> Verification:
    """The packet of the row together with its envelope, and whether they are those of this row and its promotion.

    Never raises, for any content of the row. Cost: a statement for the packet, its envelope and each record it names.
    """
    document = _read(row.document)
    if document is None:
        return Verification("packet", (Check("schema", "failed", "The stored packet cannot be read."),))
    found = verify_packet({**document, "envelope": _read(row.envelope)}, keys, stored)
    return found.with_check(_about(row, document))


def verify_stored_override(row: Override, keys: Mapping[str, KnownKey], stored: Stored = stored_here) -> Verification:
    """The signed human decision of the row, and whether it agrees with the row.

    Never raises, for any content of the row. Cost: one statement.
    """
    envelope = _read(row.envelope)
    if envelope is None:
        return Verification("envelope", (Check("schema", "failed", "The stored envelope cannot be read."),))
    found = verify_envelope(envelope, keys, stored)
    predicate = predicate_of(statement_of(envelope)[0]) or {}
    gate = predicate.get("gate")
    return found.with_check(
        _says(
            {
                "id": (predicate.get("id"), str(row.pk)),
                "tenantId": (predicate.get("tenantId"), str(row.tenant_id)),
                "promotionId": (predicate.get("promotionId"), str(row.promotion_id)),
                "decisionId": (predicate.get("decisionId"), str(row.decision_id)),
                "actorId": (predicate.get("actorId"), str(row.actor_id)),
                "gate": (gate.get("name") if isinstance(gate, Mapping) else None, row.gate),
                "reasonCodes": (predicate.get("reasonCodes"), row.reason_codes),
                "findings": (predicate.get("findings"), row.findings),
                "subjectDigest": (predicate.get("subjectDigest"), row.subject_digest),
                "reason": (predicate.get("reason"), row.reason),
                "ticket": (predicate.get("ticket"), row.ticket),
                "recordedAtUtc": (predicate.get("recordedAtUtc"), rfc3339(row.recorded_at)),
                "expiresAtUtc": (predicate.get("expiresAtUtc"), rfc3339(row.expires_at)),
            }
        )
    )


def _about(row: EvidencePacket, document: Mapping[str, Any]) -> Check:
    """The packet is the one of its row, and about the promotion that the row belongs to."""
    content = document.get("content")
    promotion = content.get("promotion") if isinstance(content, Mapping) else None
    return _says(
        {
            "id": (document.get("id"), str(row.pk)),
            "type": (document.get("type"), row.type),
            "tenantId": (document.get("tenantId"), str(row.tenant_id)),
            "contentHash": (document.get("contentHash"), row.content_hash),
            "signerKeyRef": (document.get("signerKeyRef"), row.signing_key_id),
            "promotion": (promotion.get("id") if isinstance(promotion, Mapping) else None, str(row.promotion_id)),
        }
    )


def _says(signed_and_stored: Mapping[str, tuple[Any, Any]]) -> Check:
    """The signed parts are those of the row, by their names."""
    other = [name for name, (signed, stored) in signed_and_stored.items() if signed != stored]
    if other:
        return Check(
            "promotion", "failed", f"These parts are not those that are stored for the promotion: {', '.join(other)}."
        )
    return Check("promotion", "passed", "This is about this promotion.")


def _read(stored: bytes | memoryview) -> dict[str, Any] | None:
    try:
        found = orjson.loads(bytes(stored))
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
