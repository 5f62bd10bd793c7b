"""Which edits make entering an environment easier, in words (domain.md §5, weakening edits). Pure.

The sentences are stored with the edit, shown on the board and sealed into packets, so they name what changed from what
to what. Where it cannot be told whether an edit is easier or only different, it counts as easier.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from policies.overrides import DEFAULT_TTL
from policies.security import weaker
from stellapromote.signing.canonical_json import canonical_bytes

Document = Mapping[str, Any]

_DUTIES: Final = {
    "excludeReleaseCreator": "the release's creator",
    "excludeCommitAuthors": "commit authors",
    "excludePolicyEditor": "policy editors",
    "excludeDeployer": "the deployer",
}
_FOR_EVER: Final = float("inf")
_SAFEGUARDS: Final = {
    "commentRequired": "An approval needs no comment any more.",
    "requireSubjectDigest": "A vote needs no subject digest any more.",
    "blind": "Votes are shown to those who have not voted yet.",
}


def in_approval_policy(before: Document, after: Document) -> list[str]:
    """What became easier between two normal documents of one approval policy; empty when nothing did."""
    found = _rules(before["rules"], after["rules"])
    for duty, whom in _DUTIES.items():
        if before["separationOfDuties"][duty] and not after["separationOfDuties"][duty]:
            found.append(f"Separation of duties: {whom} may vote again.")
    found.extend(sentence for flag, sentence in _SAFEGUARDS.items() if before[flag] and not after[flag])
    return found


def _rules(before: Sequence[Document], after: Sequence[Document]) -> list[str]:
    old, new = ({rule["name"]: rule for rule in rules} for rules in (before, after))
    added = [rule for name, rule in new.items() if name not in old]
    found = []
    for name, rule in old.items():
        if name in new:
            found.extend(_rule(rule, new[name]))
        elif (heir := next((each for each in added if not _rule(rule, each)), None)) is not None:
            added.remove(heir)  # renamed: it asks for as much under another name
        else:
            found.append(f"Rule {name} is gone: {_approvals(rule['minApprovals'])} fewer.")
    return found


def _rule(before: Document, after: Document) -> list[str]:
    found = []
    if after["minApprovals"] < before["minApprovals"]:
        found.append(
            f"Rule {before['name']} needs {_approvals(after['minApprovals'])} instead of {before['minApprovals']}."
        )
    if joined := _added(before, after, ("teams", "users")):
        found.append(f"Rule {before['name']} may also be filled by {_listed(joined)}.")
    return found


def in_promotion_policy(before: Document, after: Document) -> list[str]:
    """What became easier between two normal documents of one promotion policy; empty when nothing did."""
    old, new = ({gate["name"]: gate for gate in document["gates"]} for document in (before, after))
    added = [gate for name, gate in new.items() if name not in old]
    found = []
    for name, gate in old.items():
        if name in new:
            found.extend(_gate(gate, new[name]))
        elif (heir := next((each for each in added if _asks_the_same(gate, each)), None)) is not None:
            added.remove(heir)
        else:
            found.append(f"Gate {name} ({gate['kind']}) is gone.")
    for setting, what in (("pendingTtl", "A request"), ("approvalTtl", "An approval")):
        if after[setting] > before[setting]:
            found.append(f"{what} stays good for {_span(after[setting])} instead of {_span(before[setting])}.")
    if before["supersedeOlder"] and not after["supersedeOlder"]:
        found.append("Older requests stay open when a later one is approved.")
    waited, waits = (each.get("overrideTtl", DEFAULT_TTL) for each in (before, after))
    if waits > waited:
        found.append(f"A failing gate waits {_span(waits)} for an override instead of {_span(waited)}.")
    return found


def _asks_the_same(before: Document, after: Document) -> bool:
    return before["kind"] == after["kind"] and not _gate(before, after)


def _gate(before: Document, after: Document) -> list[str]:
    name = before["name"]
    if before["kind"] != after["kind"]:
        return [f"Gate {name} is a {after['kind']} gate instead of {before['kind']}."]
    found = []
    if before["onError"] == "fail" and after["onError"] != "fail":
        found.append(f"Gate {name} waits instead of rejecting when it cannot be judged.")
    if gone := sorted(set(before["appliesTo"]) - set(after["appliesTo"])):
        found.append(f"Gate {name} does not guard {_listed(f'{way} promotions' for way in gone)} any more.")
    found.extend(_override(name, before.get("override"), after.get("override")))
    if after.get("effectiveOn", "") > before.get("effectiveOn", ""):
        found.append(f"Gate {name} only warns until {after['effectiveOn']}.")
    found.extend(_config(name, before["kind"], before["config"], after["config"]))
    return found


def _override(name: str, before: Document | None, after: Document | None) -> list[str]:
    if after is None:
        return []
    if before is None:
        return [f"Gate {name} may be overridden by {_listed(after['by'])}."]
    found = []
    if joined := sorted(set(after["by"]) - set(before["by"])):
        found.append(f"Gate {name} may also be overridden by {_listed(joined)}.")
    for setting, what in (("maxHours", "An override of gate"), ("reviewHours", "The review of an override of gate")):
        if after[setting] > before[setting]:
            found.append(f"{what} {name} may take {after[setting]} hours instead of {before[setting]}.")
    return found


def _config(name: str, kind: str, before: Document, after: Document) -> list[str]:
    """What became easier in a gate's settings. Settings of a kind not known here: any change counts."""
    found = []
    if kind == "preconditions":
        if before["requireChangeRef"] and not after["requireChangeRef"]:
            found.append(f"Gate {name} needs no change reference any more.")
    elif kind == "freeze-window":
        if before["onFreeze"] == "fail" and after["onFreeze"] != "fail":
            found.append(f"Gate {name} waits for the end of a freeze instead of rejecting.")
    elif kind == "schedule":
        if before["outside"] == "fail" and after["outside"] != "fail":
            found.append(f"Gate {name} waits for its hours instead of rejecting.")
        if before["timezone"] != after["timezone"] or _new(before["windows"], after["windows"]):
            found.append(f"Gate {name} allows other hours.")
    elif kind == "manual":
        if after["minConfirmations"] < before["minConfirmations"]:
            found.append(
                f"Gate {name} needs {_approvals(after['minConfirmations'], 'confirmation')} "
                f"instead of {before['minConfirmations']}."
            )
        if joined := _added(before["confirmers"], after["confirmers"], ("teams", "users")):
            found.append(f"Gate {name} may also be confirmed by {_listed(joined)}.")
        if before["text"] != after["text"]:
            found.append(f"Gate {name} asks for something else.")
    elif kind == "dependency":
        if gone := sum(not any(_waits_as_long(each, new) for new in after["targets"]) for each in before["targets"]):
            found.append(f"Gate {name} waits for {gone} of its {len(before['targets'])} conditions no more.")
    elif kind == "evidence":
        found.extend(weaker.in_evidence(name, before, after))
    elif kind == "security":
        found.extend(weaker.in_security(name, before, after))
    elif canonical_bytes(before) != canonical_bytes(after):
        found.append(f"Gate {name} has other settings.")
    return found


def _waits_as_long(before: Document, after: Document) -> bool:
    """Whether a condition of a dependency gate holds only where the one before did."""
    if before["type"] != "http" or after["type"] != "http":
        return canonical_bytes(before) == canonical_bytes(after)
    expected, expects = before["expect"], after["expect"]
    return (
        (before["url"], expected["status"]) == (after["url"], expects["status"])
        and expected.get("bodyContains") in (None, expects.get("bodyContains"))
        and expects.get("maxDurationMs", _FOR_EVER) <= expected.get("maxDurationMs", _FOR_EVER)
        and all(after[setting] <= before[setting] for setting in ("timeout", "maxAge"))
    )


def _new(before: Sequence[Any], after: Sequence[Any]) -> int:
    """How many of `after` are not in `before`."""
    known = {canonical_bytes(each) for each in before}
    return sum(canonical_bytes(each) not in known for each in after)


def _added(before: Document, after: Document, fields: Iterable[str]) -> list[str]:
    """`team security`, `user mei`: who is named only afterwards."""
    return [
        f"{field.removesuffix('s')} {each}"
        for field in fields
        for each in sorted(set(after[field]) - set(before[field]))
    ]


def _approvals(number: int, what: str = "approval") -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _listed(parts: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _span(seconds: int) -> str:
    units = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
    unit, length = next((unit, length) for unit, length in units if seconds % length == 0)
    number = seconds // length
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
