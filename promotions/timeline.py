"""The timeline of the promotion page: what happened, in words, and who did it (ui.md, /promotions/{id}). Pure.

An event holds whose act led to it. What the gates conclude from that act is nobody's own: a promotion that nobody has
to approve is not "approved by" who requested it (docs/adr/0145).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from stellapromote.web.words import PROMOTION_STATES, shown

_WORDS: Final[Mapping[str, Promise | str]] = {
    "promotion.requested": gettext_lazy("Requested"),
    "promotion.evaluated": gettext_lazy("Judged again"),
    "promotion.approved": gettext_lazy("Approved"),
    "promotion.rejected": gettext_lazy("Rejected"),
    "promotion.cancelled": gettext_lazy("Cancelled"),
    "promotion.started": gettext_lazy("Deployment started"),
    "promotion.completed": gettext_lazy("Deployed"),
    "promotion.failed": gettext_lazy("Deployment failed"),
    "promotion.rolled_back": gettext_lazy("Rolled back"),
    "promotion.overdue": gettext_lazy("Overdue: the end of the deployment was not reported in time"),
    "promotion.report_refused": gettext_lazy("Report refused"),
    "promotion.auto_promotion_refused": gettext_lazy("Automatic promotion refused"),
    "promotion.evidence_taken": gettext_lazy("Newest evidence taken"),
    "promotion.evidence_read_again": gettext_lazy("Documents read again by a newer version"),
    "approval.granted": gettext_lazy("Approval given"),
    "approval.denied": gettext_lazy("Vote to reject"),
    "approval.withdrawn": gettext_lazy("Approval withdrawn"),
    "approval.voided": gettext_lazy("Votes became void"),
    "gate.overridden": gettext_lazy("Gate overridden"),
    "override.reviewed": gettext_lazy("Override reviewed"),
    "evidence.packet_created": gettext_lazy("Evidence signed"),
}
_OF_A_GATE: Final[Mapping[str, Promise | str]] = {
    "approval.granted": gettext_lazy("Gate confirmed"),
    "approval.withdrawn": gettext_lazy("Confirmation taken back"),
}
_CONCLUDED: Final = frozenset(
    {"promotion.approved", "promotion.rejected", "promotion.overdue", "approval.voided", "evidence.packet_created"}
)
_CANCELLED_BY_RULE: Final = frozenset({"expired", "superseded"})


@dataclass(frozen=True, slots=True)
class Happened:
    """One line. ``by`` is empty for what the rules concluded; ``said`` is text that people or rules wrote."""

    at: str
    words: str
    by: str
    said: str


def happened(events: Iterable[Mapping[str, Any]]) -> list[Happened]:
    """The events of GET /promotions/{id} as the page shows them, in their order."""
    return [_line(event, event["after"] or {}, event["metadata"]) for event in events]


def _line(event: Mapping[str, Any], after: Mapping[str, Any], metadata: Mapping[str, Any]) -> Happened:
    action, gate = event["action"], metadata.get("gate")
    words = (_OF_A_GATE.get(action) if gate else None) or _WORDS.get(action, action)
    return Happened(
        at=event["at"],
        words=f"{words}: {gate}" if gate else str(words),
        by="" if action in _CONCLUDED or after.get("statusReason") in _CANCELLED_BY_RULE else event["actorName"],
        said=_said(action, after),
    )


def _said(action: str, after: Mapping[str, Any]) -> str:
    if action == "promotion.approved":
        if "APPROVAL_NOT_REQUIRED" in after.get("reasonCodes", ()):
            return _("No gate stands against it, and nobody has to approve.")
        return _("No gate stands against it.")
    if action == "promotion.evaluated":
        return _("Now: %(state)s") % {"state": shown(PROMOTION_STATES, after["status"]).word}
    return after.get("reason") or after.get("comment") or after.get("message") or ""
