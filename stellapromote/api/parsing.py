"""How the API reads JSON: I-JSON (RFC 7493) and nothing else. Refuses before anything is made of it.

Refused as VAL_MALFORMED_JSON: not UTF-8, a byte order mark, not JSON, NaN and infinities, a name twice in one object,
lone surrogates, nesting deeper than 64. Reported by place, so that they come after 403 and 404 in the order of checks:
NUL characters, and numbers beyond ±(2^53-1) or too large for a double (domain.md §7).
"""

import json
import math
from collections import Counter
from typing import IO, Any

from django.http import HttpRequest
from rest_framework.parsers import BaseParser

from stellapromote import wrong_values as wrong
from stellapromote.errors import FieldError, Invalid, ProductError

MAX_DEPTH = 64
MAX_BODY = 1024 * 1024
MAX_PROBLEMS = 50
LARGEST_INTEGER = 2**53 - 1
_LONGEST_EXACT = 17  # digits and sign: anything longer is beyond the bound, and int() of very long text is slow
_LONGEST_PLACE = 200
_BEYOND = LARGEST_INTEGER + 1


class MalformedJson(Invalid):
    """The body is not JSON that two programs would read alike."""

    code = "VAL_MALFORMED_JSON"


class BodyTooLarge(ProductError):
    code = "VAL_BODY_TOO_LARGE"


class StrictJsonParser(BaseParser):
    """The parser that DRF's tools see; views read through `read_body` and `parse_json`."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        data, problems = parse_json(stream.read(MAX_BODY + 1))
        if problems:
            raise Invalid(fields=problems)
        return data


def read_body(request: HttpRequest) -> bytes:
    """The raw body, read by the CSRF check or here. Django's own bound on it is for forms."""
    raw: bytes = request.body if hasattr(request, "_body") else request.read()
    return raw


def parse_json(raw: bytes, called: str = "The body") -> tuple[Any, list[FieldError]]:
    """The value, and what is wrong with single places in it. MalformedJson when it is not I-JSON. Linear cost.

    ``called``: how messages call what was given.
    """
    try:
        text = raw.decode("utf-8")
        data = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=float,
            parse_constant=_refuse_constant,
        )
        problems: list[FieldError] = []
        if b"\\u" in raw or raw.count(b"{") + raw.count(b"[") > MAX_DEPTH or _has_long_number(data):
            _inspect(data, "", 1, problems)
    except UnicodeDecodeError as error:
        raise MalformedJson(f"{called} is not UTF-8: byte {error.start + 1} cannot be read.") from None
    except json.JSONDecodeError as error:
        raise MalformedJson(
            f"{called} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            details={"line": error.lineno, "column": error.colno},
        ) from None
    except RecursionError:
        raise MalformedJson(f"{called} is nested deeper than {MAX_DEPTH} levels.") from None
    return data, problems


class _Number(int):
    """Marks that somewhere an integer beyond the bound was read, without looking at every value again."""


def _integer(text: str) -> int:
    if len(text) <= _LONGEST_EXACT and abs(number := int(text)) <= LARGEST_INTEGER:
        return number
    return _Number(-_BEYOND if text.startswith("-") else _BEYOND)


def _has_long_number(data: Any) -> bool:
    """Whether any number in it is out of bounds. Iterative: the depth is not known yet."""
    waiting = [data]
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind is dict:
            waiting.extend(value.values())
        elif kind is list:
            waiting.extend(value)
        elif kind is _Number or (kind is float and not math.isfinite(value)):
            return True
    return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, number in Counter(name for name, _ in pairs).items() if number > 1)
        raise MalformedJson(f"The name {twice[:80]!r} stands twice in one object.")
    return found


def _refuse_constant(name: str) -> Any:
    raise MalformedJson(f"{name} is no JSON number.")


def _inspect(value: Any, path: str, depth: int, problems: list[FieldError]) -> None:
    if isinstance(value, dict | list):
        if depth > MAX_DEPTH:
            raise RecursionError
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            if isinstance(key, str):
                _inspect_text(key, path or "body", problems)
            place = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}" if path else key
            _inspect(item, place[:_LONGEST_PLACE], depth + 1, problems)
            if len(problems) >= MAX_PROBLEMS:
                return
    elif isinstance(value, str):
        _inspect_text(value, path or "body", problems)
    elif type(value) is _Number or (type(value) is float and not math.isfinite(value)):
        problems.append(
            FieldError(
                path or "body",
                f"This is out of range: give a number from -{LARGEST_INTEGER} to {LARGEST_INTEGER}.",
                "number_out_of_range",
            )
        )


def _inspect_text(text: str, path: str, problems: list[FieldError]) -> None:
    if "\x00" in text:
        problems.append(FieldError(path.replace("\x00", "\\u0000"), *wrong.NUL))
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise MalformedJson("The body has half of a surrogate pair (\\ud800 to \\udfff), which is no character.")
