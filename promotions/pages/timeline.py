"""The timeline of the promotion page: each event in words, with its actor (ui.md, /promotions/{id}). Pure.

An event names the person whose act led to it. The timeline names no person for a conclusion of the gates: a promotion
that needs no approval is not "approved by" its requester (docs/adr/0145).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stellapromote.web.words import PROMOTION_STATES, label_of

_WORDS: Final[Mapping[str, str]] = {
    "promotion.requested": "Requested",
    "promotion.evaluated": "Judged again",
    "promotion.approved": "Approved",
    "promotion.rejected": "Rejected",
    "promotion.cancelled": "Cancelled",
    "promotion.started": "Deployment started",
    "promotion.completed": "Deployed",
    "promotion.failed": "Deployment failed",
    "promotion.rolled_back": "Rolled back",
    "promotion.overdue": "Overdue: the end of the deployment was not reported in time",
    "promotion.report_refused": "Report refused",
    "promotion.auto_promotion_refused": "Automatic promotion refused",
    "promotion.evidence_taken": "Newest evidence taken",
    "promotion.evidence_read_again": "Documents read again by a newer version",
    "approval.granted": "Approval given",
    "approval.denied": "Vote to reject",
    "approval.withdrawn": "Approval withdrawn",
    "approval.voided": "Votes became void",
    "gate.overridden": "Gate overridden",
    "override.reviewed": "Override reviewed",
    "evidence.packet_created": "Evidence signed",
    "evidence.mismatch_found": "Verification found a mismatch",
    "evidence.mismatch_gone": "Mismatch gone",
}
_OF_A_GATE: Final[Mapping[str, str]] = {
    "approval.granted": "Gate confirmed",
    "approval.withdrawn": "Confirmation taken back",
}
_CONCLUDED: Final = frozenset(
    {"promotion.approved", "promotion.rejected", "promotion.overdue", "approval.voided", "evidence.packet_created"}
)
_CANCELLED_BY_RULE: Final = frozenset({"expired", "superseded"})


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line. ``by`` is empty for a conclusion of the rules; ``text`` was written by a person or a rule; ``run`` is
    the one that a report named, or empty."""

    at: str
    words: str
    by: str
    text: str
    run: str


def timeline_entries(events: Iterable[Mapping[str, Any]]) -> list[TimelineEntry]:
    """The events of GET /promotions/{id} as the page shows them, in their order."""
    return [_line(event, event["after"] or {}, event["metadata"]) for event in events]


def _line(event: Mapping[str, Any], after: Mapping[str, Any], metadata: Mapping[str, Any]) -> TimelineEntry:
    action, gate = event["action"], metadata.get("gate")
    words = (_OF_A_GATE.get(action) if gate else None) or _WORDS.get(action, action)
    return TimelineEntry(
        at=event["at"],
        words=f"{words}: {gate}" if gate else words,
        by="" if action in _CONCLUDED or after.get("statusReason") in _CANCELLED_BY_RULE else event["actorName"],
        text=_text(action, after),
        run=metadata.get("runId") or "",
    )


def _text(action: str, after: Mapping[str, Any]) -> str:
    if action == "promotion.approved":
        if "APPROVAL_NOT_REQUIRED" in after.get("reasonCodes", ()):
            return "No gate blocks it, and it needs no approval."
        return "No gate blocks it."
    if action == "promotion.evaluated":
        return f"Now: {label_of(PROMOTION_STATES, after['status']).word}"
    return after.get("reason") or after.get("comment") or after.get("message") or ""
