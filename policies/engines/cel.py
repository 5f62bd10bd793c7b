"""CEL, in the child process: the tasks `check` and `evaluate` of stellapromote.isolation (docs/adr/0061).

The variables of an expression are the fields of the policy input and `data`. Knows no Django: a child imports it.
"""

import functools
import re
import sys
import types
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import orjson

from stellapromote.isolation.outcomes import TaskRefused
from stellapromote.signing.canonical_json import CanonicalJsonError, canonical_bytes

# The package imports its command line tool, which takes most of a second and opens what a child may not.
sys.modules.setdefault("cel.cli", types.ModuleType("cel.cli"))

import cel  # noqa: E402 - after the line above

FUNCTIONS: Final = frozenset(
    {
        *("size", "contains", "startsWith", "endsWith", "matches"),
        *("int", "uint", "double", "string", "bytes", "type", "dyn", "timestamp", "duration"),
        *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"),
        *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
        *("optional", "of", "none", "ofNonZeroValue", "hasValue", "value", "or", "orValue"),
    }
)
"""The functions of an expression: none for the time, for chance or for anything outside its variables."""

EVIDENCE_UNKNOWN: Final = "EVIDENCE_UNKNOWN"
MOST_LEVELS: Final = 64
MOST_KEPT_BYTES: Final = 16 * 1024 * 1024
DOUBLES: Final = frozenset({"cvss", "epss"})
"""Fields that are doubles even where the JSON writes a whole number: CEL distinguishes 9 and 9.0."""

_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*)")
_BRACKET = re.compile(r"""[\[\](){}]|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check(payload: bytes) -> bytes:
    """Compiles the text. TaskRefused with its place (`line:column`), also for functions that are not in FUNCTIONS."""
    text = payload.decode()
    _check_nesting(text)
    try:
        program = cel.compile(text)
    except ValueError as error:
        found = _PLACE.search(str(error))
        if found is None:
            raise TaskRefused("VAL_INVALID", "The expression cannot be read.") from None
        line, column, what = found.groups()
        raise TaskRefused(
            "VAL_INVALID", f"{_short(what)} (line {line}, column {column}).", f"{line}:{column}"
        ) from None
    for name in program.functions():
        if _NAME.fullmatch(name) and name not in FUNCTIONS:
            place = _place_of(text, name)
            where = f" (line {place.replace(':', ', column ')})" if place else ""
            raise TaskRefused("VAL_INVALID", f"There is no function {name} here{where}.", place)
    return b""


def warm_up(payload: bytes) -> bytes:
    """Keeps the evidence part of a policy input, under its digest, for evaluations to come."""
    digest, _, content = payload.partition(b"\n")
    key = digest.decode()
    _kept[key] = ({name: _with_doubles(value) for name, value in orjson.loads(content).items()}, len(content))
    _kept.move_to_end(key)
    while len(_kept) > 1 and sum(size for _, size in _kept.values()) > MOST_KEPT_BYTES:
        _kept.popitem(last=False)
    return b""


def evaluate(payload: bytes) -> bytes:
    """The expression's value as canonical JSON. The payload is `{text, data, situation, evidence: digest}`.

    Only the variables that the expression names are handed over: the engine takes some 10 ms for 5,000 findings.
    TaskRefused: EVIDENCE_UNKNOWN when that evidence has to be learnt first, else GATE_ERROR with the engine's words.
    """
    asked = orjson.loads(payload)
    kept = _kept.get(asked["evidence"])
    if kept is None:
        raise TaskRefused(EVIDENCE_UNKNOWN, asked["evidence"])
    _kept.move_to_end(asked["evidence"])
    known = {**kept[0], **asked["situation"], "data": asked["data"]}
    program, named = _compiled(asked["text"])
    context = cel.Context()
    for name in named & known.keys():
        context.add_variable(name, known[name])
    try:
        value = program.execute(context)
    except KeyError as error:
        raise TaskRefused("GATE_ERROR", f"there is no {error.args[0]!s:.100}") from None
    except Exception as error:
        raise TaskRefused("GATE_ERROR", _short(str(error))) from None
    try:
        return canonical_bytes(value)
    except CanonicalJsonError:
        raise TaskRefused("GATE_ERROR", f"it answers with a {type(value).__name__} that is no JSON") from None


_kept: Final[OrderedDict[str, tuple[Any, int]]] = OrderedDict()


@functools.lru_cache(maxsize=256)
def _compiled(text: str) -> tuple[Any, frozenset[str]]:
    program = cel.compile(text)
    return program, frozenset(program.variables())


def _with_doubles(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_doubles(each) for each in value]
    if isinstance(value, Mapping):
        return {
            name: float(each) if name in DOUBLES and isinstance(each, int) else each for name, each in value.items()
        }
    return value


def _check_nesting(text: str) -> None:
    """The engine stops at some ninety levels, with words about itself."""
    depth = 0
    for found in _BRACKET.finditer(text):
        mark = found.group()
        depth += 1 if mark in "([{" else -1 if mark in ")]}" else 0
        if depth > MOST_LEVELS:
            before = text[: found.start()]
            line, column = before.count("\n") + 1, found.start() - before.rfind("\n")
            message = f"Is nested more than {MOST_LEVELS} levels deep (line {line}, column {column})."
            raise TaskRefused("VAL_INVALID", message, f"{line}:{column}")


def _place_of(text: str, name: str) -> str:
    """`line:column` of the first call of that name, or "" when it is written in another way."""
    found = re.search(rf"\b{re.escape(name)}\s*\(", text)
    if found is None:
        return ""
    before = text[: found.start()]
    return f"{before.count(chr(10)) + 1}:{found.start() - (before.rfind(chr(10)) + 1) + 1}"


def _short(words: str) -> str:
    """The first sentence of an engine's message, in one line of at most 300 characters."""
    line = " ".join(words.split())
    return re.sub(r"(?<=[a-z'\"])\. .*", "", line)[:300].rstrip(".")
