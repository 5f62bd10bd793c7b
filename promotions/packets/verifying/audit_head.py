"""Whether the audit chain still holds what a packet was signed over: `lastSealedAuditHead` (domain.md §9)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from promotions.models import EvidencePacket
from promotions.packets.verifying import KnownKey, known_keys, stored_here, verify, verify_stored_packet
from promotions.packets.verifying.envelope import predicate_of, statement_of
from promotions.packets.verifying.result import Check, Verification
from stellapromote.accounts.models import Tenant
from stellapromote.audit.models import AuditLink

_NAME: Final = "auditHead"
_LONGEST_SEQUENCE: Final = 2**63 - 1


class UnreadableHead(ValueError):
    """The content names no head as this product writes it."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The last link of the chain when a packet was sealed."""

    sequence: int
    event_hash: bytes


def head_of(content: Any) -> SignedHead | None:
    """The head that a packet's content names; None when nothing was sealed then. Raises UnreadableHead."""
    try:
        head = content["lastSealedAuditHead"]
        if head is None:
            return None
        sequence, event_hash = head["sequence"], bytes.fromhex(head["eventHash"].removeprefix("sha256:"))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UnreadableHead from None
    if type(sequence) is not int or not 1 <= sequence <= _LONGEST_SEQUENCE:
        raise UnreadableHead
    return SignedHead(sequence, event_hash)


def verify_here(document: Any) -> Verification:
    """As `verify`, with the keys, the packets and the audit chains of this installation. Three statements more."""
    return _with_head(verify(document, known_keys(), stored_here), document)


def verify_stored_here(packet: EvidencePacket, keys: Mapping[str, KnownKey]) -> Verification:
    """As `verify_stored_packet`, with the audit chain of the packet's tenant. Cost: two statements more."""
    found = verify_stored_packet(packet, keys)
    return _with_head(found, orjson.loads(bytes(packet.document)) if found.valid else {})


def _with_head(found: Verification, document: Any) -> Verification:
    if found.kind == "unknown" or found.packet_type == "human_decision":
        return found
    return found.with_check(_check(found, document))


def _check(found: Verification, document: Mapping[str, Any]) -> Check:
    """Compares signed heads only: else a caller would learn how long the chain of a tenant is."""
    if not found.valid:
        return Check(_NAME, "skipped", "Only what the packet was signed over is compared with the audit chain.")
    tenant_id, content = _signed(found, document)
    if tenant_id is None or not Tenant.objects.filter(pk=tenant_id).exists():
        return Check(_NAME, "skipped", "The audit chain that the packet was signed over is not stored here.")
    try:
        head = head_of(content)
    except UnreadableHead:
        return Check(_NAME, "failed", "The packet does not say where the audit chain stood.")
    if head is None:
        return Check(_NAME, "passed", "The packet was signed before the first audit event was sealed.")
    links = AuditLink.objects.filter(tenant_id=tenant_id, sequence=head.sequence).values_list("event_hash", flat=True)
    if [bytes(each) for each in links] != [head.event_hash]:
        return Check(
            _NAME,
            "failed",
            f"The audit chain does not hold link {head.sequence} as the packet was signed over it: "
            "it was cut or rewritten since. Run `manage.py verify_audit_log`.",
        )
    return Check(_NAME, "passed", f"The audit chain holds link {head.sequence} as the packet was signed over it.")


def _signed(found: Verification, document: Mapping[str, Any]) -> tuple[UUID | None, Any]:
    """The tenant and the content; of an envelope, which names no tenant, that of the stored packet."""
    if found.kind == "packet":
        return _uuid(document.get("tenantId")), document.get("content")
    predicate = predicate_of(statement_of(document)[0]) or {}
    packet_id, content = _uuid(predicate.get("packetId")), predicate.get("content")
    if packet_id is None:
        return None, content
    return EvidencePacket.objects.filter(pk=packet_id).values_list("tenant_id", flat=True).first(), content


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value)
    except (AttributeError, TypeError, ValueError):
        return None
