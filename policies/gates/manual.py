"""manual: named people or teams confirm a named check (domain.md §6): same exclusions, binding and voiding as votes."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies import phrases
from policies.context import Context
from policies.facts import GateInput
from policies.gates.people import list_candidates, names_in_words, void_code, void_details
from policies.gates.sources import NOTHING
from policies.gates.wording import Config, Fact, Stored, Wording, fact, policy_shown
from policies.outcomes import Verdict
from policies.requirements import Rule
from stellapromote.counted import counted
from stellapromote.errors import FieldError
from stellapromote.json_schema import below
from stellapromote.patterns import SLUG, USERNAME

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
                    "items": {"type": "string", "pattern": SLUG, "x-message": "This must be the short name of a team."},
                },
                "users": {
                    "type": "array",
                    "maxItems": 100,
                    "x-set": True,
                    "default": [],
                    "items": {"type": "string", "pattern": USERNAME, "x-message": "This must be a username."},
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
    """Checks that the gate names a person or a team."""
    if config["confirmers"]["teams"] or config["confirmers"]["users"]:
        return []
    return [FieldError(below(field, "confirmers"), "This must name at least one team or user.", "invalid")]


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
        code = void_code(confirmation, electorate, subject)
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
    eligible, eligible_count = list_candidates(could if missing else ())
    details = {
        "text": config["text"],
        "minConfirmations": rule.places,
        "confirmedBy": list(given),
        "confirmations": list(given.values()),
        "eligible": [person["id"] for person in eligible],
        "eligibleCount": eligible_count,
        "voidConfirmations": void_details(void_ones),
    }
    codes = tuple(code for _, code in void_ones)
    if not missing:
        return Verdict("pass", codes, details, f"{names_in_words(names, 'and')} confirmed: {config['text']}")
    if len(could) < missing:
        message = (
            f"Cannot be confirmed as things stand: {counted(missing, 'confirmation')} missing, and "
            f"{names_in_words([person['username'] for person in eligible], 'and')} could still confirm. "
            "Let more people have the role and request again."
        )
        return Verdict(context.on_error, ("CONFIRMATION_UNSATISFIABLE", *codes), details, message)
    message = (
        f"Waiting for {counted(missing, 'confirmation')} ({len(given)} of {rule.places}) "
        f"by {names_in_words([person['username'] for person in eligible])}: {config['text']}"
    )
    return Verdict("pending", ("CONFIRMATION_PENDING", *codes), details, message)


def who_can_act(details: Mapping[str, Any]) -> tuple[str, ...]:
    """Ids of the people who could confirm now."""
    return tuple(details["eligible"])


def _sentence(config: Config) -> str:
    confirmations = counted(config["minConfirmations"], "confirmation")
    return f"{confirmations} by {phrases.people(config['confirmers'])}: {config['text']}"


def _weaker(name: str, before: Config, after: Config) -> list[str]:
    found = []
    if after["minConfirmations"] < before["minConfirmations"]:
        confirmations = counted(after["minConfirmations"], "confirmation")
        found.append(f"Gate {name} needs {confirmations} instead of {before['minConfirmations']}.")
    if joined := phrases.added(before["confirmers"], after["confirmers"]):
        found.append(f"Gate {name} may also be confirmed by {phrases.listed(joined)}.")
    if before["text"] != after["text"]:
        found.append(f"Gate {name} asks for something else.")
    return found


def _facts(gate: Stored, gate_input: Stored, bundle: Stored | None) -> Iterator[Fact]:
    yield from policy_shown(gate, gate_input, bundle)
    for each in gate_input["confirmations"]:
        if each["gate"] == gate["name"]:
            yield fact("confirmation", each["username"], id_=each["id"])


SOURCES: Final = NOTHING

WORDING: Final = Wording(
    sentence=_sentence,
    weaker=_weaker,
    facts_shown=_facts,
    event="Only the confirmers that the policy names.",
    tells_votes=True,
    act="confirm",
    hidden=lambda _given, _required: "The confirmations are hidden while voting is blind.",
)
