"""Whether exactly this is stored in this installation (docs/adr/0111)."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal
from uuid import UUID

from promotions.models import EvidencePacket, Override
from promotions.verifying.keys import KnownKey
from promotions.verifying.result import Check

Record = Literal["packet", "capsule", "humanDecision"]
Stored = Callable[[Record, str], bytes | None]
"""What is stored under an id: the document of a packet, or the envelope of a packet or of a human decision."""

_FIELDS: Final[dict[Record, tuple[type[EvidencePacket] | type[Override], str]]] = {
    "packet": (EvidencePacket, "document"),
    "capsule": (EvidencePacket, "envelope"),
    "humanDecision": (Override, "envelope"),
}


def stored_here(record: Record, record_id: str) -> bytes | None:
    """The bytes under this id, in whichever tenant: who asks has the document. Cost: one statement."""
    try:
        wanted = UUID(record_id)
    except ValueError:
        return None
    model, field = _FIELDS[record]
    found = model.objects.filter(pk=wanted).values_list(field, flat=True).first()
    return None if found is None else bytes(found)


def check_stored(same: bool, key_id: Any, keys: Mapping[str, KnownKey]) -> Check:
    if same:
        return Check("stored", "passed", "Exactly this is stored in this installation, where nothing is changed.")
    known = keys.get(key_id) if isinstance(key_id, str) else None
    if known is not None and known.retired_at is not None:
        return Check("stored", "failed", "This is not stored here, and of a retired key only what is stored holds.")
    return Check("stored", "skipped", "This is not stored here: ask where it comes from, and who has the key.")
