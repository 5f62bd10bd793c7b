"""Opaque cursors: a place in an ordered list, bound to the list's filters and signed: a crafted one is only a 400."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings

_SIGNATURE_LENGTH = 12
_LONGEST = 600
_STANDARD_ALPHABET = {ord("-"): "+", ord("_"): "/", ord("+"): "!", ord("/"): "!"}


class BadCursor(ValueError):
    """Not a cursor of this list: mistyped, crafted, of another list or tenant, or signed by a key that is gone."""


@dataclass(frozen=True, slots=True)
class Position:
    """Between two rows: right after the row with these order values (`backwards`: right before it)."""

    values: tuple[Any, ...]
    backwards: bool = False


def encode(position: Position, scope: bytes) -> str:
    """The cursor for a position in the list that `scope` names. TypeError for values of an unknown kind."""
    payload = orjson.dumps([int(position.backwards), *map(_to_text, position.values)])
    return base64.urlsafe_b64encode(_sign(settings.SECRET_KEY, payload, scope) + payload).rstrip(b"=").decode()


def decode(text: str, scope: bytes, columns: int) -> Position:
    """BadCursor unless `encode` made this text for the same scope."""
    if len(text) > _LONGEST or not text.isascii():
        raise BadCursor
    try:
        standard = text.translate(_STANDARD_ALPHABET) + "=" * (-len(text) % 4)
        raw = binascii.a2b_base64(standard, strict_mode=True)
    except binascii.Error:
        raise BadCursor from None
    signature, payload = raw[:_SIGNATURE_LENGTH], raw[_SIGNATURE_LENGTH:]
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    if not any(hmac.compare_digest(_sign(key, payload, scope), signature) for key in keys):
        raise BadCursor
    backwards, *values = orjson.loads(payload)
    if len(values) != columns:
        raise BadCursor
    return Position(tuple(map(_from_text, values)), bool(backwards))


def scope_of(path: str, tenant: object, filters: Mapping[str, Sequence[str]]) -> bytes:
    """A digest of everything a cursor must not be moved between."""
    given = orjson.dumps(sorted((name, sorted(values)) for name, values in filters.items()))
    return hashlib.sha256(f"{tenant}\n{path}\n".encode() + given).digest()


def _sign(key: str, payload: bytes, scope: bytes) -> bytes:
    return hmac.digest(_derived(key), scope + payload, "sha256")[:_SIGNATURE_LENGTH]


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
