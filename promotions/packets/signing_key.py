"""The key that this process signs evidence with (domain.md §8). Its public half is registered by a command."""

import logging
from datetime import timedelta
from functools import lru_cache
from typing import Final

from django.conf import settings

from promotions.models import PublicSigningKey
from stellapromote.signing import keyring

logger = logging.getLogger(__name__)

UNDER_WAY: Final = timedelta(seconds=10)
"""A decision that is being written while its key is retired may be dated so much later."""


@lru_cache(maxsize=1)
def load() -> keyring.SigningKey:
    """The key of SIGNING_KEY, or of the file, which is made on first use. KeyRefused, OSError."""
    if settings.SIGNING_KEY_PEM:
        return keyring.from_pem(settings.SIGNING_KEY_PEM)
    return keyring.load_or_create(settings.SIGNING_KEY_PATH)


def current_key() -> keyring.SigningKey | None:
    """The key of this process, or None when it cannot be read. No statement.

    Whether it may sign, registered and not retired, is asked of the database with the facts of each decision
    (promotions.judging.facts), so that a key signs nothing any more from the moment it is retired.
    """
    try:
        return load()
    except (keyring.KeyRefused, OSError) as error:
        logger.error("signing_key_unusable", extra={"reason": str(error)})
        return None


def problem() -> str | None:
    """The reason why nothing can be signed, with the repair; None when all is well. Cost: one statement."""
    key = current_key()
    if key is None:
        return "The signing key cannot be read, so nothing can be decided: the log says why; repair or replace it."
    row = PublicSigningKey.objects.filter(pk=key.key_id).first()
    if row is None:
        return (
            f"The signing key {key.key_id} is not registered, so nothing can be decided: "
            "run `manage.py register_signing_key` with the same key and as the owner of the tables."
        )
    if row.retired_at is not None:
        return (
            f"The signing key {key.key_id} is retired, so nothing can be decided: "
            "give the processes a new key and register it with `manage.py register_signing_key`."
        )
    return None
