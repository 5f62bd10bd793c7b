"""Overrides of one gate by a named person, and rules that only warn until a day (domain.md §6): pure.

An override lifts what its author saw and nothing more: any reason code or finding that is new keeps the gate blocking.
Every result depends on the stored gate input and policy alone, so that a record replays equal for ever.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from policies.document_facts import OverrideFact
from policies.facts import GateInput, exclusions
from policies.outcomes import Verdict, blocks
from policies.windows import in_words
from stellapromote.clock import parse_rfc3339, rfc3339
from stellapromote.signing.canonical_json import digest

NEVER: Final = ("preconditions", "approval")
"""Kinds without overrides: the promoted release itself, and the agreement of people (domain.md §6)."""

UNJUDGED: Final = frozenset({"GATE_ERROR", "GATE_TIMEOUT", "GATE_FACTS_MISSING", "EVIDENCE_UNREAD"})
"""The codes of a gate that could not be judged: what an override would lift is unknown, so no override counts."""

BY_EXCEPTION: Final = "freeze-window"
"""The kind that people in `exceptions` of every active window may override without `override` in the policy."""

OVERRIDDEN: Final = "OVERRIDDEN"
OVERRIDE_POSSIBLE: Final = "OVERRIDE_POSSIBLE"
NOT_YET_EFFECTIVE: Final = "NOT_YET_EFFECTIVE"

DEFAULT_TTL: Final = 24 * 60 * 60
"""Seconds that a failing gate with `override` waits for an override when the policy has no overrideTtl."""
DEFAULT_HOURS: Final = 24
"""The longest an override of a freeze lasts when the policy has no `override` for the gate."""
DEFAULT_REVIEW_HOURS: Final = 72

_LONGEST_NAME: Final = 512
_TEAM: Final = "team:"


def may_be_overridden(kind: str, override: Mapping[str, Any] | None, codes: Collection[str]) -> bool:
    """Whether any override of such a gate, with these reason codes, counts."""
    return kind not in NEVER and UNJUDGED.isdisjoint(codes) and (override is not None or kind == BY_EXCEPTION)


def setting_of(policy: Mapping[str, Any], gate: str) -> dict[str, Any] | None:
    """`override` of the policy's gate of that name; None where it has no such gate or the gate has none."""
    return next((each.get("override") for each in policy["gates"] if each["name"] == gate), None)


def named_in(override: Mapping[str, Any], username: str, teams: Collection[str]) -> bool:
    """Whether `override.by` of a gate names the person or one of their teams."""
    return any(
        each.removeprefix(_TEAM) in teams if each.startswith(_TEAM) else each == username for each in override["by"]
    )


def override_scope(codes: Iterable[str], details: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What an override of a gate result lifts: its reason codes, and the names of its findings, windows and targets,
    both sorted."""
    ours = {OVERRIDDEN, OVERRIDE_POSSIBLE, NOT_YET_EFFECTIVE}
    return sorted(set(codes) - ours), sorted(set(_things(details)))


def overriders(facts: GateInput) -> set[str]:
    """Ids of the people who overrode a gate of this promotion: their vote does not count on it, then or later."""
    return {each["actorId"] for each in facts.get("overrides") or ()}


def is_in_force(override: OverrideFact, instant: str, subject_digest: str) -> bool:
    """Whether the override is given, not over, and about what is judged. Times are RFC 3339 text of one form."""
    return override["recordedAt"] <= instant < override["expiresAt"] and override["subjectDigest"] == subject_digest


def apply_override_rules(
    verdict: Verdict,
    facts: GateInput,
    *,
    name: str,
    kind: str,
    override: Mapping[str, Any] | None,
    ttl: int,
    effective_on: str | None,
) -> Verdict:
    """The judge's verdict under the gate's `effectiveOn` and `override`.

    Before `effectiveOn` nothing blocks. A live override that covers every present code and finding makes a warning.
    Else the fail of a gate with `override` in the policy waits `ttl` seconds for an override.
    """
    if not blocks(verdict.status):
        return verdict
    instant = facts["instant"]
    if effective_on is not None and instant < (begins := start_of_day(effective_on)):
        return _only_warns(verdict, begins)
    if not may_be_overridden(kind, override, verdict.codes):
        return verdict
    if (lifting := _lifting(verdict, facts, name)) is not None:
        return _lifted(verdict, lifting)
    if override is not None and verdict.status == "fail":
        return _waits(verdict, facts, name, ttl)
    return verdict


def start_of_day(day: str) -> str:
    """The instant at which a day begins, in UTC. ValueError when there is no such day."""
    return rfc3339(parse_rfc3339(f"{day}T00:00:00.000Z"))


def _only_warns(verdict: Verdict, begins: str) -> Verdict:
    details = {**verdict.details, "notYetEffective": {"status": verdict.status, "effectiveAt": begins}}
    return Verdict(
        "warn",
        (*verdict.codes, NOT_YET_EFFECTIVE),
        details,
        f"Only a warning until {in_words(begins)}, then it blocks: {verdict.message}",
        _earlier(verdict.next_change_at, begins),
    )


def _lifting(verdict: Verdict, facts: GateInput, name: str) -> OverrideFact | None:
    """The override that lifts all of the verdict, the one that lasts longest if there are several."""
    given = facts.get("overrides")
    if not given:
        return None
    codes, things = (set(each) for each in override_scope(verdict.codes, verdict.details))
    never = {*exclusions(facts["requirements"]), facts["promotion"]["requestedById"]}
    found = [
        each
        for each in given
        if each["gate"] == name
        and is_in_force(each, facts["instant"], facts["subject"]["digest"])
        and each["actorId"] not in never
        and codes.issubset(each["reasonCodes"])
        and things.issubset(each["findings"])
    ]
    return max(found, key=lambda each: (each["expiresAt"], each["id"]), default=None)


def _lifted(verdict: Verdict, override: OverrideFact) -> Verdict:
    shown = {name: override[name] for name in ("id", "actorId", "username", "ticket", "expiresAt")}
    return Verdict(
        "warn",
        (*verdict.codes, OVERRIDDEN),
        {**verdict.details, "override": {**shown, "status": verdict.status}},
        f"Overridden by {override['displayName']} until {in_words(override['expiresAt'])} "
        f"({override['ticket']}): {verdict.message}",
        _earlier(verdict.next_change_at, override["expiresAt"]),
    )


def _waits(verdict: Verdict, facts: GateInput, name: str, ttl: int) -> Verdict:
    since = (facts.get("failingSince") or {}).get(name, facts["instant"])
    until = rfc3339(parse_rfc3339(since) + timedelta(seconds=ttl))
    details = {**verdict.details, "overridePossible": {"since": since, "until": until}}
    if facts["instant"] >= until:
        message = f"Nobody overrode this until {in_words(until)}: {verdict.message}"
        return replace(verdict, details=details, message=message)
    return Verdict(
        "pending",
        (*verdict.codes, OVERRIDE_POSSIBLE),
        details,
        f"{verdict.message} A named person may override it until {in_words(until)}; then it is rejected.",
        _earlier(verdict.next_change_at, until),
    )


def _things(details: Mapping[str, Any]) -> Iterable[str]:
    for finding in details.get("findings") or ():
        yield _finding(finding)
    for window in details.get("windows") or ():
        yield f"window {window['id']}"
    for lacking in details.get("lacking") or ():
        where = lacking["artifact"] if "about" not in lacking else f"{lacking['about']} in {lacking['artifact']}"
        yield _fitting(f"lacking {lacking['code']} {lacking['what']} of {where} {lacking['document']}")
    if details.get("lackingCount", 0) > len(details.get("lacking") or ()):
        yield f"{details['lackingCount']} lacking"
    for incomplete in details.get("incomplete") or ():
        yield f"{incomplete['number']} left out of {incomplete['document']} about {incomplete['artifact']}"
    if details.get("incompleteCount", 0) > len(details.get("incomplete") or ()):
        yield f"{details['incompleteCount']} incomplete"
    for target in details.get("targets") or ():
        if not target.get("met"):
            wanted = {part: value for part, value in target.items() if part not in ("observed", "met")}
            yield f"target {digest(wanted)}"


def _finding(finding: Any) -> str:
    """A finding by what it is and where: the same CVE in another component is another finding."""
    if not isinstance(finding, Mapping):
        return _fitting(str(finding))
    where = finding.get("purl") or " ".join(
        str(finding[part]) for part in ("component", "version") if finding.get(part)
    )
    return _fitting(f"{finding.get('id', '')} {where}".strip())


def _fitting(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else digest(name)


def _earlier(one: str | None, other: str) -> str:
    return other if one is None else min(one, other)
