"""How wire names are shown: the word, the tone and the shape of each state and verdict (ui.md, Look).

Wire names are contracts (domain.md §4 and §6). A name this table does not know is shown as it is, at rest: a page must
not fail because a newer worker wrote a newer word.
"""

from dataclasses import dataclass
from typing import Literal

Tone = Literal["go", "care", "stop", "motion", "rest", "info"]


@dataclass(frozen=True, slots=True)
class Shown:
    word: str
    tone: Tone
    icon: str


PROMOTION_STATES: dict[str, Shown] = {
    "pending": Shown("Pending", "motion", "clock"),
    "awaiting_approval": Shown("Awaiting approval", "care", "person"),
    "approved": Shown("Approved", "go", "check-circle"),
    "rejected": Shown("Rejected", "stop", "octagon-cross"),
    "deploying": Shown("Deploying", "motion", "arrow-circle"),
    "deployed": Shown("Deployed", "go", "check-disc"),
    "failed": Shown("Failed", "stop", "triangle"),
    "cancelled": Shown("Cancelled", "rest", "dash-circle"),
    "rolled_back": Shown("Rolled back", "rest", "turn-back"),
}

#: Not a verdict on the wire: `pending` with the code OVERRIDE_POSSIBLE, which fails when nobody overrides it.
OVERRIDABLE = "overridable"

GATE_VERDICTS: dict[str, Shown] = {
    "pass": Shown("Pass", "go", "check"),
    "warn": Shown("Warn", "care", "triangle"),
    "pending": Shown("Pending", "motion", "clock"),
    "fail": Shown("Fail", "stop", "octagon-cross"),
    OVERRIDABLE: Shown("Fails, overridable", "stop", "triangle"),
}

DECISIONS: dict[str, Shown] = {
    "allow": Shown("Allow", "go", "check"),
    "pending": Shown("Pending", "motion", "clock"),
    "deny": Shown("Deny", "stop", "octagon-cross"),
}

CHANGE_TYPES: dict[str, Shown] = {
    "standard": Shown("Standard change", "rest", "check"),
    "normal": Shown("Normal change", "rest", "check"),
    "emergency": Shown("Emergency change", "stop", "triangle"),
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
