"""Making a stored decision record again, to compare every byte of it (domain.md §7). Pure."""

from collections.abc import Mapping
from typing import Any, Final, cast
from uuid import UUID

from policies.decision import decide
from policies.facts import GateInput
from policies.outcomes import Evaluation, GateResult
from promotions.judging.decision import build_record
from promotions.models import DecisionRecord
from promotions.verification.differences import first_difference
from stellapromote.clock import parse_rfc3339
from stellapromote.signing.canonical_json import canonical_bytes

TEXT_FIELDS: Final = ("message", "nextChangeAt")
"""Of each gate: sentences, and when time may change a verdict. They are part of no hash."""


def difference_made_again(
    record: DecisionRecord,
    stored: Mapping[str, Any],
    gate_input: dict[str, Any],
    bundle: dict[str, Any] | None,
    evaluation: Evaluation,
) -> str | None:
    """The first place where the record differs from the one that the evaluation makes, with the ids that are stored.

    ``TEXT_FIELDS`` are compared where this version made the record. Raises KeyError, TypeError, ValueError and the
    like for what is no record.
    """
    made = build_record(
        record_id=record.pk,
        promotion_id=record.promotion_id,
        sequence=record.sequence,
        previous_id=_id(stored["previousDecisionId"]),
        packet_id=_id(stored["evidence"]["packetId"]),
        gate_input=cast("GateInput", gate_input),
        bundle=bundle,
        evaluation=evaluation,
        at=parse_rfc3339(gate_input["instant"]),
    )
    if made.input != bytes(record.input):
        return "inputDigest"
    fields = made.fields
    if stored["engine"] != fields["engine"]:
        fields["engine"] = {**fields["engine"], "version": stored["engine"]["version"]}
        for gate, before in zip(fields["gates"], stored["gates"], strict=True):
            gate |= {name: before[name] for name in TEXT_FIELDS}
    if canonical_bytes(fields) == bytes(record.document):
        return None
    return first_difference(stored, fields) or "body"


def evaluation_of(stored: Mapping[str, Any]) -> Evaluation:
    """The evaluation that the gates of the record come to, as they stand in it: nothing is judged again."""
    gates = tuple(
        GateResult(
            sequence=gate["sequence"],
            type=gate["type"],
            kind_version=gate["kindVersion"],
            name=gate["name"],
            status=gate["status"],
            reason_codes=tuple(gate["reasonCodes"]),
            details=gate["details"],
            message=gate["message"],
            next_change_at=gate["nextChangeAt"],
        )
        for gate in stored["gates"]
    )
    codes = {code for gate in gates for code in gate.reason_codes}
    return Evaluation(decide(gate.status for gate in gates), tuple(sorted(codes)), gates, None, 0, 0)


def _id(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
