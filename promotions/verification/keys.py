"""Compares the keys of the installation, and those that a tenant trusts, with the audit log (domain.md §6, §8)."""

from typing import Final
from uuid import UUID

from promotions.documents.trusted_signatures import KeyUnusable, key_id, public_key
from promotions.models import PublicSigningKey, TrustedKey
from promotions.packets.signing_key import UNDER_WAY
from promotions.verification.audited import AuditedEvent, all_events_of_rows
from promotions.verification.mismatch import Mismatch, MismatchKind
from stellapromote.clock import rfc3339
from stellapromote.signing import keyring
from stellapromote.signing.canonical_json import digest_bytes

_MORE_TEXT: Final = "Its text is not the one that was given or made: other text stands around the key."


def check_signing_keys() -> list[Mismatch]:
    """The signing keys whose events in the system's chain are missing or differ. Two statements."""
    keys = list(PublicSigningKey.objects.order_by("activated_at", "pk"))
    actions = ["signing_key.activated", "signing_key.retired"]
    events = all_events_of_rows(None, "signing_key", [key.pk for key in keys], actions)
    found = ((key.pk, _signing_key_differs(key, events.get(key.pk, []))) for key in keys)
    return [
        Mismatch(MismatchKind.KEY_CHANGED, f"signing key {key}", wrong) for key, wrong in found if wrong is not None
    ]


def check_trusted_keys(tenant_id: UUID) -> list[Mismatch]:
    """The trusted keys of the tenant whose audit events are missing or differ. Two statements."""
    keys = list(TrustedKey.objects.filter(tenant_id=tenant_id).order_by("pk"))
    actions = ["trusted_key.added", "trusted_key.revoked"]
    events = all_events_of_rows(tenant_id, "trusted_key", [key.pk for key in keys], actions)
    found = ((key, _trusted_key_differs(key, events.get(str(key.pk), []))) for key in keys)
    return [
        Mismatch(MismatchKind.KEY_CHANGED, f"trusted key {key.pk}", wrong) for key, wrong in found if wrong is not None
    ]


def _signing_key_differs(key: PublicSigningKey, events: list[AuditedEvent]) -> str | None:
    """The newest events count: each is committed before its key, and done again where the server died in between."""
    try:
        public = keyring.public_key_from_pem(key.pem)
        same_key, same_text = keyring.key_id(public) == key.pk, keyring.public_pem(public) == key.pem
    except (keyring.KeyRefused, ValueError):
        same_key = same_text = False
    if not same_key:
        return "Its text is another key."
    if not same_text:
        return _MORE_TEXT
    activated = [event.at for event in events if event.action == "signing_key.activated"]
    retired = [event.at + UNDER_WAY for event in events if event.action == "signing_key.retired"]
    if not activated:
        return "No event of the audit log tells of it: nobody registered it here."
    if key.activated_at != activated[-1]:
        return f"The audit log tells that it was activated at {rfc3339(activated[-1])}."
    if key.retired_at is None and retired:
        return "The audit log tells that it was retired: retire it again if nobody changed it."
    if key.retired_at is not None and key.retired_at not in retired[-1:]:
        return "The audit log does not tell that it was retired then."
    return None


def _trusted_key_differs(key: TrustedKey, events: list[AuditedEvent]) -> str | None:
    added = [event for event in events if event.action == "trusted_key.added"]
    revoked = [(event.at, event.actor_id) for event in events if event.action == "trusted_key.revoked"]
    if len(added) != 1 or len(revoked) > 1:
        return "The audit log tells of it more than once." if added else "No event of the audit log tells of it."
    [event] = added
    try:
        public = public_key(key.pem)
    except KeyUnusable:
        return "Its text is another key."
    if key_id(public) != key.key_id:
        return "Its text is another key."
    if event.metadata.get("pemDigest") not in (None, digest_bytes(key.pem.encode())):
        return _MORE_TEXT
    row = {
        "name": (key.name, (event.after or {"name": key.name}).get("name")),
        "keyId": (key.key_id, event.metadata.get("keyId")),
        "algorithm": (key.algorithm, event.metadata.get("algorithm")),
        "addedBy": (key.added_by_id, event.actor_id),
        "addedByName": (key.added_by_name, event.actor_name.rpartition(" (")[0]),
        "addedAt": (key.added_at, event.at),
        "revoked": ([] if key.revoked_at is None else [(key.revoked_at, key.revoked_by_id)], revoked),
    }
    place = next((name for name, (kept, said) in row.items() if kept != said), None)
    return None if place is None else f"{place} is not what the audit log tells of it."
