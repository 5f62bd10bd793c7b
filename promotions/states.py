"""The life of a promotion as data (domain.md §4). The documented diagram is generated from this table."""

import sys
from dataclasses import dataclass
from enum import StrEnum

from stellapromote.audit.events import OfPromotion


class Status(StrEnum):
    PENDING = "pending"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    REJECTED = "rejected"
    DEPLOYING = "deploying"
    DEPLOYED = "deployed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled_back"


VOTING = frozenset({Status.PENDING, Status.AWAITING_APPROVAL})
OPEN = VOTING | {Status.APPROVED}
ACTIVE = OPEN | {Status.DEPLOYING}
REJECTABLE = OPEN | {Status.FAILED}
FINAL = frozenset({Status.REJECTED, Status.CANCELLED, Status.ROLLED_BACK})


@dataclass(frozen=True, slots=True)
class Transition:
    """One allowed change of state: ``source`` is None for creation; ``event`` is the audit and outbox name."""

    source: Status | None
    target: Status
    who: str
    when: str
    event: OfPromotion


_P, _W, _A = Status.PENDING, Status.AWAITING_APPROVAL, Status.APPROVED

TRANSITIONS: tuple[Transition, ...] = (
    Transition(None, _P, "requester", "requested; other gates are pending", "promotion.requested"),
    Transition(None, _W, "requester", "requested; only people are missing", "promotion.requested"),
    Transition(None, _A, "requester", "requested; every gate passes or warns", "promotion.requested"),
    Transition(None, Status.REJECTED, "requester", "requested; a gate fails", "promotion.requested"),
    Transition(_P, _W, "system", "only approval or manual gates are still pending", "promotion.evaluated"),
    Transition(_W, _P, "system", "other gates are pending again", "promotion.evaluated"),
    Transition(_A, _P, "system", "a re-evaluation finds gates pending again", "promotion.evaluated"),
    Transition(_A, _W, "system", "a re-evaluation finds only people missing", "promotion.evaluated"),
    Transition(_P, _A, "system", "every gate passes or warns", "promotion.approved"),
    Transition(_W, _A, "system", "every gate passes or warns", "promotion.approved"),
    Transition(_P, Status.REJECTED, "system", "a gate fails or a person rejects", "promotion.rejected"),
    Transition(_W, Status.REJECTED, "system", "a gate fails or a person rejects", "promotion.rejected"),
    Transition(_A, Status.REJECTED, "system", "a gate fails or a person rejects", "promotion.rejected"),
    Transition(_P, Status.CANCELLED, "person or system", "cancelled, expired or superseded", "promotion.cancelled"),
    Transition(_W, Status.CANCELLED, "person or system", "cancelled, expired or superseded", "promotion.cancelled"),
    Transition(_A, Status.CANCELLED, "person or system", "cancelled, expired or superseded", "promotion.cancelled"),
    Transition(_A, Status.DEPLOYING, "operator", "started; the start check passes", "promotion.started"),
    Transition(Status.DEPLOYING, Status.DEPLOYED, "operator", "reported succeeded", "promotion.completed"),
    Transition(Status.DEPLOYING, Status.FAILED, "operator", "reported failed", "promotion.failed"),
    Transition(
        Status.FAILED, Status.FAILED, "person", "a person rejects; no further attempt (retryClosed)", "approval.denied"
    ),
    Transition(
        Status.FAILED, Status.DEPLOYING, "operator", "one more attempt passes the start check", "promotion.started"
    ),
    Transition(Status.DEPLOYED, Status.ROLLED_BACK, "operator", "reported rolled back", "promotion.rolled_back"),
    Transition(Status.FAILED, Status.ROLLED_BACK, "operator", "reported rolled back", "promotion.rolled_back"),
)

_BY_EDGE = {(t.source, t.target): t for t in TRANSITIONS}


class ImpossibleTransition(Exception):
    """A programming error: code tried a change of state that the table does not have."""


def transition(source: Status | None, target: Status) -> Transition:
    """The table's row for this change; raises ImpossibleTransition when there is none."""
    try:
        return _BY_EDGE[(source, target)]
    except KeyError:
        raise ImpossibleTransition(f"{source} -> {target}") from None


def status_for(decision: str, *, waits_for_people_only: bool) -> Status:
    """The state that a decision leads to: an open one or rejected."""
    if decision == "deny":
        return Status.REJECTED
    if decision == "allow":
        return Status.APPROVED
    return Status.AWAITING_APPROVAL if waits_for_people_only else Status.PENDING


def in_words(status: str) -> str:
    """The state of a promotion after its name in a sentence: `is awaiting approval`, `has failed`."""
    return "has failed" if status == Status.FAILED else f"is {status.replace('_', ' ')}"


def mermaid() -> str:
    """The state diagram for the documentation."""
    lines = ["stateDiagram-v2"]
    lines += [f"    {t.source or '[*]'} --> {t.target}: {t.when}" for t in TRANSITIONS]
    lines += [f"    {status} --> [*]" for status in sorted(FINAL)]
    return "\n".join(lines)


def document() -> str:
    """The text of docs/states.md."""
    rows = "".join(f"| {t.source or '-'} | {t.target} | {t.who} | {t.when} | `{t.event}` |\n" for t in TRANSITIONS)
    return (
        "# The life of a promotion\n\n"
        "Written by `python -m promotions.states > docs/states.md` from the table in `promotions/states.py`; "
        "a test compares the two.\n\n"
        f"```mermaid\n{mermaid()}\n```\n\n"
        f"| from | to | who | when | event |\n|---|---|---|---|---|\n{rows}\n"
        "An answer that is given again for the same `Idempotency-Key` says the state of then: "
        "before you deploy on one, ask for the promotion ([ci.md](ci.md#deploying-an-answer-that-is-given-again)).\n"
    )


if __name__ == "__main__":
    sys.stdout.write(document())
