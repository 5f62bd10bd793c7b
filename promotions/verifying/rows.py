"""A stored packet, verified with everything that stands beside it in the database (proof.md; docs/adr/0163)."""

from collections.abc import Mapping
from typing import Any

import orjson

from promotions.models import EvidencePacket
from promotions.verifying.keys import KnownKey
from promotions.verifying.packet import verify_packet
from promotions.verifying.result import Check, Verification
from promotions.verifying.stored import Stored, stored_here


def verify_stored_packet(
    row: EvidencePacket, keys: Mapping[str, KnownKey], stored: Stored = stored_here
) -> Verification:
    """The packet of the row together with its envelope, and whether they are those of this row and its promotion.

    Never raises, whatever stands in the row. Cost: a statement for the packet, its envelope and each record it names.
    """
    document = _read(row.document)
    if document is None:
        return Verification("packet", (Check("schema", "failed", "The stored packet cannot be read."),))
    found = verify_packet({**document, "envelope": _read(row.envelope)}, keys, stored)
    return found.with_check(_about(row, document))


def _about(row: EvidencePacket, document: Mapping[str, Any]) -> Check:
    """The packet is the one of its row, and about the promotion that the row belongs to."""
    content = document.get("content")
    promotion = content.get("promotion") if isinstance(content, Mapping) else None
    about = {
        "id": (document.get("id"), str(row.pk)),
        "type": (document.get("type"), row.type),
        "tenantId": (document.get("tenantId"), str(row.tenant_id)),
        "contentHash": (document.get("contentHash"), row.content_hash),
        "signerKeyRef": (document.get("signerKeyRef"), row.signing_key_id),
        "promotion": (promotion.get("id") if isinstance(promotion, Mapping) else None, str(row.promotion_id)),
    }
    other = [name for name, (said, expected) in about.items() if said != expected]
    if other:
        return Check("promotion", "failed", f"This is not what was stored here for this promotion: {', '.join(other)}.")
    return Check("promotion", "passed", "The packet is about this promotion.")


def _read(stored: bytes | memoryview) -> dict[str, Any] | None:
    try:
        found = orjson.loads(bytes(stored))
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
