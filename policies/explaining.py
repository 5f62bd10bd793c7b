"""The explanation of a policy on facts in a file: for authors and for CI, without a database (docs/policy-gate.md).
Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import jsonschema
import orjson

from policies import gates
from policies.documents import Document, InvalidDocument, promotion_policy
from policies.engines.answers import DENIED, NotAnAnswer, Reason, read_answer, words_of
from policies.engines.ask import EMBEDDED, ask, ask_all, input_about
from policies.engines.policy_input import (
    FROM_DOCUMENTS,
    JSON_SCHEMA,
    SINCE_VERSION_2,
    SITUATION,
    FromDocuments,
    PolicyInput,
)
from policies.engines.policy_input import SCHEMA as POLICY_INPUT
from policies.evaluator import UnknownKindVersion, evaluate
from policies.facts import SCHEMA as GATE_INPUT
from policies.facts import GateInput, InvalidGateInput, PolicyReference, check_gate_input
from policies.library import DocumentMissing
from policies.outcomes import Status
from stellapromote.errors import FieldError
from stellapromote.signing.canonical_json import CanonicalJsonError, canonical_bytes, digest

Outcome = Literal["allow", "warn", "pending", "deny"]

EXIT: Final[Mapping[Outcome, int]] = {"allow": 0, "warn": 1, "pending": 1, "deny": 2}
UNUSABLE: Final = 3

_OF_STATUS: Final[Mapping[Status, Outcome]] = {"pass": "allow", "warn": "warn", "pending": "pending", "fail": "deny"}
_WORST: Final[Sequence[Outcome]] = ("deny", "pending", "warn", "allow")


class Unusable(ValueError):
    """The policy or the input cannot be used; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One gate, as it is printed."""

    gate: str
    outcome: Outcome
    codes: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The outcome is the worst of the lines; `warn` is an allow with something to read."""

    lines: tuple[Line, ...]

    @property
    def outcome(self) -> Outcome:
        said = {line.outcome for line in self.lines}
        return next(each for each in _WORST if each in said)


def explain_document(
    policy: object, facts: object, *, gate: str | None = None, blobs: Sequence[object] = ()
) -> Explanation:
    """Explains a promotion policy on a gate input, or its policy gates on a policy input; `gate` selects one. Raises
    Unusable."""
    document = _policy(policy)
    names = [each["name"] for each in document.content["gates"]]
    if gate is not None and gate not in names:
        raise Unusable(f"The policy has no gate {gate}; it has {', '.join(names)}.")
    if _schema_of(facts) == POLICY_INPUT:
        return _of_policy_gates(document, _about(facts), gate)
    return _of_gate_input(document, facts, gate, blobs)


def explain_text(engine: str, text: str, query: str | None, facts: object, blobs: Sequence[object] = ()) -> Explanation:
    """A CEL expression or Rego module on a policy input, or on the one that a gate input makes. Unusable."""
    config: dict[str, Any] = {"engine": engine, "text": text, **({} if query is None else {"query": query})}
    document = _policy({"gates": [{"name": "policy", "kind": "policy", "config": config}]})
    if _schema_of(facts) == POLICY_INPUT:
        return _of_policy_gates(document, _about(facts), "policy")
    try:
        about = input_about(_judged_now(_gate_input(facts), document), _by_digest(blobs))
    except DocumentMissing as missing:
        raise Unusable(f"The input names the document {missing.digest}: give it with --document.") from None
    return _of_policy_gates(document, about, "policy")


def _policy(value: object) -> Document:
    try:
        return promotion_policy(value)
    except InvalidDocument as invalid:
        raise Unusable(_places("The policy cannot be used", invalid.fields)) from None


def _schema_of(facts: object) -> str:
    schema = facts.get("schema") if isinstance(facts, Mapping) else None
    if schema not in (GATE_INPUT, POLICY_INPUT):
        raise Unusable(f"The input is neither {GATE_INPUT} nor {POLICY_INPUT}.")
    return str(schema)


def _gate_input(facts: object) -> GateInput:
    try:
        return check_gate_input(facts)
    except InvalidGateInput as invalid:
        raise Unusable(_places("The input cannot be used", invalid.fields)) from None


def _about(facts: object) -> PolicyInput:
    problem = next(iter(jsonschema.Draft202012Validator(JSON_SCHEMA).iter_errors(facts)), None)
    if problem is not None:
        place = ".".join(str(each) for each in problem.absolute_path) or "the input"
        raise Unusable(f"The input cannot be used: {place}: {problem.message[:300]}")
    told = cast("dict[str, Any]", facts)
    try:
        parts: dict[str, bytes] = {
            name: canonical_bytes(told[name]) for name in (*FROM_DOCUMENTS, *SINCE_VERSION_2) if name in told
        }
        about = PolicyInput({name: told[name] for name in SITUATION}, FromDocuments(parts))
        canonical_bytes(about.situation)
    except CanonicalJsonError as error:
        raise Unusable(f"The input cannot be used: {error}") from None
    return about


def _of_policy_gates(document: Document, about: PolicyInput, only: str | None) -> Explanation:
    lines = []
    for gate in document.content["gates"]:
        if gate["kind"] == "policy" and only in (None, gate["name"]):
            if gate["config"]["engine"] not in EMBEDDED:
                raise Unusable(f"The gate {gate['name']} asks a policy server, which is not done here.")
            lines.append(_of_answer(gate, about))
    if not lines:
        raise Unusable("A policy input says something to policy gates only, and there is none.")
    return Explanation(tuple(lines))


def _of_answer(gate: Mapping[str, Any], about: PolicyInput) -> Line:
    """The gate judged on its answer alone, in the words that judging has."""
    version = gates.REGISTRY.current["policy"]
    said = ask(gate["config"], about, version=version)
    name, on_error = gate["name"], _OF_STATUS[cast("Status", gate["onError"])]
    if said["error"] is not None:
        return Line(name, on_error, (said["error"],), f"The policy {name} {said['result']['problem']}.")
    try:
        reading = read_answer(said["result"], words_of(version))
    except NotAnAnswer as error:
        return Line(name, on_error, ("GATE_ERROR",), f"The policy {name} {error}.")
    if reading.deny:
        return _line(name, "deny", reading.deny)
    if reading.pending:
        return _line(name, "pending", reading.pending)
    if not reading.allows:
        return Line(name, "deny", (DENIED,), "It gives no reason.")
    if reading.warn:
        return _line(name, "warn", reading.warn)
    return Line(name, "allow", (), f"The policy {name} allows it.")


def _line(name: str, outcome: Outcome, reasons: Sequence[Reason]) -> Line:
    codes = tuple(dict.fromkeys(each.code for each in reasons))
    return Line(name, outcome, codes, " ".join(each.message for each in reasons))


def _of_gate_input(document: Document, value: object, only: str | None, blobs: Sequence[object]) -> Explanation:
    content = document.content
    facts = _judged_now(_gate_input(value), document)
    reference = PolicyReference(name="explained", version=0, digest=document.digest)
    facts["requirements"] = {**facts["requirements"], "promotionPolicy": reference}
    documents = {**_by_digest(blobs), document.digest: content}
    facts["policyAnswers"] = {**facts.get("policyAnswers", {}), **ask_all(content, facts, documents)}
    try:
        judged = evaluate(facts, documents).gates
    except (UnknownKindVersion, InvalidGateInput) as error:
        raise Unusable(f"The input cannot be used: {error}") from None
    return Explanation(
        tuple(
            Line(each.name, _OF_STATUS[each.status], each.reason_codes, each.message)
            for each in judged
            if only in (None, each.name)
        )
    )


def _judged_now(facts: GateInput, document: Document) -> GateInput:
    """The facts with the versions by which the document's gates are judged today."""
    return {**facts, "kinds": gates.current_versions(gate["kind"] for gate in document.content["gates"])}


def _by_digest(blobs: Sequence[object]) -> dict[str, Any]:
    try:
        return {digest(each): each for each in blobs}
    except CanonicalJsonError as error:
        raise Unusable(f"A document cannot be used: {error}") from None


def _places(what: str, fields: Sequence[FieldError]) -> str:
    return f"{what}: " + "; ".join(f"{each.field or 'it'}: {each.message}" for each in fields[:10])


def parse(content: bytes, what: str) -> object:
    """JSON of a file. Unusable."""
    try:
        return cast("object", orjson.loads(content))
    except orjson.JSONDecodeError as error:
        raise Unusable(f"{what} is no JSON: {error}") from None
