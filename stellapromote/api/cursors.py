"""Opaque cursors: a place in an ordered list, bound to the list's filters and signed: a crafted one is only a 400."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings

_SIGNATURE_LENGTH = 12
_LONGEST = 600


class BadCursor(ValueError):
    """Not a cursor of this list: mistyped, crafted, of another list or tenant, or signed by a key that is gone."""


@dataclass(frozen=True, slots=True)
class Position:
    """Between two rows: right after the row with these order values (`backwards`: right before it)."""

    values: tuple[Any, ...]
    backwards: bool = False


def encode(position: Position, scope: str) -> str:
    """The cursor for a position in the list that `scope` names. TypeError for values of an unknown kind."""
    payload = json.dumps(
        [int(position.backwards), *(_to_text(value) for value in position.values)], separators=(",", ":")
    ).encode()
    return base64.urlsafe_b64encode(_sign(settings.SECRET_KEY, payload, scope) + payload).rstrip(b"=").decode()


def decode(text: str, scope: str, columns: int) -> Position:
    """BadCursor unless `encode` made this text for the same scope."""
    if len(text) > _LONGEST or not text.isascii():
        raise BadCursor
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise BadCursor from None
    signature, payload = raw[:_SIGNATURE_LENGTH], raw[_SIGNATURE_LENGTH:]
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    if not any(hmac.compare_digest(_sign(key, payload, scope), signature) for key in keys):
        raise BadCursor
    backwards, *values = json.loads(payload)
    if len(values) != columns:
        raise BadCursor
    return Position(tuple(_from_text(value) for value in values), bool(backwards))


def scope_of(path: str, tenant: object, filters: Mapping[str, Sequence[str]]) -> str:
    """One text for everything a cursor must not be moved between."""
    given = json.dumps(sorted((name, sorted(values)) for name, values in filters.items()))
    return f"{tenant}\n{path}\n{given}"


def _sign(key: str, payload: bytes, scope: str) -> bytes:
    return hmac.digest(_derived(key), hashlib.sha256(scope.encode()).digest() + payload, "sha256")[:_SIGNATURE_LENGTH]


@lru_cache(maxsize=8)
def _derived(key: str) -> bytes:
    return hashlib.sha256(b"stellapromote.api.cursors\0" + key.encode()).digest()


def _to_text(value: Any) -> str:
    if isinstance(value, datetime):
        return "t" + value.isoformat()
    if isinstance(value, UUID):
        return "u" + value.hex
    if isinstance(value, int) and not isinstance(value, bool):
        return "i" + str(value)
    if isinstance(value, str):
        return "s" + value
    raise TypeError(f"a list cannot be ordered by {type(value).__name__} here")


def _from_text(text: str) -> Any:
    kind, value = text[0], text[1:]
    if kind == "t":
        return datetime.fromisoformat(value)
    if kind == "u":
        return UUID(hex=value)
    return int(value) if kind == "i" else value
