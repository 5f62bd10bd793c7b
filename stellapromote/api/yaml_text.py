"""YAML as a call takes and answers it: the part that JSON can say, by the YAML 1.2 core schema.

Refused as VAL_MALFORMED_YAML, with the line: anchors and aliases, tags, a name twice in one object, names that are no
plain text, a second document, nesting deeper than 64. So a short text stays a short value, and two programs read it
alike. Words such as `yes` and `off`, and times, are text.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import yaml

from stellapromote.api.parsing import MAX_DEPTH, BodyTooLarge, parse_json
from stellapromote.errors import FieldError, Invalid

MEDIA_TYPE: Final = "application/yaml"
MOST_VALUES: Final = 50_000

_LOADER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), "null"),
    **dict.fromkeys(("true", "True", "TRUE"), "true"),
    **dict.fromkeys(("false", "False", "FALSE"), "false"),
}
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@-]*(?: [A-Za-z0-9_./@-]+)*")
_STARTS: Final = (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentEndEvent)
# What older readers take for something else than text.
_READ_OTHERWISE: Final = re.compile(r"(?:yes|no|on|off|y|n|null|true|false|~)\Z", re.IGNORECASE)
_LONGEST_ROW: Final = 100
_FIRST: Final = ("slug", "name", "kind", "type")


class MalformedYaml(Invalid):
    """The text is not YAML, or has a part of it that is not read here."""

    code = "VAL_MALFORMED_YAML"


@dataclass(slots=True)
class _Open:
    """A list or an object whose end has not come. ``names``: those of the object so far; None: it is a list."""

    names: set[str] | None
    parts: int = 0
    waits_for_value: bool = False
    end: str = field(init=False)

    def __post_init__(self) -> None:
        self.end = "]" if self.names is None else "}"


def parse_yaml(raw: bytes) -> tuple[Any, list[FieldError]]:
    """The value, and what is wrong with single places in it, as ``parse_json`` has them. MalformedYaml; BodyTooLarge
    for more than ``MOST_VALUES`` values. Linear cost."""
    try:
        text = raw.decode("utf-8")
        written = "".join(_as_json(yaml.parse(text, Loader=_LOADER)))
    except UnicodeDecodeError as error:
        raise MalformedYaml(f"The text is not UTF-8: byte {error.start + 1} cannot be read.") from None
    except yaml.MarkedYAMLError as error:
        _refuse(f"The text is not YAML: {error.problem or error.context}", error.problem_mark or error.context_mark)
    except yaml.YAMLError as error:
        raise MalformedYaml(f"The text is not YAML: {str(error).splitlines()[0][:200]}.") from None
    return parse_json(written.encode("utf-8", "surrogatepass") or b"null", called="The text")


def _as_json(events: Iterator[Any]) -> Iterator[str]:
    opened: list[_Open] = []
    documents = values = 0
    for event in events:
        if isinstance(event, _STARTS):
            continue
        mark = event.start_mark
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                _refuse("A second document begins: send one", mark)
            continue
        if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            yield opened.pop().end
            continue
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            _refuse("Anchors and aliases are not read: write the value where it stands", mark)
        if event.tag is not None:
            _refuse("Tags are not read: leave it out", mark)
        values += 1
        if values > MOST_VALUES:
            raise BodyTooLarge(f"The text has more than {MOST_VALUES} values.", details={"limit": MOST_VALUES})
        around = opened[-1] if opened else None
        if around is not None and around.names is not None and not around.waits_for_value:
            yield _name(event, around, mark)
            continue
        if around is not None:
            if around.names is None and around.parts:
                yield ","
            around.parts, around.waits_for_value = around.parts + 1, False
        if isinstance(event, yaml.ScalarEvent):
            yield _scalar(event)
            continue
        if len(opened) >= MAX_DEPTH:
            _refuse(f"The text is nested deeper than {MAX_DEPTH} levels", mark)
        opened.append(_Open(set() if isinstance(event, yaml.MappingStartEvent) else None))
        yield "[" if opened[-1].names is None else "{"


def _name(event: Any, around: _Open, mark: Any) -> str:
    if not isinstance(event, yaml.ScalarEvent):
        _refuse("The name of a field is a plain text", mark)
    names = around.names
    assert names is not None
    if event.value in names:
        _refuse(f"The name {event.value[:80]!r} stands twice in one object", mark)
    names.add(event.value)
    around.waits_for_value = True
    return f"{',' if len(names) > 1 else ''}{json.dumps(event.value)}:"


def _scalar(event: Any) -> str:
    """Quoted text is text; plain text may be a word or a number."""
    if event.style:
        return json.dumps(event.value)
    if event.value in _WORDS:
        return _WORDS[event.value]
    return str(event.value) if _NUMBER.fullmatch(event.value) else json.dumps(event.value)


def _refuse(message: str, mark: Any) -> NoReturn:
    if mark is None:
        raise MalformedYaml(f"{message}.")
    line, column = mark.line + 1, mark.column + 1
    raise MalformedYaml(f"{message}, at line {line}, column {column}.", details={"line": line, "column": column})


def dump_yaml(value: Any) -> str:
    """JSON values as YAML, in one form: equal values have equal text. Names first in each object, else in the order of
    the value."""
    return "".join(_block(value, 0)) if isinstance(value, dict | list) and value else f"{_inline(value)}\n"


def _block(value: Any, depth: int) -> Iterator[str]:
    margin = "  " * depth
    if isinstance(value, dict):
        for name, part in _names_first(value):
            yield f"{margin}{_text(name)}:"
            yield from _behind(part, depth)
        return
    for part in value:
        if isinstance(part, dict) and part:
            # The first field stands behind the hyphen, the others below it.
            lines = "".join(_block(part, depth + 1))
            yield f"{margin}- {lines[len(margin) + 2 :]}"
        else:
            yield f"{margin}-"
            yield from _behind(part, depth)


def _behind(part: Any, depth: int) -> Iterator[str]:
    if isinstance(part, list) and (row := _row(part)):
        yield f" {row}\n"
    elif isinstance(part, dict | list) and part:
        yield "\n"
        yield from _block(part, depth + 1)
    elif isinstance(part, str) and "\n" in part and _fits_a_block(part):
        margin = "  " * (depth + 1)
        yield f" |{'' if part.endswith(chr(10)) else '-'}\n"
        for line in part.removesuffix("\n").split("\n"):
            yield f"{margin}{line}\n" if line else "\n"
    else:
        yield f" {_inline(part)}\n"


def _row(values: list[Any]) -> str:
    """Short plain values in one line; empty for others."""
    if not values or any(isinstance(each, dict | list) for each in values):
        return ""
    row = f"[{', '.join(map(_inline, values))}]"
    return row if len(row) <= _LONGEST_ROW else ""


def _names_first(value: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(value.items(), key=lambda item: _FIRST.index(item[0]) if item[0] in _FIRST else len(_FIRST))


def _fits_a_block(text: str) -> bool:
    """Whether a literal block says exactly this text: printable lines, none of blanks alone, none that begins with a
    tab, and a first and a last one that are not empty. The first one sets the margin."""
    lines = text.removesuffix("\n").split("\n")
    return (
        bool(lines[0] and lines[-1])
        and not lines[0].startswith(" ")
        and not any(line.startswith("\t") or (line and not line.strip()) for line in lines)
        and text.replace("\n", "").replace("\t", "").isprintable()
    )


def _inline(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value) if value not in ({}, []) else ("{}" if isinstance(value, dict) else "[]")


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and not _READ_OTHERWISE.match(text):
        return text
    return '"' + "".join(_escaped(each) for each in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character == "\n":
        return "\\n"
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"
