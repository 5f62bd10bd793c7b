"""Registering and retiring the keys of the installation (domain.md §8): what only the owner of the tables may do.

A web or worker process could otherwise register a key of its own, and what that key signs would verify as ours. The
event is committed first: a key that is in force was audited, also when the server dies in between.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.http import Http404

from promotions import signing_key
from promotions.models import PublicSigningKey
from stellapromote.accounts.actor import Actor
from stellapromote.audit.recording import record
from stellapromote.clock import SYSTEM_CLOCK, Clock
from stellapromote.errors import Conflict, Invalid
from stellapromote.signing import keyring

OWNER: Final = "owner"
UNDER_WAY: Final = timedelta(seconds=10)
"""A decision that is being written while its key is retired may be dated so much later."""


class SigningKeyRetired(Conflict):
    code = "RES_STATE_CONFLICT"


def register_signing_key(*, by: Actor, clock: Clock = SYSTEM_CLOCK) -> tuple[PublicSigningKey, bool]:
    """Lets the key of this process sign from now on; (its row, False) when it may already.

    Raises Invalid when the key cannot be read, SigningKeyRetired.
    """
    try:
        key = signing_key.load()
    except (keyring.KeyRefused, OSError) as error:
        raise Invalid(f"The signing key cannot be used: {error}.") from error
    with transaction.atomic(using=OWNER), transaction.atomic():
        at = clock.now()
        row, new = PublicSigningKey.objects.using(OWNER).get_or_create(
            key_id=key.key_id, defaults={"pem": keyring.public_pem(key.public_key), "activated_at": at}
        )
        if row.retired_at is not None:
            raise SigningKeyRetired(f"The key {key.key_id} is retired for good: make a new one and register that.")
        if new:
            _audit("signing_key.activated", row, by, at)
    return row, new


def retire_signing_key(key_id: str, *, by: Actor, clock: Clock = SYSTEM_CLOCK) -> PublicSigningKey:
    """Lets a key sign nothing any more, for good. What it signed stays valid where it is stored here.

    Raises Http404, SigningKeyRetired.
    """
    with transaction.atomic(using=OWNER), transaction.atomic():
        row = PublicSigningKey.objects.using(OWNER).select_for_update().filter(pk=key_id).first()
        if row is None:
            raise Http404(f"This installation never signed with {key_id}: GET /api/v1/evidence/keys lists its keys.")
        if row.retired_at is not None:
            raise SigningKeyRetired(f"The key {key_id} was retired before.")
        at = clock.now()
        row.retired_at = at + UNDER_WAY
        row.save(update_fields=["retired_at"])
        _audit("signing_key.retired", row, by, at)
    return row


def _audit(action: str, row: PublicSigningKey, by: Actor, at: datetime) -> None:
    record(by=by, at=at, action=action, resource="signing_key", resource_id=row.pk)
