"""Shared by all versions of the approval gate: a version declares which votes count (domain.md §5, §6)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from policies.context import Context
from policies.facts import Candidate, GateInput, Vote
from policies.gates.people import list_candidates, names_in_words, void_details
from policies.matching import Matching
from policies.outcomes import Verdict
from policies.requirements import Requirement, Shortfall, fewest_people, shortfalls, signatures

RANK: Final = 80
SUMMARY: Final = "The required approvals are given by eligible people, and nobody rejected."

CONFIG_SCHEMA: Final[dict[str, Any]] = {"type": "object", "properties": {}}


GUARDS: Final[frozenset[str]] = frozenset()
NO_GUARDS: Final[dict[str, str]] = {}
"""Paths of all settings: those that stand against a promotion, and why the others do not (domain.md §5)."""

VoidCode = Callable[[Vote], str | None]
"""The code against a live vote, or None when it counts."""
WaitingMessage = Callable[[Mapping[str, Any], Mapping[str, Candidate], Sequence[Vote]], str]
"""The message of a waiting gate, from its details, the electorate and the approvals that count."""


def judge_votes(
    facts: GateInput,
    context: Context,
    owners: tuple[str, ...] | None,
    void_code: VoidCode,
    waiting_message: WaitingMessage,
) -> Verdict:
    """Passes when every requirement is filled; fails on a reject that counts. ``owners`` as in Context.

    Without a usable key nothing final can be sealed, so what would pass or fail is pending (domain.md §8).
    """
    requirements, electorate = context.requirements(owners), context.electorate()
    approvals, rejects, void_ones = _sort_votes(facts["votes"], void_code)
    matched = _matched(requirements, approvals)
    voted = {vote["voterId"] for vote in (*approvals, *rejects)}
    others = sorted(
        (person for person in electorate.values() if person["id"] not in voted),
        key=lambda each: (each["username"], each["id"]),
    )
    given_signatures = signatures(requirements, ((vote["username"], vote["teams"]) for vote in approvals))
    other_signatures = signatures(requirements, ((person["username"], person["teams"]) for person in others))
    everybody = [*given_signatures, *other_signatures]
    required = fewest_people(requirements, everybody)
    missing = fewest_people(requirements, other_signatures, given_signatures)
    lacking = shortfalls(requirements, everybody) if missing is None else ()
    details: dict[str, Any] = {
        "required": max((sum(each.places) for each in requirements), default=0) if required is None else required,
        "given": len(approvals),
        "missing": missing,
        "requirements": [
            _requirement_details(requirement, matching, approvals, others, [each[index] for each in other_signatures])
            for index, (requirement, matching) in enumerate(zip(requirements, matched, strict=True))
        ],
        "rejectedBy": [
            {"voteId": vote["id"], "voterId": vote["voterId"], "username": vote["username"]} for vote in rejects
        ],
        "shortfalls": [each.as_json() for each in lacking],
        "voidVotes": void_details(void_ones),
    }
    codes = tuple(code for _, code in void_ones)
    if rejects:
        message = f"Rejected by {rejects[0]['displayName']}: {rejects[0]['reason'] or 'no reason is recorded'}"
        return _sealable(facts, Verdict("fail", ("APPROVAL_REJECTED", *codes), details, message))
    if not requirements:
        message = f"Nobody has to approve promotions into {facts['target']['name']}."
        return _sealable(facts, Verdict("pass", ("APPROVAL_NOT_REQUIRED", *codes), details, message))
    if missing == 0:
        message = f"Approved by {names_in_words([vote['displayName'] for vote in approvals], 'and')}."
        return _sealable(facts, Verdict("pass", codes, details, message))
    if missing is None:
        return Verdict(context.on_error, ("APPROVAL_UNSATISFIABLE", *codes), details, _unsatisfiable_message(lacking))
    return Verdict("pending", ("APPROVAL_PENDING", *codes), details, waiting_message(details, electorate, approvals))


def who_can_act(details: Mapping[str, Any]) -> tuple[str, ...]:
    """Ids of the people whose vote would fill a place now, each once, in the order of the rules."""
    return tuple(dict.fromkeys(person for rule in _rules(details) for person in rule["eligible"]))


def _sort_votes(votes: Sequence[Vote], void_code: VoidCode) -> tuple[list[Vote], list[Vote], list[tuple[str, str]]]:
    """The live votes as approvals (one for each person), rejects, and what is void with its code; oldest first."""
    approvals: dict[str, Vote] = {}
    rejects: list[Vote] = []
    void_ones: list[tuple[str, str]] = []
    for vote in sorted(votes, key=lambda each: (each["at"], each["id"])):
        code = void_code(vote)
        if code is not None:
            void_ones.append((vote["id"], code))
        elif vote["verdict"] == "reject":
            rejects.append(vote)
        elif vote["verdict"] == "approve":
            approvals.setdefault(vote["voterId"], vote)
        else:
            raise ValueError("a vote is neither approve nor reject")
    return list(approvals.values()), rejects, void_ones


def _matched(requirements: Sequence[Requirement], approvals: Sequence[Vote]) -> list[Matching]:
    """One matching for each requirement; a person's number in it is the place of their vote in `approvals`."""
    found = []
    for requirement in requirements:
        matching = Matching(requirement.places)
        for index, vote in enumerate(approvals):
            matching.add(index, requirement.abilities(vote["username"], vote["teams"]))
        found.append(matching)
    return found


def _requirement_details(
    requirement: Requirement,
    matching: Matching,
    approvals: Sequence[Vote],
    others: Sequence[Candidate],
    abilities: Sequence[tuple[int, ...]],
) -> dict[str, Any]:
    open_rules = matching.open_rules()
    able: list[list[Candidate]] = [[] for _ in requirement.rules]
    for person, indexes in zip(others, abilities, strict=True):
        for index in indexes:
            able[index].append(person)
    rules = []
    slots = []
    for index, rule in enumerate(requirement.rules):
        holders = sorted(matching.holders[index])
        eligible, eligible_count = list_candidates(able[index] if index in open_rules else ())
        rules.append(
            {
                "name": rule.name,
                "minApprovals": rule.places,
                "filledBy": [approvals[holder]["voterId"] for holder in holders],
                "eligible": [person["id"] for person in eligible],
                "eligibleCount": eligible_count,
            }
        )
        slots += [
            {"slot": f"{rule.name}#{number}", "voterId": approvals[holder]["voterId"]}
            for number, holder in enumerate(holders, start=1)
        ]
    return {
        "name": requirement.name,
        "slots": sum(requirement.places),
        "filled": sum(requirement.places) - matching.missing,
        "rules": rules,
        "matching": slots,
    }


def _sealable(facts: GateInput, verdict: Verdict) -> Verdict:
    """The verdict, or pending when there is no key to sign what it would make final."""
    if facts["signing"]["available"] is True:
        return verdict
    message = f"{verdict.message} It becomes final when the signing key is usable again: an operator must repair it."
    return Verdict("pending", (*verdict.codes, "SIGNING_UNAVAILABLE"), verdict.details, message)


def waiting_message_of(
    details: Mapping[str, Any], people: Mapping[str, str], approved: Sequence[str], reader: str = ""
) -> str:
    """The missing approvals of a pending gate, and the people who approved. ``people``: the name of each who could act,
    by id.

    ``reader``: the id of the person who reads the sentence; empty for any reader.
    """
    called = {**people, reader: "you"} if reader else people
    waits = []
    for requirement in details["requirements"]:
        could = [person for rule in requirement["rules"] for person in rule["eligible"]]
        for rule in requirement["rules"]:
            lacking = rule["minApprovals"] - len(rule["filledBy"])
            if lacking:
                # It may be that no new person fits this very rule, and yet a voter can move to it from another one.
                able = set(rule["eligible"] or could)
                names = sorted({called[each] for each in able - {reader}})
                waits.append((lacking, rule["name"], names_in_words(["you", *names] if reader in able else names)))
    missing = details["missing"]
    approvals = "1 more approval" if missing == 1 else f"{missing} more approvals"
    if len(waits) == 1:
        [(_, rule, who)] = waits
        still = f"{approvals} for {rule} ({who} can approve)"
    else:
        still = f"{approvals}: {', '.join(f'{number} for {rule} ({who} can approve)' for number, rule, who in waits)}"
    whom = "you: " if reader and any(reader in rule["eligible"] for rule in _rules(details)) else ""
    so_far = f" Approved so far by {names_in_words(approved, 'and')}." if approved else ""
    return f"Waiting for {whom}{still}.{so_far}"


def _rules(details: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [rule for requirement in details["requirements"] for rule in requirement["rules"]]


def _unsatisfiable_message(lacking: Sequence[Shortfall]) -> str:
    why = " ".join(each.sentence for each in lacking)
    return f"Cannot be approved as things stand. {why} Let more people have the role and request again."
