"""Judging a stored decision again from what its record holds, and comparing (domain.md §7). Stores nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from policies.engines.ask import ask_all
from policies.evaluator import UnknownKindVersion, evaluate
from policies.evidence_facts import PolicyAnswer
from policies.facts import GateInput
from policies.schema import below
from promotions.decision import determinism_hash
from promotions.documents_of_input import documents_of
from promotions.models import DecisionRecord
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes

REPLAY_PATIENCE: Final = 20.0
"""Times the gate's own time-out: what ended in time once must not differ because a machine is busy now."""


@dataclass(frozen=True, slots=True)
class Replay:
    """``equal`` is None when this version cannot judge the record: `notReplayable` says why."""

    equal: bool | None
    recorded: dict[str, Any]
    recomputed: dict[str, Any] | None
    first_difference: str | None
    not_replayable: str | None

    def as_json(self) -> dict[str, Any]:
        if self.equal is None:
            return {"notReplayable": self.not_replayable, "recorded": self.recorded}
        body: dict[str, Any] = {"equal": self.equal, "recorded": self.recorded, "recomputed": self.recomputed}
        if not self.equal:
            body["firstDifference"] = self.first_difference
        return body


def replay(record: DecisionRecord) -> Replay:
    """Re-judges ``record.input`` with the documents it names by digest. Cost: that of documents_of."""
    stored = orjson.loads(bytes(record.document))
    recorded = _determined(stored)
    input_bytes = bytes(record.input)
    gate_input = orjson.loads(input_bytes)
    texts = documents_of(record.tenant_id, gate_input)
    try:
        evaluation = evaluate(gate_input, texts)
    except UnknownKindVersion as error:
        return Replay(None, recorded, None, None, str(error))
    try:
        answers = _answers_again(gate_input, texts[stored["policyDigest"]], texts)
    except PolicyNotAnswered as error:
        return Replay(None, recorded, None, None, str(error))
    input_digest = digest_bytes(input_bytes)
    recomputed = {
        "inputDigest": input_digest,
        "determinismHash": determinism_hash(
            policy_digest=stored["policyDigest"], input_digest=input_digest, evaluation=evaluation
        ),
        **evaluation.as_determined(),
    }
    difference = first_difference(recorded, recomputed) or _different_answer(gate_input, answers)
    return Replay(difference is None, recorded, recomputed, difference, None)


class PolicyNotAnswered(LookupError):
    """An embedded engine answered when the record was made, and cannot be asked now: such a record is notReplayable."""


def _answers_again(
    gate_input: dict[str, Any], policy: Mapping[str, Any], texts: dict[str, Any]
) -> dict[str, PolicyAnswer]:
    """What embedded engines say now, for the gates whose recorded answer is one: an error may have been the machine's.

    The answers of an OPA server are facts like others, and are taken from the record.
    """
    told = {name for name, answer in gate_input.get("policyAnswers", {}).items() if answer["error"] is None}
    gates = [gate for gate in policy["gates"] if gate["name"] in told]
    again = ask_all({"gates": gates}, cast("GateInput", gate_input), texts, patience=REPLAY_PATIENCE)
    for name, answer in again.items():
        if answer["error"] is not None:
            raise PolicyNotAnswered(f"the policy {name} {answer['result']['problem']}")
    return again


def _different_answer(gate_input: dict[str, Any], again: Mapping[str, PolicyAnswer]) -> str | None:
    for name in sorted(again):
        if canonical_bytes(again[name]) != canonical_bytes(gate_input["policyAnswers"][name]):
            return below("policyAnswers", name)
    return None


def _determined(stored: dict[str, Any]) -> dict[str, Any]:
    """The part of the record that a replay must reproduce."""
    gates = [
        {name: value for name, value in gate.items() if name not in ("message", "nextChangeAt")}
        for gate in stored["gates"]
    ]
    kept = {name: stored[name] for name in ("inputDigest", "determinismHash", "decision", "reasonCodes")}
    return {**kept, "gates": gates}


def first_difference(left: Any, right: Any, place: str = "") -> str | None:
    """The first place where two JSON values differ, as refusals name the places of a body, or None; `gates[0].status`.

    `body` when they differ as a whole.
    """
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            if (found := first_difference(left.get(key), right.get(key), below(place, key))) is not None:
                return found
        return None
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            if (found := first_difference(one, other, f"{place}[{index}]")) is not None:
                return found
        return None
    return None if canonical_bytes({"v": left}) == canonical_bytes({"v": right}) else place or "body"
