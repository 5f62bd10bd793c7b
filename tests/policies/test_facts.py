import copy
import json
from typing import Any

import pytest

from policies.facts import (
    CANDIDATES_SCHEMA,
    MOST_INLINE_CANDIDATES,
    InvalidGateInput,
    approval_policies_of,
    candidates_fact,
    check_gate_input,
    exclusions,
    policies_named,
    policy_of,
)
from stellapromote.signing.canonical_json import canonical_bytes, digest
from tests.policies.cases import TWO_PERSON, Case, candidate, vote

FULL = Case(
    gates_=[
        {
            "name": "needs",
            "kind": "dependency",
            "config": {"targets": [{"type": "environment", "environment": "staging", "state": "idle"}]},
        }
    ],
    policies=[TWO_PERSON],
    required=1,
    votes=[vote("nia")],
    dependencies={
        "needs": [
            {
                "type": "environment",
                "environment": "staging",
                "state": "idle",
                "observed": {"frozen": False, "nextOpen": None, "nextClose": None, "idle": True},
            }
        ]
    },
).facts


def test_a_gate_input_is_taken_as_it_is() -> None:
    assert check_gate_input(FULL) == FULL


def test_stored_bytes_read_again_are_the_same_gate_input() -> None:
    stored = canonical_bytes(FULL)
    assert canonical_bytes(check_gate_input(json.loads(stored))) == stored


# Inputs of before preconditions version 2 have none, and are replayed.
SINCE_LATER = {"evidenceMismatch"}


@pytest.mark.parametrize("name", sorted(FULL.keys() - SINCE_LATER))
def test_every_part_is_required(name: str) -> None:
    with pytest.raises(InvalidGateInput) as refusal:
        check_gate_input({key: value for key, value in FULL.items() if key != name})
    assert refusal.value.fields[0].field == name


BROKEN: list[tuple[list[Any], Any, str]] = [
    # another schema
    (["schema"], "stella.gate-input/v2", "schema"),
    # a time in another form
    (["instant"], "now", "instant"),
    # a version that is no number
    (["kinds", "approval"], "1", "kinds.approval"),
    # a negative number of people
    (["requirements", "requiredApprovals"], -1, "requirements.requiredApprovals"),
    # a number beyond what is exact
    (["promotion", "number"], 2**53, "promotion.number"),
    # a digest that is none
    (["subject", "digest"], "sha256:abc", "subject.digest"),
    # an unknown verdict
    (["votes", 0, "verdict"], "maybe", "votes[0].verdict"),
    # a fact nobody asked for
    (["release", "stars"], 5, "release.stars"),
    # a candidate without a code or null
    (["candidates", 0, "exclusion"], False, "candidates[0].exclusion"),
    # something else observed
    (["dependencies", "needs", 0, "observed"], {"idle": True}, "dependencies.needs[0].observed.frozen"),
]


@pytest.mark.parametrize(("path", "value", "field"), BROKEN)
def test_what_is_no_gate_input_is_refused_where_it_is_wrong(path: list[Any], value: Any, field: str) -> None:
    broken: Any = copy.deepcopy(FULL)
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(InvalidGateInput) as refusal:
        check_gate_input(broken)
    assert refusal.value.fields[0].field == field


def test_candidates_may_be_a_reference() -> None:
    reference = {"digest": "sha256:" + "1" * 64, "count": 501}
    assert check_gate_input({**FULL, "candidates": reference})["candidates"] == reference


def test_a_reference_with_something_missing_is_refused() -> None:
    with pytest.raises(InvalidGateInput):
        check_gate_input({**FULL, "candidates": {"count": 501}})


def test_few_candidates_stand_in_the_input_in_order() -> None:
    inline, blobs = candidates_fact([candidate("nia"), candidate("mei")])
    assert isinstance(inline, list)
    assert ([each["username"] for each in inline], blobs) == (["mei", "nia"], {})


def test_the_order_they_are_given_in_does_not_matter() -> None:
    mixed = candidate("ravi", teams=["security", "release"])
    assert candidates_fact([mixed, candidate("mei")]) == candidates_fact(
        [candidate("mei"), candidate("ravi", teams=["release", "security"])]
    )


@pytest.mark.parametrize(("number", "inline"), [(MOST_INLINE_CANDIDATES, True), (MOST_INLINE_CANDIDATES + 1, False)])
def test_above_five_hundred_they_are_a_blob_beside_it(number: int, inline: bool) -> None:
    fact, blobs = candidates_fact([candidate(f"p{index:04}") for index in range(number)])
    assert isinstance(fact, list) is inline
    assert len(blobs) == (0 if inline else 1)


def test_the_blob_is_what_its_digest_says() -> None:
    fact, blobs = candidates_fact([candidate(f"p{index:04}") for index in range(501)])
    assert isinstance(fact, dict)
    blob = blobs[fact["digest"]]
    assert digest(blob) == fact["digest"]
    assert (blob["schema"], len(blob["candidates"]), fact["count"]) == (CANDIDATES_SCHEMA, 501, 501)


def test_what_a_snapshot_names_is_found_by_digest() -> None:
    case = Case(policies=[TWO_PERSON])
    named = policies_named(case.facts["requirements"])
    assert [each["name"] for each in named] == ["default", "two-person"]
    found = [policy_of(case.facts["requirements"], case.documents)]
    found += approval_policies_of(case.facts["requirements"], case.documents)
    assert found == [case.documents[each["digest"]] for each in named]
    assert found[0] == case.policy.content
    del case.documents[case.policy.digest]
    with pytest.raises(KeyError):
        policy_of(case.facts["requirements"], case.documents)


def test_why_people_never_decide_is_found_by_their_ids() -> None:
    reasons = {"id-greta": ["RELEASE_CREATOR"], "id-tomas": ["REQUESTER"]}
    assert exclusions(Case().facts["requirements"]) == reasons
