"""Secrets that an installation makes for itself on first use: one file each, readable by its owner alone."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from stellapromote.postgresql.unprivileged import make_state_directory


def secret_from_file(path: Path) -> str:
    """The secret in `path`; made, with 384 random bits, where there is no file. The first of several processes wins.

    Raises ImproperlyConfigured when it cannot be read or written, is empty, or others may read it.
    """
    try:
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            raise ImproperlyConfigured(f"{path} holds a secret and other users may read it. Run: chmod 600 {path}")
        secret = path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{path} cannot be read or written ({error.strerror}). "
            "Set STELLAPROMOTE_DATA to a directory of your own, or give the secret by the environment."
        ) from error
    if not secret:
        raise ImproperlyConfigured(f"{path} is empty. Remove it, and a new secret is made; sessions end then.")
    return secret


def _make(path: Path) -> None:
    make_state_directory(path.parent)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
        file.write(secrets.token_urlsafe(48))
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()
