"""Compares the ends of votes and confirmations with the audit log: a withdrawn vote does not count, and every other
does (domain.md §5)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from promotions.verification.audited import AuditedEvent
from promotions.verification.mismatch import Mismatch, MismatchKind
from promotions.verification.stored_promotions import StoredPromotion
from stellapromote.clock import rfc3339

_ENDS: Final = {"withdrawn": "approval.withdrawn", "void": "approval.voided", "replaced": "approval.denied"}

Act = Mapping[str, Any]


def check_ends(stored_promotion: StoredPromotion) -> Iterator[Mismatch]:
    """One finding for each act that ended otherwise, and for each event that ended none."""
    acts = stored_promotion.rows.acts
    ending = stored_promotion.events_named(*_ENDS.values())
    for key, act in acts.items():
        if act["ended_at"] is None:
            continue
        if act.get("verdict") == "reject":
            yield Mismatch(
                MismatchKind.ACT_CHANGED, f"{' '.join(key)}, endedAt", "A reject is not taken back, and it ended."
            )
        elif not any(_ended_by(act, event) for event in ending):
            message = f"No event of the audit log tells that it ended as {act['ended_as']} then."
            yield Mismatch(MismatchKind.ACT_CHANGED, f"{' '.join(key)}, endedAt", message)
    for event in stored_promotion.events_named("approval.withdrawn", "approval.voided"):
        ended = [act for act in acts.values() if act["ended_at"] is not None and _ended_by(act, event)]
        for person in sorted(_whose(event) - {str(act["voter_id"]) for act in ended}):
            message = f"The audit log tells that an act of {person} ended then, and none of theirs did."
            yield Mismatch(MismatchKind.ACT_CHANGED, f"{event.action} at {rfc3339(event.at)}", message)


def _ended_by(act: Act, event: AuditedEvent) -> bool:
    return (
        event.action == _ENDS.get(act["ended_as"])
        and rfc3339(event.at) == rfc3339(act["ended_at"])
        and str(act["voter_id"]) in _whose(event)
        and (event.action != "approval.withdrawn" or event.metadata.get("gate") == act.get("gate"))
        and act["ended_reason"] in _reasons(event)
    )


def _reasons(event: AuditedEvent) -> list[str]:
    """The possible reasons of the end: a vote that became void has one."""
    if event.action != "approval.voided":
        return [""]
    reasons: list[str] = event.metadata.get("reasons", ["SUBJECT_CHANGED"])
    return reasons


def _whose(event: AuditedEvent) -> set[str]:
    """The people whose acts the event ended."""
    return set(event.metadata["voters"]) if event.action == "approval.voided" else {str(event.actor_id)}
