"""The verification of a packet or envelope, check by check (contract.md, POST /evidence/verify; ui.md).

``verify`` is pure: the document, the public keys and the stored bytes in, checks out, for any document. API and page
share it.

Of a retired key only stored documents hold: the holder of that key can sign any time into a document, and cannot write
into the append-only tables (docs/adr/0111). Under an id that is stored here nothing else holds, and a stored document
has the record that was signed (docs/adr/0163).
"""

from collections.abc import Mapping
from typing import Any

from promotions.packets.verifying.envelope import verify_envelope
from promotions.packets.verifying.keys import KnownKey, known_keys
from promotions.packets.verifying.packet import verify_packet
from promotions.packets.verifying.result import CHECKS, Check, Verification
from promotions.packets.verifying.rows import verify_stored_override, verify_stored_packet
from promotions.packets.verifying.stored import Kind, Stored, stored_here, stored_in

__all__ = [
    "CHECKS",
    "Check",
    "Kind",
    "KnownKey",
    "Stored",
    "Verification",
    "known_keys",
    "stored_here",
    "stored_in",
    "verify",
    "verify_stored_override",
    "verify_stored_packet",
]


def verify(document: Any, keys: Mapping[str, KnownKey], stored: Stored) -> Verification:
    """Checks a packet (with its ``envelope`` or without) or a DSSE envelope; never raises, for any document."""
    if not isinstance(document, Mapping):
        return _unknown("This is no JSON object.")
    if "payloadType" in document or "signatures" in document:
        return verify_envelope(document, keys, stored)
    if "contentHash" in document or "signerKeyRef" in document:
        return verify_packet(document, keys, stored)
    return _unknown("This is neither an evidence packet nor a DSSE envelope.")


def _unknown(message: str) -> Verification:
    return Verification("unknown", (Check("schema", "failed", message),))
