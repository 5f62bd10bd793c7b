"""Whose vote is asked for is whose vote counts: one rule of who may vote, in the evaluator and in "waits for me"."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policies.facts import candidates_fact
from promotions.judging.electorate import approval_voters, gate_confirmers
from tests.policies.cases import BEFORE, NOW, SUBJECT, Case, candidate, vote

PEOPLE = ("idris", "mei", "nia", "ravi", "greta", "tomas")
BACKUP = {
    "name": "backup",
    "kind": "manual",
    "config": {"text": "Is there a backup?", "confirmers": {"users": list(PEOPLE)}},
}

some = st.sets(st.sampled_from(PEOPLE))


def case_of(*, excluded: set[str], ineligible: set[str], overrode: set[str], requester: str, many: bool) -> Case:
    """The requester, the excluded and who overrode stand among the candidates as if nothing were known of them."""
    people = [candidate(name, exclusion="NO_VOTING_ROLE" if name in ineligible else None) for name in PEOPLE]
    if many:
        people += [candidate(f"p{number:03}", exclusion="NO_VOTING_ROLE") for number in range(501)]
    fact, blobs = candidates_fact(people)
    case = Case(
        gates_=[BACKUP],
        required=2,
        candidates=fact,
        promotion={"requestedById": f"id-{requester}"},
        requirements={
            "excludedPersons": [
                {"id": f"id-{name}", "username": name, "reasons": ["RELEASE_CREATOR"]} for name in sorted(excluded)
            ]
        },
    )
    case.facts["overrides"] = [override(name) for name in sorted(overrode)]
    case.documents |= blobs
    return case


def override(who: str) -> Any:
    return {
        "id": f"override-{who}",
        "gate": "elsewhere",
        "actorId": f"id-{who}",
        "username": who,
        "displayName": who.title(),
        "subjectDigest": SUBJECT,
        "reasonCodes": [],
        "findings": [],
        "reason": "Because",
        "ticket": "",
        "recordedAt": BEFORE,
        "expiresAt": NOW,
    }


@given(some, some, some, st.sampled_from(PEOPLE), st.booleans())
def test_who_is_asked_is_who_counts(
    excluded: set[str], ineligible: set[str], overrode: set[str], requester: str, many: bool
) -> None:
    case = case_of(excluded=excluded, ineligible=ineligible, overrode=overrode, requester=requester, many=many)
    asked = approval_voters(case.facts, case.documents)
    confirm = gate_confirmers(case.facts, case.documents, "backup")
    counts = set()
    for name in PEOPLE:
        case.given(votes=[vote(name)])
        if case.judged().given == 1:
            counts.add(f"id-{name}")
    assert asked == confirm == counts
    assert asked == {f"id-{name}" for name in {*PEOPLE} - excluded - ineligible - overrode - {requester}}
