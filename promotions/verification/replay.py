"""Judging a stored decision again from what its record holds, and comparing (domain.md §7). Stores nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import orjson

from policies.document_facts import PolicyAnswer
from policies.engines.ask import ask_all
from policies.evaluator import UnknownKindVersion, evaluate
from policies.facts import GateInput, policy_of
from promotions.judging.decision import determinism_hash
from promotions.judging.documents_of_input import documents_of
from promotions.models import DecisionRecord
from promotions.verification.differences import first_difference
from promotions.verification.record_again import TEXT_FIELDS, difference_made_again
from promotions.verification.record_rows import Rows, difference_in_rows, rows_of
from stellapromote.json_schema import below
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes

REPLAY_PATIENCE: Final = 20.0
"""Times the gate's own time-out: what ended in time once must not differ because a machine is busy now."""

_UNREADABLE: Final = (AttributeError, LookupError, TypeError, ValueError)


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
        body: dict[str, Any] = {"equal": self.equal, "recorded": self.recorded}
        if self.recomputed is not None:
            body["recomputed"] = self.recomputed
        if not self.equal:
            body["firstDifference"] = self.first_difference
        return body


def replay_stored(record: DecisionRecord) -> Replay:
    """As ``replay``, and compares the record with the rows around it; what cannot even be read is not equal.

    Cost: that of documents_of and five statements.
    """
    return replay_among(record, rows_of([record.promotion_id])[record.promotion_id])


def replay_among(record: DecisionRecord, rows: Rows) -> Replay:
    """As ``replay_stored``, with the rows that were read already."""
    try:
        found = replay(record)
        stored, gate_input = orjson.loads(bytes(record.document)), orjson.loads(bytes(record.input))
        difference = found.first_difference or difference_in_rows(record, stored, gate_input, rows)
    except _UNREADABLE:
        return Replay(False, {}, None, "body", None)
    if difference is None:
        return found
    return replace(found, equal=False, first_difference=difference, not_replayable=None)


def replay(record: DecisionRecord) -> Replay:
    """Re-judges ``record.input`` with the documents it names by digest, and makes the record again: every byte of it
    must come out, with the ids that are stored. Cost: that of documents_of.

    Sentences, and the times at which verdicts may change, are part of no hash: they are compared where this version
    made them. A record of another version is compared with its signed digest.
    """
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
        answers = _answers_again(gate_input, policy_of(gate_input["requirements"], texts), texts)
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
    difference = (
        first_difference(recorded, recomputed)
        or _different_answer(gate_input, answers)
        or difference_made_again(record, stored, gate_input, _bundle(gate_input, texts), evaluation)
    )
    return Replay(difference is None, recorded, recomputed, difference, None)


def _bundle(gate_input: dict[str, Any], texts: Mapping[str, Any]) -> dict[str, Any] | None:
    evidence = gate_input.get("evidence")
    bundle: dict[str, Any] | None = None if evidence is None else orjson.loads(texts[evidence["bundleDigest"]])
    return bundle


class PolicyNotAnswered(LookupError):
    """An embedded engine answered when the record was made, and cannot be asked now: such a record is notReplayable."""


def _answers_again(
    gate_input: dict[str, Any], policy: Mapping[str, Any], texts: dict[str, Any]
) -> dict[str, PolicyAnswer]:
    """The present answers of embedded engines, for the gates whose recorded answer is one: an error may have been the
    machine's.

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
    gates = [{name: value for name, value in gate.items() if name not in TEXT_FIELDS} for gate in stored["gates"]]
    kept = {name: stored[name] for name in ("inputDigest", "determinismHash", "decision", "reasonCodes")}
    return {**kept, "gates": gates}
