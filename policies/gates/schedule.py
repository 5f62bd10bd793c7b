"""schedule: promotions enter only inside the allowed windows (domain.md §6)."""

from collections.abc import Mapping
from typing import Any, Final

from policies.context import Context
from policies.facts import GateInput
from policies.gates.sources import NOTHING
from policies.gates.wording import Config, Wording, policy_shown
from policies.outcomes import Verdict
from policies.windows import BadTime, in_words, instant_of, interval, locate_instant, zone
from stellapromote.counted import counted
from stellapromote.errors import FieldError
from stellapromote.json_schema import below
from stellapromote.signing.canonical_json import canonical_bytes

KIND: Final = "schedule"
KIND_VERSION: Final = 1
RANK: Final = 20
SUMMARY: Final = "The instant lies inside one of the allowed windows."

_WALL_CLOCK = (
    "With Z or an offset an instant; without, the time on the wall in the window's zone, e.g. 2026-11-23T08:00:00."
)
_ZONE: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 64, "description": "IANA time zone."}

CONFIG_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["windows"],
    "properties": {
        "windows": {
            "type": "array",
            "minItems": 1,
            "maxItems": 366,
            "items": {
                "type": "object",
                "required": ["start", "end"],
                "properties": {
                    "start": {"type": "string", "maxLength": 35, "description": _WALL_CLOCK},
                    "end": {"type": "string", "maxLength": 35, "description": _WALL_CLOCK},
                    "timezone": _ZONE,
                },
                "x-unsupported": ["recurrence", "exdates"],
            },
        },
        "timezone": {**_ZONE, "default": "UTC"},
        "outside": {
            "type": "string",
            "enum": ["pending", "fail"],
            "default": "pending",
            "description": "pending: the promotion waits for the next window. fail: it is rejected.",
        },
    },
}


GUARDS: Final = frozenset({"windows", "windows.start", "windows.end", "windows.timezone", "timezone", "outside"})
NO_GUARDS: Final[dict[str, str]] = {}
"""Paths of all settings: those that stand against a promotion, and why the others do not (domain.md §5)."""


def check_config(config: Mapping[str, Any], field: str) -> list[FieldError]:
    """The checks beyond the schema: zones that exist, times that can be read, ends after starts."""
    errors = []
    try:
        zone(config["timezone"])
    except BadTime as error:
        return [FieldError(below(field, "timezone"), str(error), "invalid")]
    for index, window in enumerate(config["windows"]):
        path = below(field, f"windows[{index}]")
        where = window.get("timezone") or config["timezone"]
        problems = []
        for part in ("timezone", "start", "end"):
            try:
                if part == "timezone":
                    zone(where)
                else:
                    instant_of(window[part], where, "start" if part == "start" else "end")
            except BadTime as error:
                problems.append(FieldError(below(path, part), str(error), "invalid"))
                break
        if not problems:
            try:
                interval(window, config["timezone"])
            except BadTime as error:
                problems.append(FieldError(below(path, "end"), str(error), "invalid"))
        errors.extend(problems)
    return errors


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:
    """Passes inside any window. The windows are those of the gate input, expanded when the facts were gathered."""
    spans = facts["schedules"].get(context.name)
    if spans is None:
        return Verdict(
            context.on_error,
            ("GATE_FACTS_MISSING",),
            {"missing": "schedules"},
            "The allowed times of this gate were not gathered: evaluate again.",
        )
    found = locate_instant(spans, facts["instant"])
    details = {"inside": bool(found.inside), "opensAt": found.enters_at, "closesAt": found.leaves_at}
    if found.leaves_at is not None:
        message = f"Inside the allowed time, which ends {in_words(found.leaves_at)}."
        return Verdict("pass", (), details, message, found.leaves_at)
    if found.enters_at is None:
        message = "All allowed times are over: a policy admin must add new ones, then request again."
        return Verdict(config["outside"], ("OUTSIDE_SCHEDULE", "SCHEDULE_ENDED"), details, message)
    opens = in_words(found.enters_at)
    if config["outside"] == "fail":
        message = f"Outside the allowed times, the next of which begins {opens}: request again then."
        return Verdict("fail", ("OUTSIDE_SCHEDULE",), details, message)
    message = f"Outside the allowed times until {opens}. It continues by itself then."
    return Verdict("pending", ("OUTSIDE_SCHEDULE",), details, message, found.enters_at)


def _sentence(config: Config) -> str:
    number = len(config["windows"])
    inside = f"Inside {'' if number == 1 else 'one of '}{counted(number, 'allowed time')}"
    outside = "rejected" if config["outside"] == "fail" else "waiting"
    return f"{inside} ({config['timezone']}); outside, promotions are {outside}."


def _weaker(name: str, before: Config, after: Config) -> list[str]:
    found = []
    if before["outside"] == "fail" and after["outside"] != "fail":
        found.append(f"Gate {name} waits for its hours instead of rejecting.")
    known = {canonical_bytes(each) for each in before["windows"]}
    if before["timezone"] != after["timezone"] or any(canonical_bytes(each) not in known for each in after["windows"]):
        found.append(f"Gate {name} allows other hours.")
    return found


SOURCES: Final = NOTHING

WORDING: Final = Wording(
    sentence=_sentence,
    weaker=_weaker,
    facts_shown=policy_shown,
    event="A policy admin may publish other hours, for new promotions.",
    tells_votes=False,
    ends="The allowed hours end.",
)
