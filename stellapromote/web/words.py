"""How wire names are shown: the word, the tone and the shape of each state and verdict (ui.md, Look).

Wire names are contracts (domain.md §4 and §6). A name this table does not know is shown as it is, at rest: a page must
not fail because a newer worker wrote a newer word.
"""

from dataclasses import dataclass
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Tone = Literal["go", "care", "stop", "motion", "rest", "info"]


@dataclass(frozen=True, slots=True)
class Shown:
    word: Promise | str
    tone: Tone
    icon: str


PROMOTION_STATES: dict[str, Shown] = {
    "pending": Shown(_("Pending"), "motion", "clock"),
    "awaiting_approval": Shown(_("Awaiting approval"), "care", "person"),
    "approved": Shown(_("Approved"), "go", "check-circle"),
    "rejected": Shown(_("Rejected"), "stop", "octagon-cross"),
    "deploying": Shown(_("Deploying"), "motion", "arrow-circle"),
    "deployed": Shown(_("Deployed"), "go", "check-disc"),
    "failed": Shown(_("Failed"), "stop", "triangle"),
    "cancelled": Shown(_("Cancelled"), "rest", "dash-circle"),
    "rolled_back": Shown(_("Rolled back"), "rest", "turn-back"),
}

GATE_VERDICTS: dict[str, Shown] = {
    "pass": Shown(_("Pass"), "go", "check"),
    "warn": Shown(_("Warn"), "care", "triangle"),
    "pending": Shown(_("Pending"), "motion", "clock"),
    "fail": Shown(_("Fail"), "stop", "octagon-cross"),
}

DECISIONS: dict[str, Shown] = {
    "allow": Shown(_("Allow"), "go", "check"),
    "pending": Shown(_("Pending"), "motion", "clock"),
    "deny": Shown(_("Deny"), "stop", "octagon-cross"),
}

CHANGE_TYPES: dict[str, Shown] = {
    "standard": Shown(_("Standard change"), "rest", "check"),
    "normal": Shown(_("Normal change"), "rest", "check"),
    "emergency": Shown(_("Emergency change"), "stop", "triangle"),
}

TONE_ICONS: dict[str, str] = {
    "go": "check-circle",
    "care": "triangle",
    "stop": "octagon-cross",
    "motion": "clock",
    "rest": "dash-circle",
    "info": "info",
}


def shown(table: dict[str, Shown], name: str) -> Shown:
    """The word, tone and shape for a wire name; an unknown name is its own word, at rest."""
    return table.get(name) or Shown(name.replace("_", " "), "rest", "dash-circle")
