"""The strict reading of uploaded documents, with the place of each fault (issue 3, bad input). Pure.

I-JSON (RFC 7493) in UTF-8: a name twice in one object, NaN and infinities, numbers beyond ±(2^53-1) and lone surrogates
are refused, and more than 64 levels. Readers disagree about all of these, and two readers of one signed document must
not see two documents. A byte order mark of UTF-8 is skipped; other encodings are refused.
"""

import json
import math
import re
from collections.abc import Iterable
from datetime import UTC
from functools import lru_cache
from typing import Any, Final, NoReturn

from promotions.formats.lines import escaped_line, problem_in_line
from stellapromote.clock import parse_rfc3339, rfc3339
from stellapromote.isolation import TaskRefused
from stellapromote.signing.canonical_json import digest_bytes

MOST_BYTES: Final = 32 * 1024 * 1024
MOST_BODY: Final = MOST_BYTES * 4 // 3 + 64 * 1024
"""The largest body of a request: a document in base64, and what stands around it."""
MOST_LEVELS: Final = 64
MOST_VALUES: Final = 2_000_000
"""More commas and brackets than this are not read: they would need more memory than the child process has."""
MOST_ENTRIES: Final = 50_000
"""More findings, components or statements than this are in no real document, and every gate would read them again."""
MOST_DIGITS: Final = 17
LARGEST_INTEGER: Final = 2**53 - 1
LONGEST_TEXT: Final = 512

INVALID: Final = "EVD_INVALID_DOCUMENT"
MISMATCH: Final = "EVD_DIGEST_MISMATCH"

_TOO_LARGE = object()
_EARLIEST = 1970


class DocumentRefused(TaskRefused):
    """The document cannot be taken. `place` is a JSON path such as `$.components[3].purl`, or a line of a CSV."""

    def __init__(self, message: str, place: str = "$", *, code: str = INVALID) -> None:
        super().__init__(code, message, place[:200])


class OtherKind(DocumentRefused):
    """The document can be read, and is not of the kind it was sent as."""


def read_json(document: bytes) -> Any:
    """The value. DocumentRefused for what is not I-JSON. Cost: linear; 264 KB take about 10 ms."""
    if len(document) > MOST_BYTES:
        raise DocumentRefused(f"The document is larger than {MOST_BYTES} bytes.")
    if document[:2] == b"\x1f\x8b":
        raise DocumentRefused("The document is compressed: send it as it was before compression.")
    sent, document = len(document), without_mark(document)
    if document.count(b",") + document.count(b"[") + document.count(b"{") > MOST_VALUES:
        raise DocumentRefused(f"The document has more than {MOST_VALUES} values.")
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError as error:
        number = sent - len(document) + error.start + 1
        raise DocumentRefused(f"The document is not UTF-8: byte {number} cannot be read.") from None
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        if error.msg == "Extra data":
            raise DocumentRefused(
                "The document has ended, and more follows: several in one file must be envelopes, each on one line.",
                where,
            ) from None
        raise DocumentRefused(f"The document is not JSON, or is cut off: {error.msg}.", where) from None
    except RecursionError:
        raise DocumentRefused(f"The document is nested deeper than {MOST_LEVELS} levels.") from None
    _inspect(value)
    return value


def without_mark(document: bytes) -> bytes:
    """The document without the byte order mark of UTF-8.

    DocumentRefused for UTF-16 and UTF-32: what writes them has often damaged the text before, and every other reader of
    the same bytes would have to know of it.
    """
    if document.startswith(_OTHER_MARKS) or b"\x00" in document[:4]:
        raise DocumentRefused(
            "The document is UTF-16, as Windows PowerShell writes with >: save it as UTF-8, for example with"
            " Out-File -Encoding utf8, or let the tool write the file."
        )
    return document.removeprefix(MARK)


def read_inside(text: bytes, place: str) -> dict[str, Any]:
    """The object that stands as text inside a document. DocumentRefused with the place below that text's."""
    try:
        return an_object(read_json(text), "$")
    except DocumentRefused as refused:
        inside = refused.place
        below = place + inside[1:] if inside.startswith("$") else f"{place}, {inside}"
        raise DocumentRefused(refused.message, below, code=refused.code) from None


MARK: Final = b"\xef\xbb\xbf"
_OTHER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


def check_number(entries: int) -> None:
    """DocumentRefused once there are too many: to be asked while they are collected."""
    if entries > MOST_ENTRIES:
        raise DocumentRefused(f"The document has more than {MOST_ENTRIES} entries.")


class _Twice(dict[str, Any]):
    """Marks an object that has a name twice; `_inspect` knows its place."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Twice(_named_twice(pairs))


def _named_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return {name: None}
        seen.add(name)
    raise AssertionError("unreachable: fewer names than pairs")


def _integer(text: str) -> Any:
    if len(text) <= MOST_DIGITS and abs(number := int(text)) <= LARGEST_INTEGER:
        return number
    return _TOO_LARGE


def _float(text: str) -> Any:
    number = float(text)
    return number if math.isfinite(number) and abs(number) <= LARGEST_INTEGER else _TOO_LARGE


def _constant(name: str) -> NoReturn:
    raise DocumentRefused(f"{name} is no JSON number.")


_Path = tuple[Any, str | int] | None
"""The last step to a value, and the path before it: a document has more values than memory has room for whole paths."""


def _inspect(document: Any) -> None:
    """Checks every value once, without recursion: the depth is not known yet."""
    _check_value(document, None)
    waiting: list[tuple[Any, _Path, int]] = [(document, None, 0)] if isinstance(document, dict | list) else []
    while waiting:
        holder, path, depth = waiting.pop()
        if depth >= MOST_LEVELS:
            raise DocumentRefused(f"The document is nested deeper than {MOST_LEVELS} levels.", _place(path))
        if type(holder) is dict:
            for name in holder:
                if not name.isascii():
                    _check_characters(name, path)
            items: Iterable[tuple[str | int, Any]] = holder.items()
        else:
            items = enumerate(holder)
        for step, item in items:
            kind = type(item)
            if kind is dict or kind is list:
                waiting.append((item, (path, step), depth + 1))
            elif kind is not str or not item.isascii():
                _check_value(item, (path, step))


def _check_value(value: Any, path: _Path) -> None:
    if type(value) is str:
        _check_characters(value, path)
    elif type(value) is _Twice:
        name = next(iter(value))
        raise DocumentRefused(f"The name {name[:80]!r} stands twice in one object.", _place(path))
    elif value is _TOO_LARGE:
        raise DocumentRefused(f"Numbers go from -{LARGEST_INTEGER} to {LARGEST_INTEGER}.", _place(path))


def _check_characters(text: str, path: _Path) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise DocumentRefused("There is half of a surrogate pair, which is no character.", _place(path))


_PLAIN = re.compile(r"[A-Za-z_$@][A-Za-z0-9_.$@:-]*")


def _place(path: _Path) -> str:
    steps = []
    while path is not None:
        path, step = path
        steps.append(at("", step))
    return "$" + "".join(reversed(steps))


def at(place: str, part: str | int) -> str:
    """The place of a member or an entry below a place."""
    if isinstance(part, int):
        return f"{place}[{part}]"
    return place + _step(part)


@lru_cache(maxsize=1024)
def _step(name: str) -> str:
    return f".{name}" if _PLAIN.fullmatch(name) else f"[{name[:80]!r}]"


def member(value: dict[str, Any], name: str, place: str) -> Any:
    """A member that must be there."""
    if name not in value:
        raise DocumentRefused(f"{name} is missing.", place)
    return value[name]


def an_object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DocumentRefused("This must be an object.", place)
    return value


def a_list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise DocumentRefused("This must be a list.", place)
    return value


def objects(holder: dict[str, Any], name: str, place: str) -> list[tuple[dict[str, Any], str]]:
    """The objects of a list that may be absent or null, each with its place."""
    if holder.get(name) is None:
        return []
    inside = at(place, name)
    entries = enumerate(a_list(holder[name], inside))
    return [(an_object(each, where), where) for each, where in ((each, f"{inside}[{i}]") for i, each in entries)]


def part(holder: dict[str, Any], name: str, place: str) -> dict[str, Any]:
    """An object that may be absent or null: then it is empty."""
    value = holder.get(name)
    if isinstance(value, dict):
        return value
    return {} if value is None else an_object(value, at(place, name))


def line(holder: dict[str, Any], name: str, place: str, *, longest: int = LONGEST_TEXT) -> str:
    """One line of text that must be there and say something."""
    found = maybe_line(holder, name, place, longest=longest)
    if found is None:
        raise DocumentRefused(f"{name} is missing or empty.", at(place, name) if name in holder else place)
    return found


def maybe_line(holder: dict[str, Any], name: str, place: str, *, longest: int = LONGEST_TEXT) -> str | None:
    """One line of text; None where it is absent, null or blank."""
    value = holder.get(name)
    if value is None:
        return None
    if type(value) is str and len(value) <= longest and value.isascii() and value.isprintable():
        return value.strip() or None
    return check_line(value, at(place, name), longest=longest)


def maybe_name(holder: dict[str, Any], name: str, place: str) -> str | None:
    """A name or version as a tool found it, which the sender cannot repair: None where it is absent, null or blank.

    Control and direction-changing characters are written as their escapes; a text longer than a line is cut and ends in
    its digest. DocumentRefused for another value than text.
    """
    value = holder.get(name)
    if value is None:
        return None
    if type(value) is str and len(value) <= LONGEST_TEXT and value.isascii() and value.isprintable():
        return value.strip() or None
    return check_name(value, at(place, name))


def check_name(value: Any, place: str) -> str | None:
    if not isinstance(value, str):
        raise DocumentRefused("This must be text.", place)
    text = value.strip()
    if not (text.isascii() and text.isprintable()):
        text = escaped_line(text)
    if len(text) > LONGEST_TEXT:
        text = f"{text[: LONGEST_TEXT - 72]}…{digest_bytes(text.encode())}"
    return text or None


def a_name(holder: dict[str, Any], name: str, place: str) -> str:
    """maybe_name of what must be there."""
    found = maybe_name(holder, name, place)
    if found is None:
        raise DocumentRefused(f"{name} is missing or empty.", at(place, name) if name in holder else place)
    return found


def check_line(value: Any, place: str, *, longest: int = LONGEST_TEXT) -> str | None:
    if not isinstance(value, str):
        raise DocumentRefused("This must be text.", place)
    text = value.strip()
    if len(text) > longest:
        raise DocumentRefused(f"This is longer than {longest} characters.", place)
    problem = problem_in_line(text)
    if problem:
        raise DocumentRefused(problem, place)
    return text or None


def maybe_time(holder: dict[str, Any], name: str, place: str) -> str | None:
    """An RFC 3339 time in the product's form; None where it is absent, or the zero that Go writes for `not set`."""
    text = maybe_line(holder, name, place, longest=64)
    if text is None:
        return None
    try:
        moment = parse_rfc3339(text if _ZONE.search(text) else f"{text}Z")
    except ValueError:
        raise DocumentRefused("This must be an RFC 3339 time such as 2026-11-23T08:00:00Z.", at(place, name)) from None
    return None if moment.astimezone(UTC).year < _EARLIEST else rfc3339(moment)


_ZONE = re.compile(r"(?:Z|[+-][0-9]{2}:[0-9]{2})$")
