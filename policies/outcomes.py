"""The results of judging: one verdict for each gate, and the evaluation of all of them (domain.md §6, §7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

Status = Literal["pass", "warn", "pending", "fail"]
Decision = Literal["allow", "deny", "pending"]
OnError = Literal["pending", "fail"]

STATUSES: frozenset[str] = frozenset(get_args(Status))
OF_PEOPLE: Final = frozenset({"approval", "manual"})
"""Kinds of gates that votes and confirmations open."""


def blocks(status: str) -> bool:
    """Whether a gate of this status keeps the release out, for now or for good."""
    return status in ("pending", "fail")


def waits_for_people_only(decision: str, gates: Iterable[tuple[str, str]]) -> bool:
    """Whether only approval or manual gates are still pending: the condition of awaiting_approval (domain.md §4).

    ``gates``: type and status of each.
    """
    return decision == "pending" and all(kind in OF_PEOPLE for kind, status in gates if status == "pending")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's verdict about its gate. `details` is data without sentences; `message` is one sentence made from it.

    The first of `codes` is the one that `message` is about. `next_change_at`: when time alone may change this verdict,
    as RFC 3339 text, or None when only people or other events can. Neither it nor the message is part of determinism
    (domain.md §7).
    """

    status: Status
    codes: tuple[str, ...]
    details: dict[str, Any]
    message: str
    next_change_at: str | None = None


@dataclass(frozen=True, slots=True)
class GateResult:
    """One judged gate, in its place in the order. `reason_codes` are sorted and unique; `leading_code` is the one of
    them that `message` speaks of, and is not recorded."""

    sequence: int
    type: str
    kind_version: int
    name: str
    status: Status
    reason_codes: tuple[str, ...]
    details: dict[str, Any]
    message: str
    next_change_at: str | None
    leading_code: str | None = None

    @property
    def blocks(self) -> bool:
        return blocks(self.status)

    def as_json(self) -> dict[str, Any]:
        """The result in wire names, as pages, API and record show it."""
        return {
            **self.as_determined(),
            "message": self.message,
            "nextChangeAt": self.next_change_at,
        }

    def as_determined(self) -> dict[str, Any]:
        """The part that determinismHash covers (domain.md §7): never message or nextChangeAt."""
        return {
            "sequence": self.sequence,
            "type": self.type,
            "kindVersion": self.kind_version,
            "name": self.name,
            "status": self.status,
            "reasonCodes": list(self.reason_codes),
            "details": self.details,
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All gates of one promotion at one instant, and the decision they make.

    `required` is the smallest number of people that satisfies every requirement, `given` the live votes that count
    (domain.md §5). `reason_codes` is the sorted union over the gates.
    """

    decision: Decision
    reason_codes: tuple[str, ...]
    gates: tuple[GateResult, ...]
    next_change_at: str | None
    required: int
    given: int

    @property
    def waits_for_people_only(self) -> bool:
        return waits_for_people_only(self.decision, ((gate.type, gate.status) for gate in self.gates))

    @property
    def waits_for_time_only(self) -> bool:
        """Only time gates are still pending: an approval is not running meanwhile (domain.md §4)."""
        return self.decision == "pending" and all(
            gate.type in ("freeze-window", "schedule") for gate in self.gates if gate.status == "pending"
        )

    def as_json(self) -> dict[str, Any]:
        """The evaluation in wire names."""
        return {
            "decision": self.decision,
            "reasonCodes": list(self.reason_codes),
            "gates": [gate.as_json() for gate in self.gates],
            "nextChangeAt": self.next_change_at,
            "approvals": {"required": self.required, "given": self.given},
        }

    def as_determined(self) -> dict[str, Any]:
        """The part that determinismHash covers, without the digests that the record adds (domain.md §7)."""
        return {
            "decision": self.decision,
            "reasonCodes": list(self.reason_codes),
            "gates": [gate.as_determined() for gate in self.gates],
        }
