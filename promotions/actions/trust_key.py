from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError
from django.http import Http404

from policies.models import Proposal, WeakeningEdit
from policies.proposals import proposable
from policies.weakening_edits import Weakening
from promotions.documents.trusted_signatures import KeyUnusable, algorithm, key_id, public_key
from promotions.judging.guards import environments_trusting_key
from promotions.models import TrustedKey
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.audit.events import Audited
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Conflict, FieldError, Invalid
from stellapromote.plain_text import problem_in_line
from stellapromote.signing.canonical_json import digest_bytes
from stellapromote.transactions import transactional


class KeyTrustedAlready(Conflict):
    code = "RES_DUPLICATE"


class KeyRevokedAlready(Conflict):
    code = "RES_STATE_CONFLICT"


def trust_key(name: str, pem: str, *, by: Actor, clock: Clock = DATABASE_CLOCK) -> TrustedKey | Proposal:
    """Trusts a public key from now on: documents that are uploaded later and signed by it have it as their signer.

    Listed as a weakening edit: it may let through what waited for a signature. A proposal where a gate of a protected
    environment reads it. Raises Refused, Invalid, KeyTrustedAlready.
    """
    return _trust_key(by=by, clock=clock, name=name, pem=pem)


@proposable("trusted_key.add")
def _trust_key(*, by: Actor, clock: Clock, name: str, pem: str) -> TrustedKey:
    by.require(TENANT_ADMIN)
    problem = problem_in_line(name) if name.strip() else "Give the key a name."
    if problem or len(name) > 100:
        message = problem or "A name has at most 100 characters."
        raise Invalid(message, fields=[FieldError("name", message, "invalid")])
    try:
        key = public_key(pem)
    except KeyUnusable as error:
        raise Invalid(str(error), fields=[FieldError("pem", str(error), "invalid")]) from None
    row = TrustedKey(name=name.strip(), key_id=key_id(key), algorithm=algorithm(key), pem=pem.strip() + "\n")
    try:
        return _trust(row, by, clock)
    except IntegrityError as error:
        if "trusted_key_" not in str(error):
            raise
        what = "This key" if "trusted_key_once" in str(error) else "A key of this name"
        raise KeyTrustedAlready(f"{what} is trusted already: revoke it first, or choose another.") from error


@transactional
def revoke_key(trusted_key_id: UUID, *, by: Actor, clock: Clock = DATABASE_CLOCK) -> TrustedKey:
    """Trusts the key no more, for documents uploaded before, too. Raises Http404, Refused, KeyRevokedAlready."""
    by.require(TENANT_ADMIN)
    row = TrustedKey.objects.select_for_update().filter(tenant_id=by.tenant, pk=trusted_key_id).first()
    if row is None:
        raise Http404("No such key.")
    if row.revoked_at is not None:
        raise KeyRevokedAlready("This key was revoked before.")
    at = clock.now()
    row.revoked_at, row.revoked_by_id = at, by.account
    row.save(update_fields=["revoked_at", "revoked_by"])
    _audit(row, "trusted_key.revoked", by, at)
    return row


@transactional
def _trust(row: TrustedKey, by: Actor, clock: Clock) -> TrustedKey:
    at = clock.now()
    row.tenant_id, row.added_at, row.added_by_id, row.added_by_name = by.tenant, at, by.account, by.display_name
    row.save(force_insert=True)
    weakened = Weakening("trusted_key", row.key_id, row.name, after={"name": row.name, "keyId": row.key_id})
    sentence = f"Documents signed by the key {row.name} ({row.key_id}) are trusted."
    weakened.add([sentence], guards=environments_trusting_key(by.tenant, row, at))
    weakenings = weakened.store(by=by, at=at)
    _audit(row, "trusted_key.added", by, at, weakenings, pemDigest=digest_bytes(row.pem.encode()))
    return row


def _audit(
    row: TrustedKey, action: Audited, by: Actor, at: datetime, rows: Collection[WeakeningEdit] = (), **more: str
) -> None:
    record(
        by=by,
        at=at,
        action=action,
        resource="trusted_key",
        resource_id=row.pk,
        after={"name": row.name},
        metadata={"keyId": row.key_id, "algorithm": row.algorithm, **more},
        rows=rows,
    )
