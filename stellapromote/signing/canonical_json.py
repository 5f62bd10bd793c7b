"""RFC 8785 canonical JSON and the digests over it (domain.md §0).

rfc8785 is the reference. Documents whose keys are ASCII and that hold no floats, which is nearly all of ours, are
written by orjson instead, many times faster: with such keys its order (code points) is RFC 8785's (UTF-16 code units),
and it writes strings and integers alike. A property test holds the two against each other (docs/adr/0004).
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import orjson
import rfc8785

_GREATEST = 2**53 - 1
_SMALLEST_WITH_EXPONENT = 1e21
_DEEPEST = 200
_FAST = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_ATOMS = frozenset({str, int, bool, type(None), orjson.Fragment})


class CanonicalJsonError(ValueError):
    """The value has no canonical form; the message says what stands in the way."""


def canonical_bytes(value: Any) -> bytes:
    """The RFC 8785 bytes of a value made of dict, list, tuple, str, int, float, bool, None and parts from `written`.

    What comes out, read as JSON again, has the same canonical bytes. CanonicalJsonError for NaN and infinities, whole
    numbers beyond ±(2^53 - 1) (domain.md §7; as float too, where they would be written as digits only), keys that are
    not strings, lone surrogates, other types, and more than 200 levels. About 0.03 ms for a gate input of 6 KB.
    """
    if _written_alike(value, _DEEPEST):
        try:
            return orjson.dumps(value, option=_FAST)
        except orjson.JSONEncodeError:
            # An integer or a surrogate that has no canonical form: the reference says so in words.
            pass
    try:
        return rfc8785.dumps(_opened(value))
    except ValueError as error:
        raise CanonicalJsonError(f"not canonical JSON: {error}") from error


def written(value: Any) -> orjson.Fragment:
    """The canonical form of a value that stands in several larger ones: `canonical_bytes` and `digest` take it as they
    take the value, and do not write it again. CanonicalJsonError as above."""
    return orjson.Fragment(canonical_bytes(value))


def digest(value: Any) -> str:
    """`sha256:` and 64 lower-case hex digits over the canonical bytes of the value. CanonicalJsonError as above."""
    return digest_bytes(canonical_bytes(value))


def digest_bytes(content: bytes) -> str:
    """`sha256:` and 64 lower-case hex digits over the bytes as they are."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _opened(value: Any) -> Any:
    """The value with the parts that were written already as plain values again."""
    if isinstance(value, orjson.Fragment):
        return orjson.loads(orjson.dumps(value))
    if isinstance(value, dict):
        return {name: _opened(each) for name, each in value.items()}
    return [_opened(each) for each in value] if isinstance(value, (list, tuple)) else value


def _written_alike(value: Any, levels: int) -> bool:
    """Whether orjson writes this value as rfc8785 does. CanonicalJsonError for what rfc8785 would write, but must not.

    Judged before anything is written: orjson 3.13 corrupts memory on tuples nested some ten thousand times.
    """
    members: Iterable[Any]
    if isinstance(value, dict):
        try:
            alike, members = type(value) is dict and "".join(value).isascii(), value.values()
        except TypeError:
            raise CanonicalJsonError("not canonical JSON: object keys must be strings") from None
    elif isinstance(value, (list, tuple)):
        alike, members = type(value) in (list, tuple), value
    elif isinstance(value, float):
        # RFC 8785 writes 1e20 as 21 digits: a reader gets an integer that is refused.
        if _GREATEST < abs(value) < _SMALLEST_WITH_EXPONENT:
            raise CanonicalJsonError(f"not canonical JSON: {value!r} is a whole number beyond 2^53 - 1")
        return False
    else:
        return type(value) in _ATOMS
    if levels == 0:
        raise CanonicalJsonError(f"not canonical JSON: nested more than {_DEEPEST} levels deep")
    for each in members:
        # Most members are plain texts and numbers: asking here saves a call for each.
        if type(each) not in _ATOMS and not _written_alike(each, levels - 1):
            alike = False
    return alike
