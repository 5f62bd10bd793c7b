"""The way of a promotion as a row of steps: where it is, and where it ended (ui.md, /promotions/{id}). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from stellapromote.web.words import PROMOTION_STATES, StateLabel

_WAY: tuple[tuple[str, str], ...] = (
    ("requested", "Requested"),
    ("gates", "Gates"),
    ("approvals", "Approvals"),
    ("approved", "Approved"),
    ("deploying", "Deploying"),
    ("deployed", "Deployed"),
)

# State -> how many steps of the way are behind it. A state whose own step is not on the way ends the track there.
_BEHIND = {
    "pending": 1,
    "awaiting_approval": 2,
    "approved": 3,
    "deploying": 4,
    "deployed": 5,
    "cancelled": 1,
    "rejected": 2,
    "failed": 5,
    "rolled_back": 5,
}
_ENDS = frozenset({"cancelled", "rejected", "failed", "rolled_back"})


@dataclass(frozen=True, slots=True)
class Step:
    word: str
    place: Literal["done", "current", "todo"]
    shown: StateLabel | None
    at: datetime | str | None


def track(status: str, times: Mapping[str, datetime | str | None] | None = None, *, voted: bool = False) -> list[Step]:
    """The steps for a state of domain.md §4. An unknown state shows the request and its own word.

    `times` may give an instant per step: requested, gates, approvals, approved, deploying, deployed, and `end` for the
    state that ended it. `voted`: the approvals are complete, though another gate still waits or waits again.
    """
    times = times or {}
    behind = _BEHIND.get(status, 1)
    steps = [Step(word, "done", None, times.get(name)) for name, word in _WAY[:behind]]
    current = PROMOTION_STATES.get(status)
    name, word = _WAY[behind]
    if status in _ENDS or current is None:
        steps.append(Step(current.word if current else status, "current", current, times.get("end")))
        return steps
    steps.append(Step(word, "current", current, times.get(name)))
    steps += [
        Step(word, "done" if voted and name == "approvals" else "todo", None, None) for name, word in _WAY[behind + 1 :]
    ]
    return steps
