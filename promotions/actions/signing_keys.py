"""Registering and retiring the keys of the installation (domain.md §8), by the owner of the tables alone.

A web or worker process could otherwise register a key of its own, and that key's signatures would verify as ours. The
event is committed first: a key that is in force was audited, also when the server dies in between.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from django.db import ProgrammingError, transaction
from django.http import Http404
from psycopg.errors import InsufficientPrivilege

from promotions.models import PublicSigningKey
from promotions.packets import signing_key
from stellapromote.accounts.actor import Actor
from stellapromote.audit.events import Audited
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Conflict, Invalid, Refused
from stellapromote.signing import keyring

OWNER: Final = "owner"


class NotTheOwner(Refused):
    code = "PERM_DENIED"


class SigningKeyRetired(Conflict):
    code = "RES_STATE_CONFLICT"


def register_signing_key(*, by: Actor, clock: Clock = DATABASE_CLOCK) -> tuple[PublicSigningKey, bool]:
    """Lets the key of this process sign from now on; (its row, False) when it may already.

    Raises Invalid when the key cannot be read, SigningKeyRetired, NotTheOwner.
    """
    try:
        key = signing_key.load()
    except (keyring.KeyRefused, OSError) as error:
        raise Invalid(f"The signing key cannot be used: {error}.") from error
    with _as_owner():
        at = clock.now()
        row, new = PublicSigningKey.objects.using(OWNER).get_or_create(
            key_id=key.key_id, defaults={"pem": keyring.public_pem(key.public_key), "activated_at": at}
        )
        if row.retired_at is not None:
            raise SigningKeyRetired(f"The key {key.key_id} is retired for good: make a new one and register that.")
        if new:
            _audit("signing_key.activated", row, by, at)
    return row, new


def retire_signing_key(key_id: str, *, by: Actor, clock: Clock = DATABASE_CLOCK) -> PublicSigningKey:
    """Lets a key sign nothing any more, for good. What it signed stays valid where it is stored here.

    Raises Http404, SigningKeyRetired, NotTheOwner.
    """
    with _as_owner():
        row = PublicSigningKey.objects.using(OWNER).select_for_update().filter(pk=key_id).first()
        if row is None:
            raise Http404(f"This installation never signed with {key_id}: GET /api/v1/evidence/keys lists its keys.")
        if row.retired_at is not None:
            raise SigningKeyRetired(f"The key {key_id} was retired before.")
        at = clock.now()
        row.retired_at = at + signing_key.UNDER_WAY
        row.save(update_fields=["retired_at"])
        _audit("signing_key.retired", row, by, at)
    return row


@contextmanager
def _as_owner() -> Iterator[None]:
    """Both transactions. NotTheOwner where the connection of that name is the app's, as without DATABASE_OWNER_URL."""
    try:
        with transaction.atomic(using=OWNER), transaction.atomic():
            yield
    except ProgrammingError as error:
        if not isinstance(error.__cause__, InsufficientPrivilege):
            raise
        raise NotTheOwner("Only the owner of the tables does this: name its login in DATABASE_OWNER_URL.") from error


def _audit(action: Audited, row: PublicSigningKey, by: Actor, at: datetime) -> None:
    record(by=by, at=at, action=action, resource="signing_key", resource_id=row.pk)
