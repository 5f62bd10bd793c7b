"""Whether exactly this is stored in this installation (docs/adr/0111), with the record that it names."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal
from uuid import UUID

from django.db.models import Model

from promotions.models import DecisionRecord, EvidencePacket, Override
from promotions.packets.verifying.keys import KnownKey
from promotions.packets.verifying.result import Check
from stellapromote.signing.canonical_json import digest_bytes

Kind = Literal["packet", "capsule", "humanDecision", "record", "input"]
Stored = Callable[[Kind, str], bytes | None]
"""The bytes stored under an id: the document of a packet, the envelope of a packet or of a human decision, the document
of a decision record or its gate input."""

_FIELDS: Final[dict[Kind, tuple[type[Model], str]]] = {
    "packet": (EvidencePacket, "document"),
    "capsule": (EvidencePacket, "envelope"),
    "humanDecision": (Override, "envelope"),
    "record": (DecisionRecord, "document"),
    "input": (DecisionRecord, "input"),
}


def stored_here(kind: Kind, stored_id: str) -> bytes | None:
    """The bytes under this id, in any tenant: for the verification of rows, never for a document that a caller sent.
    Cost: one statement."""
    return _stored(kind, stored_id)


def stored_in(tenant_id: UUID) -> Stored:
    """The bytes under an id in this tenant alone. Cost: one statement for each."""
    return lambda kind, stored_id: _stored(kind, stored_id, tenant_id=tenant_id)


def _stored(kind: Kind, stored_id: str, **where: UUID) -> bytes | None:
    try:
        wanted = UUID(stored_id)
    except ValueError:
        return None
    model, field = _FIELDS[kind]
    found = model._default_manager.filter(pk=wanted, **where).values_list(field, flat=True).first()
    return None if found is None else bytes(found)


def kept(kind: Kind, stored_id: Any, stored: Stored) -> bytes | None:
    """As ``stored``, for an id out of a document, of any form."""
    return stored(kind, stored_id) if isinstance(stored_id, str) else None


def check_stored(found: bytes | None, *, same: bool, key_id: Any, keys: Mapping[str, KnownKey]) -> Check:
    """``found``: what is stored under the id of the document; ``same``: whether that is the document."""
    if found is not None:
        if same:
            return Check("stored", "passed", "Exactly this is stored in this installation, where nothing is changed.")
        return Check("stored", "failed", "Another document is stored here under this id: one of the two was changed.")
    known = keys.get(key_id) if isinstance(key_id, str) else None
    if known is not None and known.retired_at is not None:
        return Check("stored", "failed", "This is not stored here, and a retired key counts only for stored documents.")
    return Check("stored", "skipped", "This is not stored here: ask for its origin, and for the holders of the key.")


def check_record(content: Any, stored: Stored) -> Check:
    """The decision record that the content names, its gate input and the records before it have the signed digests.

    For the content of what is stored here: its records are, too. Cost: a statement for each.
    """
    try:
        signed: list[tuple[Kind, Any, Any, str]] = [
            ("input", content["decision"]["recordId"], content["inputDigest"], "The gate input"),
            ("record", content["decision"]["recordId"], content["recordDigest"], "The decision record"),
            *(
                ("record", each["id"], each["digest"], f"Record number {each['sequence']}")
                for each in content["records"]
            ),
        ]
    except (KeyError, TypeError):
        return Check("record", "failed", "The digests of the decision record cannot be read.")
    for kind, stored_id, digest, what in signed:
        found = kept(kind, stored_id, stored)
        if found is None:
            return Check("record", "failed", f"{what} is not stored here any more.")
        if digest_bytes(found) != digest:
            return Check("record", "failed", f"{what} that is stored was changed: its digest is {digest_bytes(found)}.")
    return Check("record", "passed", f"The stored decision record has the signed digest {content['recordDigest']}.")
