"""The key this process signs evidence with, and its public half in the database (domain.md §8)."""

import logging
from functools import lru_cache, partial

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from promotions.models import PublicSigningKey
from stellapromote.signing import keyring

logger = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def _load() -> keyring.SigningKey:
    if settings.SIGNING_KEY_PEM:
        return keyring.from_pem(settings.SIGNING_KEY_PEM)
    return keyring.load_or_create(settings.SIGNING_KEY_PATH)


_registered: set[str] = set()


def current_key() -> keyring.SigningKey | None:
    """The usable signing key, or None: then nothing is approved, and readiness says so (domain.md §8).

    A key that was retired in the database is not usable. Cost: one statement at the first call in a process.
    """
    try:
        key = _load()
    except (keyring.KeyRefused, OSError) as error:
        logger.error("signing_key_unusable", extra={"reason": str(error)})
        return None
    if key.key_id not in _registered:
        row, _ = PublicSigningKey.objects.get_or_create(
            key_id=key.key_id,
            defaults={"pem": keyring.public_pem(key.public_key), "activated_at": timezone.now()},
        )
        if row.retired_at is not None:
            logger.error("signing_key_retired", extra={"key_id": key.key_id})
            return None
        # Not before the row is there to stay: the caller's transaction may still be rolled back.
        transaction.on_commit(partial(_registered.add, key.key_id))
    return key


def forget() -> None:
    """Reads the key again at the next use: after a rotation, and between tests."""
    _load.cache_clear()
    _registered.clear()
