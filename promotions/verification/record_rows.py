"""Compares a decision record with the rows around it: its columns, its neighbours, its packet, the acts it names.

Replaying compares a record with the result of its own input; here it is compared with everything stored beside it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from promotions.judging.act_facts import CONFIRMATION, OVERRIDE, VOTE
from promotions.models import Confirmation, DecisionRecord, EvidencePacket, Override, Vote
from promotions.verification.differences import first_difference
from stellapromote.clock import rfc3339


@dataclass(slots=True)
class Rows:
    """Of one promotion: ids of its records by sequence, ids of the packets that sealed a decision by its record, and
    votes, confirmations and overrides by id, as they stand in a gate input."""

    records: dict[int, str] = field(default_factory=dict)
    packets: dict[str, list[str]] = field(default_factory=dict)
    votes: dict[str, Any] = field(default_factory=dict)
    confirmations: dict[str, Any] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    live: dict[str, Any] = field(default_factory=dict)
    """From when to when each vote or confirmation counted, by id; to None: it counts still."""
    acts: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """The columns of each vote and confirmation, by what it is and its id."""


def rows_of(promotions: Collection[UUID]) -> dict[UUID, Rows]:
    """The rows of each of these promotions. Five statements for all of them."""
    found = {promotion: Rows() for promotion in promotions}
    records = DecisionRecord.objects.filter(promotion__in=promotions)
    for record, promotion, sequence in records.values_list("id", "promotion_id", "sequence"):
        found[promotion].records[sequence] = str(record)
    sealing = EvidencePacket.objects.filter(promotion__in=promotions, type=EvidencePacket.Type.RELEASE_DECISION)
    for packet, promotion, decision in sealing.values_list("id", "promotion_id", "decision_id"):
        found[promotion].packets.setdefault(str(decision), []).append(str(packet))
    row: Any
    for row in Vote.objects.filter(promotion__in=promotions).values():
        rows = found[row["promotion_id"]]
        rows.votes[str(row["id"])] = VOTE.of(row)
        rows.acts["vote", str(row["id"])] = row
        rows.live[str(row["id"])] = (row["at"], row["ended_at"])
    for row in Confirmation.objects.filter(promotion__in=promotions).values():
        rows = found[row["promotion_id"]]
        rows.confirmations[str(row["id"])] = CONFIRMATION.of(row)
        rows.acts["confirmation", str(row["id"])] = row
        rows.live[str(row["id"])] = (row["at"], row["ended_at"])
    for override in Override.objects.filter(promotion__in=promotions).defer("envelope"):
        found[override.promotion_id].overrides[str(override.pk)] = OVERRIDE.of(override.__dict__)
    return found


def difference_in_rows(
    record: DecisionRecord, stored: Mapping[str, Any], gate_input: Mapping[str, Any], rows: Rows
) -> str | None:
    """The first place of the record ``stored`` where the rows say something else, or None."""
    packets = rows.packets.get(str(record.pk), [])
    beside = {
        "id": str(record.pk),
        "promotionId": str(record.promotion_id),
        "sequence": record.sequence,
        "decision": record.decision,
        "reasonCodes": list(record.reason_codes),
        "evaluatedAtUtc": rfc3339(record.evaluated_at),
        "subjectDigest": record.subject_digest,
        "determinismHash": record.determinism_hash,
        "previousDecisionId": rows.records.get(record.sequence - 1),
        "evidence": {**stored["evidence"], "packetId": packets[0] if packets else None},
    }
    if len(packets) > 1:
        return "evidence.packetId"
    if record.sequence > 1 and beside["previousDecisionId"] is None:
        return "previousDecisionId"
    difference = first_difference({name: stored.get(name) for name in beside}, beside)
    if difference is not None or gate_input.get("evidenceMismatch"):
        # It was judged while its rows were known to be changed, and decided nothing: they may be right again since.
        return difference
    return (
        _acts_differ("approvals", stored["approvals"], rows.votes)
        or _acts_differ("confirmations", gate_input["confirmations"], rows.confirmations)
        or _acts_differ("overrides", gate_input.get("overrides", []), rows.overrides)
        or _act_left_out(record, gate_input, rows)
    )


def _acts_differ(place: str, acts: list[dict[str, Any]], rows: Mapping[str, dict[str, Any]]) -> str | None:
    """Each act as it stands in its row. A row may have fields that records of its time did not hold."""
    beside = [{name: rows.get(act["id"], {}).get(name) for name in act} for act in acts]
    return first_difference({place: acts}, {place: beside})


def _act_left_out(record: DecisionRecord, gate_input: Mapping[str, Any], rows: Rows) -> str | None:
    """An act that counted at the instant stands in the record. What was given or ended at the instant may or may not:
    the record was judged before or after it."""
    for place, name in (("approvals", "votes"), ("confirmations", "confirmations")):
        told = {act["id"] for act in gate_input[name]}
        for act in getattr(rows, name):
            begin, end = rows.live[act]
            if act not in told and begin < record.evaluated_at and (end is None or end > record.evaluated_at):
                return place
    return None
