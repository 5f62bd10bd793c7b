"""manual: named people or teams confirm a named check (domain.md §6): same exclusions, binding and voiding as votes."""

from collections.abc import Mapping
from typing import Any, Final

from policies.context import Context
from policies.facts import GateInput
from policies.gates.people import blemish, listed, named, void
from policies.outcomes import Verdict
from policies.requirements import Rule
from policies.schema import SLUG, USERNAME, below
from stellapromote.errors import FieldError

KIND: Final = "manual"
KIND_VERSION: Final = 1
RANK: Final = 70
SUMMARY: Final = "A named person or team has confirmed a named check."

CONFIG_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["confirmers", "text"],
    "properties": {
        "confirmers": {
            "type": "object",
            "properties": {
                "teams": {
                    "type": "array",
                    "maxItems": 50,
                    "x-set": True,
                    "default": [],
                    "items": {"type": "string", "pattern": SLUG, "x-message": "Must be the short name of a team."},
                },
                "users": {
                    "type": "array",
                    "maxItems": 100,
                    "x-set": True,
                    "default": [],
                    "items": {"type": "string", "pattern": USERNAME, "x-message": "Must be a username."},
                },
            },
        },
        "text": {
            "type": "string",
            "minLength": 1,
            "maxLength": 500,
            "format": "line",
            "description": "What is confirmed, e.g. Backup restored and checked.",
        },
        "minConfirmations": {"type": "integer", "minimum": 1, "maximum": 20, "default": 1},
    },
}


GUARDS: Final = frozenset({"confirmers.teams", "confirmers.users", "text", "minConfirmations"})
NO_GUARDS: Final[dict[str, str]] = {}
"""Paths of all settings: those that stand against a promotion, and why the others do not (domain.md §5)."""


def check_config(config: Mapping[str, Any], field: str) -> list[FieldError]:
    """Somebody must be named."""
    if config["confirmers"]["teams"] or config["confirmers"]["users"]:
        return []
    return [FieldError(below(field, "confirmers"), "Must name at least one team or user.", "VAL_INVALID")]


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:
    """Passes with enough confirmations by different eligible confirmers, each for the present subject."""
    confirmers = config["confirmers"]
    rule = Rule(
        context.name, config["minConfirmations"], frozenset(confirmers["teams"]), frozenset(confirmers["users"])
    )
    electorate, subject = context.electorate(), facts["subject"]["digest"]
    given: dict[str, str] = {}
    names: list[str] = []
    void_ones: list[tuple[str, str]] = []
    for confirmation in sorted(facts["confirmations"], key=lambda each: (each["at"], each["id"])):
        if confirmation["gate"] != context.name:
            continue
        code = blemish(confirmation, electorate, subject)
        if code is None and not rule.admits(confirmation["username"], confirmation["teams"]):
            code = "VOTER_NOT_ELIGIBLE"
        if code is not None:
            void_ones.append((confirmation["id"], code))
        elif confirmation["voterId"] not in given:
            given[confirmation["voterId"]] = confirmation["id"]
            names.append(confirmation["username"])
    could = [
        person
        for person in electorate.values()
        if person["id"] not in given and rule.admits(person["username"], person["teams"])
    ]
    missing = max(rule.places - len(given), 0)
    eligible, eligible_count = listed(could if missing else ())
    details = {
        "text": config["text"],
        "minConfirmations": rule.places,
        "confirmedBy": list(given),
        "confirmations": list(given.values()),
        "eligible": [person["id"] for person in eligible],
        "eligibleCount": eligible_count,
        "voidConfirmations": void(void_ones),
    }
    codes = tuple(code for _, code in void_ones)
    if not missing:
        return Verdict("pass", codes, details, f"{named(names, 'and')} confirmed: {config['text']}")
    if len(could) < missing:
        message = (
            f"Cannot be confirmed as things stand: {_times(missing)} missing, and "
            f"{named([person['username'] for person in eligible], 'and')} could still confirm. "
            "Let more people have the role and request again."
        )
        return Verdict(context.on_error, ("CONFIRMATION_UNSATISFIABLE", *codes), details, message)
    message = (
        f"Waiting for {_times(missing)} ({len(given)} of {rule.places}) "
        f"by {named([person['username'] for person in eligible])}: {config['text']}"
    )
    return Verdict("pending", ("CONFIRMATION_PENDING", *codes), details, message)


def who_can_act(details: Mapping[str, Any]) -> tuple[str, ...]:
    """Ids of the people who could confirm now."""
    return tuple(details["eligible"])


def _times(number: int) -> str:
    return "1 confirmation" if number == 1 else f"{number} confirmations"
