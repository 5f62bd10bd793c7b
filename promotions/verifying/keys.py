"""The keys that evidence is verified with, and what one says of a document (docs/adr/0111)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from promotions.models import PublicSigningKey
from promotions.verifying.parts import instant
from promotions.verifying.result import Check
from stellapromote.clock import rfc3339
from stellapromote.signing import keyring


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A public key of this installation; a retired one still verifies what it signed before."""

    public_key: EllipticCurvePublicKey
    retired_at: datetime | None = None


def known_keys() -> dict[str, KnownKey]:
    """Every key this installation ever signed with, by id. One statement."""
    return {
        row.key_id: KnownKey(keyring.public_key_from_pem(row.pem), row.retired_at)
        for row in PublicSigningKey.objects.all()
    }


def check_key(key_id: Any, keys: Mapping[str, KnownKey], generated_at: Any) -> Check:
    known = keys.get(key_id) if isinstance(key_id, str) else None
    if known is None:
        return Check("key", "failed", "This installation never signed with the key that is named.")
    if known.retired_at is None:
        return Check("key", "passed", f"{key_id} is an active key of this installation.")
    at = instant(generated_at)
    retired = rfc3339(known.retired_at)
    if at is not None and at > known.retired_at:
        return Check("key", "failed", f"{key_id} was retired at {retired}, before this was generated.")
    return Check("key", "passed", f"{key_id} is a key of this installation, retired at {retired}.")
