from typing import Any

import pytest

from policies.gates import who_can_act
from tests.policies.cases import (
    OTHER_SUBJECT,
    TWO_PERSON,
    Case,
    candidate,
    verdict,
    vote,
)

NOBODY: list[Any] = []
APPROVED, PENDING = ("pass", NOBODY), ("pending", ["APPROVAL_PENDING"])
VOID_PENDING = ("pending", ["APPROVAL_PENDING", "VOTER_NOT_ELIGIBLE"])

ONE_OF_EACH: list[tuple[list[Any], tuple[str, list[str]]]] = [
    # no votes yet
    ([], PENDING),
    # only one of the two rules
    ([vote("mei")], PENDING),
    # one of each
    ([vote("mei"), vote("nia")], APPROVED),
    # ravi can be either: here he is release
    ([vote("mei"), vote("ravi")], APPROVED),
    # here he is security
    ([vote("nia"), vote("ravi")], APPROVED),
    # ravi first does not block nia: he moves to security
    ([vote("ravi"), vote("nia")], APPROVED),
    # alone he fills one place only
    ([vote("ravi")], PENDING),
    # somebody of neither team fills nothing
    ([vote("mei"), vote("idris")], PENDING),
    # a reject of anybody who may vote ends it
    ([vote("mei"), vote("nia"), vote("ravi", "reject", reason="no")], ("fail", ["APPROVAL_REJECTED"])),
    # also of somebody who fills no place
    ([vote("idris", "reject", reason="no")], ("fail", ["APPROVAL_REJECTED"])),
    # of somebody who may not approve: the release's creator
    ([vote("mei"), vote("nia"), vote("greta", "reject", reason="no")], ("fail", ["APPROVAL_REJECTED"])),
    # and of somebody who is no candidate (any more)
    ([vote("mei"), vote("nia"), vote("zoe", "reject", reason="no")], ("fail", ["APPROVAL_REJECTED"])),
    # that of the requester does not count
    ([vote("tomas", "reject")], VOID_PENDING),
    # nor an approval by the requester, whatever team
    ([vote("mei"), vote("tomas", teams=["release"])], VOID_PENDING),
    # nor by somebody excluded
    ([vote("mei"), vote("greta", teams=["release"])], VOID_PENDING),
    # nor by somebody who is no candidate (any more)
    ([vote("mei"), vote("zoe", teams=["release"])], VOID_PENDING),
    # a vote for another subject is void
    ([vote("mei"), vote("nia", subject=OTHER_SUBJECT)], ("pending", ["APPROVAL_PENDING", "SUBJECT_CHANGED"])),
    # a reject for another subject is not
    ([vote("nia", "reject", subject=OTHER_SUBJECT)], ("fail", ["APPROVAL_REJECTED"])),
    # a vote that is neither is an error
    ([vote("nia", "abstain")], ("pending", ["GATE_ERROR"])),
]


@pytest.mark.parametrize(("votes", "expected"), ONE_OF_EACH)
def test_truth_table_of_one_release_and_one_security(votes: list[Any], expected: tuple[str, list[str]]) -> None:
    assert verdict(Case(policies=[TWO_PERSON], votes=votes).gate("approval")) == expected


NUMBER: list[tuple[int, list[Any], tuple[str, list[str]]]] = [
    # an explicit zero
    (0, [], ("pass", ["APPROVAL_NOT_REQUIRED"])),
    # one needed, none given
    (1, [], PENDING),
    # one given, by anyone eligible
    (1, [vote("idris")], APPROVED),
    # two needed
    (2, [vote("idris")], PENDING),
    (2, [vote("idris"), vote("mei")], APPROVED),
    # the same person twice is one person
    (2, [vote("idris"), vote("idris", vote_id="again")], PENDING),
    # more than there are: tomas and greta may not
    (5, [], ("pending", ["APPROVAL_UNSATISFIABLE"])),
    # as many as there are
    (4, [], PENDING),
    # a reject counts also where nobody has to approve
    (0, [vote("idris", "reject", reason="no")], ("fail", ["APPROVAL_REJECTED"])),
]


@pytest.mark.parametrize(("required", "votes", "expected"), NUMBER)
def test_truth_table_of_a_number(required: int, votes: list[Any], expected: tuple[str, list[str]]) -> None:
    assert verdict(Case(required=required, votes=votes).gate("approval")) == expected


SEALING: list[tuple[int, list[Any], tuple[str, list[str]]]] = [
    # what would pass waits
    (1, [vote("nia")], ("pending", ["SIGNING_UNAVAILABLE"])),
    # also what nobody has to approve
    (0, [], ("pending", ["APPROVAL_NOT_REQUIRED", "SIGNING_UNAVAILABLE"])),
    # a reject waits too: a denial is sealed as an approval is
    (1, [vote("nia", "reject", reason="no")], ("pending", ["APPROVAL_REJECTED", "SIGNING_UNAVAILABLE"])),
    # what is pending anyway says only that
    (1, [], PENDING),
]


@pytest.mark.parametrize(("required", "votes", "expected"), SEALING)
def test_truth_table_without_a_signing_key(required: int, votes: list[Any], expected: tuple[str, list[str]]) -> None:
    assert verdict(Case(required=required, votes=votes, signing={"available": False}).gate("approval")) == expected


@pytest.mark.parametrize("reason", ["SERVICE_OWNER", "TOKEN_ISSUER"])
@pytest.mark.parametrize("requesting", [["id-greta", "id-tomas"], None])
def test_a_reject_of_somebody_behind_the_request_does_not_count(reason: str, requesting: list[str] | None) -> None:
    case = Case(required=1, votes=[vote("greta", "reject", reason="no")])
    case.facts["requirements"]["excludedPersons"][0]["reasons"] = [reason]
    if requesting is not None:
        case.facts["requestingPersons"] = requesting
    assert verdict(case.gate("approval")) == VOID_PENDING


def test_a_reject_of_somebody_behind_the_release_only_counts() -> None:
    case = Case(required=1, votes=[vote("greta", "reject", reason="no")])
    case.facts["requirements"]["excludedPersons"][0]["reasons"] = ["RELEASE_CREATOR", "SERVICE_OWNER"]
    case.facts["requestingPersons"] = ["id-tomas"]
    assert verdict(case.gate("approval")) == ("fail", ["APPROVAL_REJECTED"])


def test_all_requirements_must_hold() -> None:
    case = Case(policies=[TWO_PERSON], required=3, votes=[vote("mei"), vote("nia")])
    assert verdict(case.gate("approval")) == PENDING


def test_one_person_serves_several_requirements() -> None:
    release = {"name": "release-says", "rules": [{"name": "release", "teams": ["release"]}]}
    security = {"name": "security-says", "rules": [{"name": "security", "teams": ["security"]}]}
    assert Case(policies=[release, security], required=1, votes=[vote("ravi")]).gate("approval").status == "pass"


def test_users_named_in_a_rule_may_fill_it() -> None:
    named = {"name": "named", "rules": [{"name": "idris", "users": ["idris"]}]}
    assert Case(policies=[named], votes=[vote("idris")]).gate("approval").status == "pass"


def test_being_named_in_a_rule_does_not_make_an_excluded_person_eligible() -> None:
    named = {"name": "named", "rules": [{"name": "greta-or-nia", "users": ["greta", "nia"]}]}
    assert Case(policies=[named], votes=[vote("greta")]).gate("approval").status == "pending"


def test_teams_count_as_stored_in_the_vote() -> None:
    case = Case(policies=[TWO_PERSON], votes=[vote("mei"), vote("nia", teams=["release"])])
    case.facts["candidates"] = [candidate("mei"), candidate("nia", teams=[])]
    assert case.gate("approval").status == "pass"


def test_unsatisfiable_follows_on_error() -> None:
    case = Case(gates_=[{"kind": "approval", "onError": "fail"}], required=5)
    assert verdict(case.gate("approval")) == ("fail", ["APPROVAL_UNSATISFIABLE"])


def test_pending_does_not_follow_on_error() -> None:
    assert verdict(Case(gates_=[{"kind": "approval", "onError": "fail"}], required=1).gate("approval")) == PENDING


def test_nobody_eligible_never_passes() -> None:
    case = Case(required=1, votes=[vote("nia")], candidates=[])
    assert verdict(case.gate("approval")) == ("pending", ["APPROVAL_UNSATISFIABLE", "VOTER_NOT_ELIGIBLE"])


def test_the_requester_never_counts_even_where_the_candidates_say_so() -> None:
    case = Case(required=1, votes=[vote("tomas")], candidates=[candidate("tomas"), candidate("nia")])
    case.facts["requirements"]["excludedPersons"] = []
    assert verdict(case.gate("approval")) == VOID_PENDING


def test_the_excluded_never_count_even_where_the_candidates_say_so() -> None:
    case = Case(required=1, votes=[vote("greta")], candidates=[candidate("greta"), candidate("nia")])
    assert verdict(case.gate("approval")) == VOID_PENDING


def test_details_show_who_fills_what_and_who_still_could() -> None:
    details = Case(policies=[TWO_PERSON], votes=[vote("mei")]).gate("approval").details
    assert details == {
        "required": 2,
        "given": 1,
        "missing": 1,
        "requirements": [
            {
                "name": "two-person",
                "slots": 2,
                "filled": 1,
                "rules": [
                    {
                        "name": "release",
                        "minApprovals": 1,
                        "filledBy": [],
                        "eligible": ["id-nia", "id-ravi"],
                        "eligibleCount": 2,
                    },
                    {
                        "name": "security",
                        "minApprovals": 1,
                        "filledBy": ["id-mei"],
                        "eligible": [],
                        "eligibleCount": 0,
                    },
                ],
                "matching": [{"slot": "security#1", "voterId": "id-mei"}],
            }
        ],
        "rejectedBy": [],
        "shortfalls": [],
        "voidVotes": [],
    }


def test_who_could_take_a_place_after_others_have_moved_is_eligible() -> None:
    # ravi holds release; he can move to security, so a second person of release is of use.
    details = Case(policies=[TWO_PERSON], votes=[vote("ravi")]).gate("approval").details
    assert {rule["name"]: rule["eligible"] for rule in details["requirements"][0]["rules"]} == {
        "release": ["id-nia"],
        "security": ["id-mei"],
    }


def test_void_votes_are_listed_with_why() -> None:
    case = Case(required=1, votes=[vote("greta"), vote("nia", subject=OTHER_SUBJECT)])
    assert case.gate("approval").details["voidVotes"] == [
        {"id": "vote-greta", "code": "VOTER_NOT_ELIGIBLE"},
        {"id": "vote-nia", "code": "SUBJECT_CHANGED"},
    ]


def test_a_reject_is_named_with_its_reason() -> None:
    gate = Case(required=1, votes=[vote("mei", "reject", reason="CVE in the base image")]).gate("approval")
    assert gate.message == "Rejected by Mei: CVE in the base image"
    assert gate.details["rejectedBy"] == [{"voteId": "vote-mei", "voterId": "id-mei", "username": "mei"}]


MESSAGES: list[tuple[Case, str]] = [
    # nobody has to
    (Case(), "Nobody has to approve promotions into production."),
    # who can still act, by rule
    (
        Case(policies=[TWO_PERSON], votes=[vote("mei")]),
        "Waiting for 1 more approval for release (nia or ravi can approve). Approved so far by Mei.",
    ),
    # only ravi fits the open rule and he has voted: nia can take his place so that he moves
    (
        Case(policies=[TWO_PERSON], votes=[vote("ravi")], candidates=[candidate("ravi"), candidate("nia")]),
        "Waiting for 1 more approval for security (nia can approve). Approved so far by Ravi.",
    ),
    # nobody yet, and places of two rules
    (
        Case(policies=[TWO_PERSON], candidates=[candidate("mei"), candidate("nia")]),
        "Waiting for 2 more approvals: 1 for release (nia can approve), 1 for security (mei can approve).",
    ),
    # done
    (Case(required=2, votes=[vote("mei"), vote("nia")]), "Approved by Mei and Nia."),
    # cannot be done
    (
        Case(policies=[TWO_PERSON], candidates=[candidate("nia")]),
        (
            "Cannot be approved as things stand. Rule security of two-person needs 1 person, and nobody is eligible. "
            "Let more people have the role and request again."
        ),
    ),
]


@pytest.mark.parametrize(("case", "message"), MESSAGES)
def test_messages(case: Case, message: str) -> None:
    assert case.gate("approval").message == message


def test_who_can_act_are_those_whose_vote_would_fill_a_place() -> None:
    gate = Case(policies=[TWO_PERSON], votes=[vote("mei")]).gate("approval")
    assert who_can_act(gate.type, gate.kind_version, gate.details) == ("id-nia", "id-ravi")


def test_a_long_list_of_people_is_cut_and_counted() -> None:
    crowd = [candidate(f"p{index:03}") for index in range(120)]
    rule = Case(required=1, candidates=crowd).gate("approval").details["requirements"][0]["rules"][0]
    assert (len(rule["eligible"]), rule["eligibleCount"]) == (50, 120)


COUNTS: list[tuple[Case, tuple[int, int]]] = [
    # the smallest number of people, not the number of places
    (Case(policies=[TWO_PERSON], required=1), (2, 0)),
    # ravi could do both requirements alone
    (
        Case(
            policies=[
                {"name": "a", "rules": [{"name": "release", "teams": ["release"]}]},
                {"name": "b", "rules": [{"name": "security", "teams": ["security"]}]},
            ]
        ),
        (1, 0),
    ),
    # votes that count, void ones do not
    (Case(required=2, votes=[vote("nia"), vote("greta")]), (2, 1)),
    # nobody has to
    (Case(), (0, 0)),
    # not enough people: at least so many would be needed
    (Case(required=9), (9, 0)),
]


@pytest.mark.parametrize(("case", "counts"), COUNTS)
def test_required_and_given(case: Case, counts: tuple[int, int]) -> None:
    evaluation = case.judged()
    assert (evaluation.required, evaluation.given) == counts


OWNED: Any = {"name": "owned", "rules": [{"name": "owners", "teams": ["@owners"]}]}
OF_SECURITY: Any = {"product": {"id": "id-main", "slug": "main", "version": 2, "ownerTeams": ["security"]}}

OF_OWNERS: list[tuple[Any, list[Any], tuple[str, list[str]]]] = [
    # of the owner team
    (OF_SECURITY, [vote("mei")], APPROVED),
    # of another team
    (OF_SECURITY, [vote("nia")], PENDING),
    # a team of that name would be no owner team
    (OF_SECURITY, [vote("idris", teams=["@owners"])], PENDING),
    # the snapshot of a version that knew no owners: nobody fills the rule
    ({}, [vote("mei"), vote("nia")], ("pending", ["APPROVAL_UNSATISFIABLE"])),
]


@pytest.mark.parametrize(("snapshot", "votes", "expected"), OF_OWNERS)
def test_a_rule_of_owners(snapshot: Any, votes: list[Any], expected: tuple[str, list[str]]) -> None:
    case = Case(policies=[OWNED], requirements=snapshot, votes=votes)
    assert verdict(case.gate("approval")) == expected


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_version_never_passes_a_rule_of_owners(version: int) -> None:
    case = Case(policies=[OWNED], requirements=OF_SECURITY, votes=[vote("mei")], kinds={"approval": version})
    assert verdict(case.gate("approval")) == ("fail", ["GATE_CONFIG_INVALID"])
