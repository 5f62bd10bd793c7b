"""freeze-window: nothing enters an environment while a freeze is active for it (domain.md §2, §6)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.context import Context
from policies.facts import GateInput
from policies.gates.sources import NOTHING
from policies.gates.wording import Config, Fact, Stored, Wording, fact
from policies.outcomes import Verdict
from policies.windows import freeze_state, in_words

KIND: Final = "freeze-window"
KIND_VERSION: Final = 1
RANK: Final = 10
SUMMARY: Final = "No freeze is active for the target, its own or one of the whole tenant."

CONFIG_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "onFreeze": {
            "type": "string",
            "enum": ["pending", "fail"],
            "default": "pending",
            "description": "pending: the promotion waits until the freeze ends. fail: it is rejected.",
        }
    },
}


GUARDS: Final = frozenset({"onFreeze"})
NO_GUARDS: Final[dict[str, str]] = {}
"""Paths of all settings: those that stand against a promotion, and why the others do not (domain.md §5)."""


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:  # noqa: ARG001
    """Pending, or fail by onFreeze, while any window is active. A passing verdict also has the next freeze."""
    freezes = facts["freezes"]
    state = freeze_state(freezes, facts["instant"])
    shown = None if state.window is None else freezes[state.window]
    details = {
        "frozen": state.frozen,
        "reason": shown and shown["reason"],
        "windowId": shown and shown["id"],
        "nextOpen": state.next_open,
        "nextClose": state.next_close,
        "windows": [dict(freezes[index]) for index in state.active],
    }
    if shown is None or state.next_open is None:
        return Verdict("pass", (), details, f"{facts['target']['name']} is not frozen.", state.next_close)
    why = f"({shown['reason']}, by {shown['createdByName']})"
    if config["onFreeze"] == "fail":
        message = f"{facts['target']['name']} is frozen until {in_words(state.next_open)} {why}: request again then."
        return Verdict("fail", ("GATE_FROZEN",), details, message)
    message = f"Frozen until {in_words(state.next_open)} {why}. It continues by itself then."
    return Verdict("pending", ("GATE_FROZEN",), details, message, state.next_open)


def _sentence(config: Config) -> str:
    if config["onFreeze"] == "fail":
        return "No freeze is active; during one, promotions are rejected."
    return "No freeze is active; during one, promotions wait."


def _weaker(name: str, before: Config, after: Config) -> list[str]:
    if before["onFreeze"] == "fail" and after["onFreeze"] != "fail":
        return [f"Gate {name} waits for the end of a freeze instead of rejecting."]
    return []


def _facts(gate: Stored, _gate_input: Stored, _bundle: Stored | None) -> Iterator[Fact]:
    """The freezes in force at the last evaluation. A later one is no fact of this verdict: it is when the verdict
    ends."""
    for window in gate["details"].get("windows", ()):
        yield fact("freeze", f"{window['name']}: {window['reason']}", id_=window["id"])


SOURCES: Final = NOTHING

WORDING: Final = Wording(
    sentence=_sentence,
    weaker=_weaker,
    facts_shown=_facts,
    event="People who may edit environments can lift the freeze.",
    tells_votes=False,
    ends="A freeze begins.",
)
