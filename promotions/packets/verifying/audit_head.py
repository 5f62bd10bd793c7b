"""Whether the audit chains still hold what a packet was signed over (domain.md §9).

`lastSealedAuditHead` is of the tenant's chain, `lastSealedSystemHead` of the system's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from promotions.models import EvidencePacket
from promotions.packets.verifying import KnownKey, known_keys, stored_in, verify, verify_stored_packet
from promotions.packets.verifying.border import within_tenant
from promotions.packets.verifying.envelope import predicate_of, statement_of
from promotions.packets.verifying.result import Check, Verification
from stellapromote.audit import heads
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


def system_head_of(content: Any) -> bytes | None:
    """The hash of the last link of the system's chain that a packet's content names; None when nothing was sealed there
    then, and in packets of earlier versions. Raises UnreadableHead."""
    try:
        event_hash = content.get("lastSealedSystemHead")
        return None if event_hash is None else bytes.fromhex(event_hash)
    except (AttributeError, TypeError, ValueError):
        raise UnreadableHead from None


def verify_here(document: Any, tenant_id: UUID) -> Verification:
    """As `verify`, with the keys of this installation and what is stored in this tenant, for a document that a caller
    sent. Four statements more."""
    found = within_tenant(verify(document, known_keys(), stored_in(tenant_id)), document, tenant_id)
    return _with_head(found, document, tenant_id)


def verify_stored_here(packet: EvidencePacket, keys: Mapping[str, KnownKey]) -> Verification:
    """As `verify_stored_packet`, with the audit chains of the packet's tenant and of the system. Cost: three statements
    more."""
    found = verify_stored_packet(packet, keys)
    return _with_head(found, orjson.loads(bytes(packet.document)) if found.valid else {}, packet.tenant_id)


def _with_head(found: Verification, document: Any, tenant_id: UUID) -> Verification:
    if found.kind == "unknown" or found.packet_type == "human_decision":
        return found
    return found.with_check(_check(found, document, tenant_id))


def _check(found: Verification, document: Mapping[str, Any], tenant_id: UUID) -> Check:
    """Compares signed heads only: else a caller would learn how long the chain is."""
    if not found.valid:
        return Check(_NAME, "skipped", "Only what the packet was signed over is compared with the audit chain.")
    try:
        content = _content(found, document)
        head, system = head_of(content), system_head_of(content)
    except UnreadableHead:
        return Check(_NAME, "failed", "The packet does not say where the audit chain stood.")
    if head is not None and not _holds(head, tenant_id):
        differs = f"The audit chain does not hold link {head.sequence} as the packet was signed over it: "
    elif system is not None and not heads.of_system([system]):
        differs = "The audit chain of the system does not hold the link that the packet was signed over: "
    elif head is None:
        return Check(_NAME, "passed", "The packet was signed before the first audit event was sealed.")
    else:
        return Check(_NAME, "passed", f"The audit chain holds link {head.sequence} as the packet was signed over it.")
    if any(check.name == "stored" and check.result == "passed" for check in found.checks):
        return Check(_NAME, "failed", f"{differs}it was cut or rewritten since. Run `manage.py verify_audit_log`.")
    return Check(
        _NAME,
        "failed",
        f"{differs}this database was restored to a moment before the packet, or the chain was cut or rewritten. "
        "Ask whether it was restored; if not, run `manage.py verify_audit_log`.",
    )


def _holds(head: SignedHead, tenant_id: UUID) -> bool:
    links = AuditLink.objects.filter(tenant_id=tenant_id, sequence=head.sequence).values_list("event_hash", flat=True)
    return [bytes(each) for each in links] == [head.event_hash]


def _content(found: Verification, document: Mapping[str, Any]) -> Any:
    if found.kind == "packet":
        return document.get("content")
    return (predicate_of(statement_of(document)[0]) or {}).get("content")
