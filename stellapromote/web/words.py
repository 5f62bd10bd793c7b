"""Wire names on pages: the word, the tone and the shape of each state and verdict (ui.md, Look).

Wire names are contracts (domain.md §4 and §6). A name this table does not know is shown as it is, at rest: a page must
not fail because a newer worker wrote a newer word.
"""

from dataclasses import dataclass
from typing import Literal

Tone = Literal["go", "care", "stop", "motion", "rest", "info"]


@dataclass(frozen=True, slots=True)
class StateLabel:
    word: str
    tone: Tone
    icon: str


PROMOTION_STATES: dict[str, StateLabel] = {
    "pending": StateLabel("Pending", "motion", "clock"),
    "awaiting_approval": StateLabel("Awaiting approval", "care", "person"),
    "approved": StateLabel("Approved", "go", "check-circle"),
    "rejected": StateLabel("Rejected", "stop", "octagon-cross"),
    "deploying": StateLabel("Deploying", "motion", "arrow-circle"),
    "deployed": StateLabel("Deployed", "go", "check-disc"),
    "failed": StateLabel("Failed", "stop", "triangle"),
    "cancelled": StateLabel("Cancelled", "rest", "dash-circle"),
    "rolled_back": StateLabel("Rolled back", "rest", "turn-back"),
}

#: Not a verdict on the wire: `pending` with the code OVERRIDE_POSSIBLE, which fails without an override.
OVERRIDABLE = "overridable"

GATE_VERDICTS: dict[str, StateLabel] = {
    "pass": StateLabel("Pass", "go", "check"),
    "warn": StateLabel("Warn", "care", "triangle"),
    "pending": StateLabel("Pending", "motion", "clock"),
    "fail": StateLabel("Fail", "stop", "octagon-cross"),
    OVERRIDABLE: StateLabel("Fails, overridable", "stop", "triangle"),
}

DECISIONS: dict[str, StateLabel] = {
    "allow": StateLabel("Allow", "go", "check"),
    "pending": StateLabel("Pending", "motion", "clock"),
    "deny": StateLabel("Deny", "stop", "octagon-cross"),
}

CHANGE_TYPES: dict[str, StateLabel] = {
    "standard": StateLabel("Standard change", "rest", "check"),
    "normal": StateLabel("Normal change", "rest", "check"),
    "emergency": StateLabel("Emergency change", "stop", "triangle"),
}

TONE_ICONS: dict[str, str] = {
    "go": "check-circle",
    "care": "triangle",
    "stop": "octagon-cross",
    "motion": "clock",
    "rest": "dash-circle",
    "info": "info",
}


def label_of(table: dict[str, StateLabel], name: str) -> StateLabel:
    """The word, tone and shape for a wire name; an unknown name is its own word, at rest."""
    return table.get(name) or StateLabel(name.replace("_", " "), "rest", "dash-circle")
