"""Edits that make entering an environment easier, in words (domain.md §5, loosening takes two people). Pure.

The sentences are stored with the edit, shown on the board and sealed into packets, so they name the old and the new
value. An edit that may be easier or only different counts as easier.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from policies import phrases
from policies.gates import wording_of
from policies.overrides import BY_EXCEPTION, DEFAULT_HOURS, DEFAULT_REVIEW_HOURS, DEFAULT_TTL
from stellapromote.counted import counted

Document = Mapping[str, Any]

_DUTIES: Final = {
    "excludeReleaseCreator": "the release's creator",
    "excludeCommitAuthors": "commit authors",
    "excludePolicyEditor": "policy editors",
    "excludeDeployer": "the deployer",
}
_OF_EXCEPTIONS: Final = {"by": [], "maxHours": DEFAULT_HOURS, "reviewHours": DEFAULT_REVIEW_HOURS}
_SAFEGUARDS: Final = {
    "commentRequired": "An approval needs no comment any more.",
    "requireSubjectDigest": "A vote needs no subject digest any more.",
    "blind": "Votes are shown to those who have not voted yet.",
}


def in_approval_policy(before: Document, after: Document) -> list[str]:
    """The sentences about what became easier between two normal documents of one approval policy; empty without any."""
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
            found.append(f"Rule {name} is gone: {counted(rule['minApprovals'], 'approval')} fewer.")
    return found


def _rule(before: Document, after: Document) -> list[str]:
    found = []
    if after["minApprovals"] < before["minApprovals"]:
        approvals = counted(after["minApprovals"], "approval")
        found.append(f"Rule {before['name']} needs {approvals} instead of {before['minApprovals']}.")
    if joined := phrases.added(before, after):
        found.append(f"Rule {before['name']} may also be filled by {phrases.listed(joined)}.")
    return found


def in_promotion_policy(before: Document, after: Document) -> list[str]:
    """The sentences about what became easier between two normal documents of one promotion policy; empty without
    any."""
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
        found.append(f"Gate {name} does not guard {phrases.listed(f'{way} promotions' for way in gone)} any more.")
    found.extend(_override(name, before["kind"], before.get("override"), after.get("override")))
    if after.get("effectiveOn", "") > before.get("effectiveOn", ""):
        found.append(f"Gate {name} only warns until {after['effectiveOn']}.")
    found.extend(wording_of(before["kind"]).weaker(name, before["config"], after["config"]))
    return found


def _override(name: str, kind: str, before: Document | None, after: Document | None) -> list[str]:
    if after is None and before is not None and kind == BY_EXCEPTION:
        after = _OF_EXCEPTIONS  # who is excepted from a freeze overrides it without the policy
    if after is None:
        return []
    if before is None:
        return [f"Gate {name} may be overridden by {phrases.listed(after['by'])}."]
    found = []
    if joined := sorted(set(after["by"]) - set(before["by"])):
        found.append(f"Gate {name} may also be overridden by {phrases.listed(joined)}.")
    for setting, what in (("maxHours", "An override of gate"), ("reviewHours", "The review of an override of gate")):
        if after[setting] > before[setting]:
            found.append(f"{what} {name} may take {after[setting]} hours instead of {before[setting]}.")
    return found


def _span(seconds: int) -> str:
    units = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
    unit, length = next((unit, length) for unit, length in units if seconds % length == 0)
    return counted(seconds // length, unit)
