"""Judging a stored decision again from what its record holds, and comparing (domain.md §7). Stores nothing."""

from dataclasses import dataclass
from typing import Any

import orjson

from policies.evaluator import UnknownKindVersion, evaluate
from policies.stored_documents import documents
from promotions.decision import determinism_hash
from promotions.models import Blob, DecisionRecord
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes


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
    """Re-judges ``record.input`` with the documents it names by digest. Cost: at most two statements."""
    stored = orjson.loads(bytes(record.document))
    recorded = _determined(stored)
    input_bytes = bytes(record.input)
    gate_input = orjson.loads(input_bytes)
    wanted = [stored["policyDigest"], *(policy["digest"] for policy in stored["approvalPolicies"])]
    texts = dict(documents(record.tenant_id, wanted))
    candidates = gate_input["candidates"]
    if isinstance(candidates, dict):
        blob = Blob.objects.get(pk=candidates["digest"])
        texts[blob.digest] = orjson.loads(bytes(blob.content))
    try:
        evaluation = evaluate(gate_input, texts)
    except UnknownKindVersion as error:
        return Replay(None, recorded, None, None, str(error))
    input_digest = digest_bytes(input_bytes)
    recomputed = {
        "inputDigest": input_digest,
        "determinismHash": determinism_hash(
            policy_digest=stored["policyDigest"], input_digest=input_digest, evaluation=evaluation
        ),
        **evaluation.as_determined(),
    }
    difference = first_difference(recorded, recomputed)
    return Replay(difference is None, recorded, recomputed, difference, None)


def _determined(stored: dict[str, Any]) -> dict[str, Any]:
    """The part of the record that a replay must reproduce."""
    gates = [
        {name: value for name, value in gate.items() if name not in ("message", "nextChangeAt")}
        for gate in stored["gates"]
    ]
    kept = {name: stored[name] for name in ("inputDigest", "determinismHash", "decision", "reasonCodes")}
    return {**kept, "gates": gates}


def first_difference(left: Any, right: Any, path: str = "") -> str | None:
    """Path of the first place where two JSON values differ, or None; `gates.0.status`."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            if (found := first_difference(left.get(key), right.get(key), f"{path}.{key}".lstrip("."))) is not None:
                return found
        return None
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            if (found := first_difference(one, other, f"{path}.{index}".lstrip("."))) is not None:
                return found
        return None
    return None if canonical_bytes({"v": left}) == canonical_bytes({"v": right}) else path or "."
