"""Rego by regorus, in the child process: the same tasks as CEL has. Only where the extra `rego` is installed.

The document below `input` is the policy input, below `data` the gate's data beside the module's own rules.
"""

import functools
import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final

import orjson

# The engine's allocator takes 1 GiB of address space at once, which a child does not have.
os.environ.setdefault("MIMALLOC_DISALLOW_ARENA_ALLOC", "1")

import regorus

from stellapromote.isolation.outcomes import TaskRefused
from stellapromote.signing.canonical_json import CanonicalJsonError, canonical_bytes

EVIDENCE_UNKNOWN: Final = "EVIDENCE_UNKNOWN"
MOST_KEPT_BYTES: Final = 32 * 1024 * 1024

FAMILIES: Final = frozenset(
    {
        *("array", "base64", "base64url", "bits", "data", "glob", "graph", "hex", "input", "json", "net", "numbers"),
        *("object", "regex", "semver", "strings", "time", "units", "urlquery", "yaml"),
    }
)
"""The beginnings that a dotted name may have when it is not the module's own."""

IMPURE: Final = frozenset({"time.now_ns", "net.lookup_ip_addr", "trace", "print"})
"""Builtins that read the time or anything outside, in families and among plain names that are pure otherwise."""

_ERROR = re.compile(r"-->\s*[^\n]*?:(\d+):(\d+)\n.*?\nerror: ([^\n]*)", re.DOTALL)
_NO_RULE: Final = "not a valid rule path"
_NO_FUNCTION: Final = "could not find function"
_UNDEFINED: Final = '"<undefined>"'
"""The engine's text for a rule that has no value."""


def check(payload: bytes) -> bytes:
    """Compiles `query`, a line, and the module after it. TaskRefused with its place (`line:column`)."""
    query, _, text = payload.decode().partition("\n")
    try:
        engine = _engine(text)
    except Exception as error:
        raise _refused(error) from None
    ast = orjson.loads(engine.get_ast_as_json())[0]["ast"]
    if not any(_dotted(each["refr"])[0] == "rego.v1" for each in ast["imports"]):
        raise TaskRefused("VAL_INVALID", "Must say import rego.v1.", "1:1")
    for name, line, column in _names(ast):
        family, dot, _ = name.partition(".")
        if name in IMPURE or (dot and family in _BUILTIN_FAMILIES and family not in FAMILIES):
            place = f"{line}:{column}"
            raise TaskRefused("VAL_INVALID", f"There is no {name} here (line {line}, column {column}).", place)
    try:
        engine.set_input_json("{}")
        engine.eval_rule_as_json(query)
    except Exception as error:  # what it says about an empty input means nothing, but for two things
        if str(error).startswith(_NO_RULE):
            raise TaskRefused("VAL_INVALID", f"The module has no rule {query}.", "") from None
        if _NO_FUNCTION in str(error):
            raise _refused(error) from None
    return b""


def warm_up(payload: bytes) -> bytes:
    """Keeps the documents' part of a policy input, under its digest, for evaluations to come."""
    digest, _, content = payload.partition(b"\n")
    key = digest.decode()
    _kept[key] = content.decode()
    _kept.move_to_end(key)
    while len(_kept) > 1 and sum(len(each) for each in _kept.values()) > MOST_KEPT_BYTES:
        _kept.popitem(last=False)
    return b""


def evaluate(payload: bytes) -> bytes:
    """The rule's value as canonical JSON; null where it is undefined. Payload and refusals as for CEL, and `query`."""
    asked = orjson.loads(payload)
    documents = _kept.get(asked["evidence"])
    if documents is None:
        raise TaskRefused(EVIDENCE_UNKNOWN, asked["evidence"])
    _kept.move_to_end(asked["evidence"])
    situation = orjson.dumps(asked["situation"]).decode()
    try:
        engine = _compiled(asked["text"]).clone()
        engine.add_data_json(orjson.dumps(asked["data"]).decode())
        engine.set_input_json(f"{situation[:-1]},{documents[1:]}")
        said = engine.eval_rule_as_json(asked["query"])
    except Exception as error:
        raise TaskRefused("GATE_ERROR", _refused(error).message) from None
    try:
        return b"null" if said == _UNDEFINED else canonical_bytes(orjson.loads(said))
    except (CanonicalJsonError, orjson.JSONDecodeError):
        raise TaskRefused("GATE_ERROR", "it answers with what is no JSON") from None


_kept: Final[OrderedDict[str, str]] = OrderedDict()


def _engine(text: str) -> Any:
    engine = regorus.Engine()
    engine.add_policy("policy", text)
    return engine


_compiled = functools.lru_cache(maxsize=64)(_engine)

_BUILTIN_FAMILIES: Final = frozenset({"crypto", "graphql", "http", "io", "opa", "providers", "rand", "rego", "uuid"})


def _refused(error: Exception) -> TaskRefused:
    """The engine's own words, without its stack."""
    found = _ERROR.search(str(error))
    if found is None:
        line = " ".join(str(error).partition("Stack backtrace")[0].split())
        return TaskRefused("VAL_INVALID", line[:300] or "The module cannot be read.")
    row, column, what = found.groups()
    words = what.strip()[:300].rstrip(".")
    return TaskRefused("VAL_INVALID", f"{words} (line {row}, column {column}).", f"{row}:{column}")


def _names(ast: Any) -> Iterator[tuple[str, int, int]]:
    """Every name and dotted name in the module, wherever it stands, with line and column."""
    waiting = [ast["rules"]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            if "RefDot" in node or "Var" in node or "RefBrack" in node:
                name, span = _dotted(node)
                if name:
                    yield name, span["line"], span["col"]
            waiting.extend(node.values())


def _dotted(node: Any) -> tuple[str, Any]:
    """`a.b.c` of a chain of references, also written a["b"]; "" for what is none."""
    if "Var" in node:
        value, span = node["Var"]["value"], node["Var"]["span"]
        return (value if isinstance(value, str) else ""), span
    if "RefDot" in node:
        head, span = _dotted(node["RefDot"]["refr"])
        last = node["RefDot"]["field"][1]
        return (f"{head}.{last}" if head and isinstance(last, str) else ""), span
    if "RefBrack" in node:
        head, span = _dotted(node["RefBrack"]["refr"])
        index = node["RefBrack"]["index"]
        last = index["String"]["value"] if isinstance(index, dict) and "String" in index else None
        return (f"{head}.{last}" if head and isinstance(last, str) else ""), span
    return "", {"line": 1, "col": 1}
