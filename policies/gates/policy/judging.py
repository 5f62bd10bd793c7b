"""Shared by all versions of the policy gate: settings, and the verdict made of an answer (domain.md §6).

The engine answers when facts are gathered; judging only reads its answer from the gate input (docs/adr/0061).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.context import Context
from policies.engines.answers import DENIED, AnswerWords, NotAnAnswer, Reason, read_answer
from policies.engines.texts import compile_errors
from policies.facts import GateInput
from policies.outcomes import Verdict
from stellapromote.errors import FieldError
from stellapromote.json_schema import below
from stellapromote.patterns import SLUG
from stellapromote.signing.canonical_json import CanonicalJsonError, canonical_bytes

RANK: Final = 50
SUMMARY: Final = "The team's own policy, written as code, allows the promotion."

LONGEST_TEXT: Final = 65_536
MOST_LEVELS: Final = 64
MESSAGES_SHOWN: Final = 3

OPA_PATH: Final = r"^[A-Za-z_][A-Za-z0-9_]*(?:/[A-Za-z_][A-Za-z0-9_]*){0,15}$"
REGO_QUERY: Final = r"^data(?:\.[A-Za-z_][A-Za-z0-9_]*){1,15}$"

_SECRET: Final = re.compile(r"passw|secret|token|credential|api_?key|private_?key", re.IGNORECASE)

CONFIG_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "engine": {
            "type": "string",
            "enum": ["cel", "rego", "opa"],
            "default": "cel",
            "description": "cel: an expression. rego: a module, where that engine is installed. opa: an OPA server.",
        },
        "text": {
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_TEXT,
            "format": "text",
            "description": "The CEL expression or the Rego module.",
        },
        "query": {
            "type": "string",
            "maxLength": 500,
            "description": "rego: the rule, data.release.allow. opa: the path below /v1/data, release/allow.",
        },
        "data": {
            "type": "object",
            "additionalProperties": {},
            "maxProperties": 200,
            "default": {},
            "description": "What the text may read as data beside its input.",
        },
        "connection": {
            "type": "string",
            "pattern": SLUG,
            "x-message": "This must be the name of a connection that the platform has.",
            "description": "opa: the server, by the name it has in OPA_CONNECTIONS.",
        },
        "timeoutMs": {"type": "integer", "minimum": 10, "maximum": 1000, "default": 100},
        "maxAge": {
            "type": "integer",
            "minimum": 30,
            "maximum": 86_400,
            "default": 300,
            "description": "opa: seconds after which an answer counts as missing.",
        },
    },
}

GUARDS: Final = frozenset({"engine", "text", "query", "data", "connection", "timeoutMs", "maxAge"})
NO_GUARDS: Final[dict[str, str]] = {}
"""Paths of all settings: those that stand against a promotion, and why the others do not (domain.md §5)."""

_WANTED: Final = {"cel": ("text",), "rego": ("text", "query"), "opa": ("connection", "query")}
_OPTIONAL: Final = ("text", "query", "connection")


def check_config(config: Mapping[str, Any], field: str) -> list[FieldError]:
    """The checks beyond the schema: the settings fit the engine, and data is plain and holds no secret."""
    engine = config["engine"]
    errors = []
    for name in _OPTIONAL:
        if name in _WANTED[engine] and name not in config:
            errors.append(FieldError(below(field, name), f"This is missing: engine {engine} needs it.", "invalid"))
        elif name not in _WANTED[engine] and name in config:
            errors.append(
                FieldError(below(field, name), f"This has no meaning with engine {engine}: leave it out.", "invalid")
            )
    if "query" in config and engine in ("rego", "opa"):
        pattern, example = (REGO_QUERY, "data.release.allow") if engine == "rego" else (OPA_PATH, "release/allow")
        if not re.fullmatch(pattern.removesuffix("$"), config["query"]):
            errors.append(FieldError(below(field, "query"), f"This must be written like {example}.", "invalid"))
    if engine == "rego" and not errors and config["query"].split(".")[1] in config["data"]:
        message = "This would replace rules of the module: give this part of data another name than its package."
        errors.append(FieldError(below(field, "data"), message, "invalid"))
    if engine == "opa" and config["data"]:
        errors.append(FieldError(below(field, "data"), "This has no meaning with engine opa: leave it out.", "invalid"))
    return errors + _data_errors(config["data"], below(field, "data"))


def check_at_save(config: Mapping[str, Any], field: str) -> list[FieldError]:
    """Whether the text compiles, with the line and column where it does not. Asks the engine, in its child process."""
    if config["engine"] == "opa":
        return []
    return [
        FieldError(below(field, "text"), message, "invalid")
        for message in compile_errors(config["engine"], config["text"], config.get("query"))
    ]


def judge_answer(facts: GateInput, config: Mapping[str, Any], context: Context, words: AnswerWords) -> Verdict:
    """Passes only for a real true without any reason against it. An answer that is missing, late or no answer is never
    a pass. ``words``: what an answer may say in this version."""
    answer = facts.get("policyAnswers", {}).get(context.name)
    if answer is None or answer["engine"] != config["engine"]:
        missing = "The policy was not asked yet: it is asked at the next evaluation."
        if config["engine"] == "opa":
            missing = f"The policy server {config['connection']} has not answered lately: this goes on when it does."
        return Verdict(context.on_error, ("GATE_FACTS_MISSING",), {"missing": "policyAnswers"}, missing)
    details: dict[str, Any] = {
        "engine": answer["engine"],
        "inputDigest": answer["inputDigest"],
        "revision": answer["revision"],
    }
    if answer["error"] is not None:
        problem = answer["result"]["problem"]
        message = f"The policy {context.name} {problem}: a policy admin must look at it."
        return Verdict(context.on_error, (answer["error"],), {**details, "problem": problem}, message)
    try:
        reading = read_answer(answer["result"], words)
    except NotAnAnswer as error:
        message = f"The policy {context.name} {error}: a policy admin must correct it."
        return Verdict(context.on_error, ("GATE_ERROR",), {**details, "problem": str(error)}, message)
    details |= {name: [each.code for each in reading.reasons[name]] for name in words.lists}
    codes = tuple(each.code for name in words.lists for each in reading.reasons[name])
    if reading.deny:
        return Verdict("fail", codes, details, _in_words(reading.deny))
    if reading.pending:
        return Verdict("pending", codes, details, _in_words(reading.pending))
    if not reading.allows:
        message = f"The policy {context.name} does not allow this and gives no reason: ask a policy admin."
        return Verdict("fail", (DENIED, *codes), details, message)
    if reading.warn:
        return Verdict("warn", codes, details, _in_words(reading.warn))
    return Verdict("pass", (), details, f"The policy {context.name} allows it.")


def _in_words(reasons: tuple[Reason, ...]) -> str:
    shown = "; ".join(each.message.rstrip(". ") for each in reasons[:MESSAGES_SHOWN])
    more = len(reasons) - MESSAGES_SHOWN
    return f"{shown}; and {more} more." if more > 0 else f"{shown}."


def _data_errors(data: Mapping[str, Any], field: str) -> list[FieldError]:
    if _depth_of(data) > MOST_LEVELS:
        return [FieldError(field, f"This is nested more than {MOST_LEVELS} levels deep: make it flatter.", "invalid")]
    try:
        size = len(canonical_bytes(data))
    except CanonicalJsonError as error:
        return [FieldError(field, f"This cannot be stored: {error}.", "invalid")]
    if size > LONGEST_TEXT:
        return [FieldError(field, f"This is too long: use at most {LONGEST_TEXT} bytes.", "invalid")]
    secret = next((name for name in _names(data) if _SECRET.search(name)), None)
    if secret is not None:
        # No secret lives in a policy (domain.md §6): versions and exports of it are read by many.
        return [FieldError(field, f"{secret[:50]} is the name of a secret, which no policy may hold.", "invalid")]
    return []


def _depth_of(value: object) -> int:
    """Levels of the value, counted without recursion and only as far as it matters."""
    level: list[object] = [value]
    depth = 0
    while level and depth <= MOST_LEVELS:
        depth += 1
        level = [
            each
            for part in level
            for each in (part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ())
            if isinstance(each, (Mapping, list))
        ]
    return depth


def _names(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield name
            yield from _names(each)
    elif isinstance(value, list):
        for each in value:
            yield from _names(each)
