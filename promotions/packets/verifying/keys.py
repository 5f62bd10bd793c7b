"""The keys that evidence is verified with, and what one says of a document (docs/adr/0111)."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, TextField
from django.db.models.functions import Cast

from promotions.models import PublicSigningKey
from promotions.packets.verifying.parts import instant
from promotions.packets.verifying.result import Check
from stellapromote.accounts.models import Tenant
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import rfc3339
from stellapromote.signing import keyring

CLOCKS_APART: Final = timedelta(seconds=10)
"""The clock of the server that signs may be so much behind that of the server on which the key was registered."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A public key of this installation; a retired one still verifies its earlier signatures.

    ``activated_at`` None: not known. ``backdated``: tenants whose packets are older than their signing key, as their
    past is made up: demos, by the audit log as by their mark.
    """

    public_key: EllipticCurvePublicKey
    retired_at: datetime | None = None
    activated_at: datetime | None = None
    backdated: frozenset[str] = frozenset()


def known_keys() -> dict[str, KnownKey]:
    """Every key this installation ever signed with, by id; one whose text is no key verifies nothing. One statement."""
    told = AuditEvent.objects.filter(
        resource="tenant",
        resource_id=Cast(OuterRef("pk"), TextField()),
        tenant=OuterRef("pk"),
        action="tenant.created",
    )
    demo, other = Exists(told.filter(after__isDemo=True)), Exists(told.filter(after__isDemo=False))
    demos = ArraySubquery(Tenant.objects.filter(demo, ~other, is_demo=True).values("pk"))
    found = {}
    for row in PublicSigningKey.objects.annotate(demos=demos):
        with suppress(keyring.KeyRefused, ValueError):
            key = keyring.public_key_from_pem(row.pem)
            found[row.key_id] = KnownKey(key, row.retired_at, row.activated_at, frozenset(map(str, row.demos)))
    return found


def check_key(key_id: Any, keys: Mapping[str, KnownKey], generated_at: Any, *, tenant_id: Any = None) -> Check:
    """Whether the key is one of this installation that could sign then. ``generated_at`` is an RFC 3339 time, or
    anything else where no time is known."""
    known = keys.get(key_id) if isinstance(key_id, str) else None
    if known is None:
        return Check("key", "failed", "This installation never signed with the key that is named.")
    at = instant(generated_at)
    if (
        at is not None
        and known.activated_at is not None
        and at < known.activated_at - CLOCKS_APART
        and tenant_id not in known.backdated
    ):
        activated = rfc3339(known.activated_at)
        return Check("key", "failed", f"{key_id} was activated at {activated}, after this was generated.")
    if known.retired_at is None:
        return Check("key", "passed", f"{key_id} is an active key of this installation.")
    retired = rfc3339(known.retired_at)
    if at is not None and at > known.retired_at:
        return Check("key", "failed", f"{key_id} was retired at {retired}, before this was generated.")
    return Check("key", "passed", f"{key_id} is a key of this installation, retired at {retired}.")
