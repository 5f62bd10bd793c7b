"""What holds for every promotion, whatever its facts: separation of duties and fail closed, on drawn cases."""

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policies.facts import Vote
from policies.outcomes import Evaluation
from promotions.judging.electorate import approval_voters
from tests import drawing
from tests.drawing import Draw, drawn
from tests.policies.cases import BEFORE, NOW, OTHER_SUBJECT, SUBJECT, Case, candidate, vote

VOTERS = ("idris", "mei", "nia", "ravi")
TEAMS = ("audit", "release", "security")

teams = drawing.sets(TEAMS).map(sorted)
times = drawing.sampled_from([BEFORE, "2026-11-21T08:00:00.000Z", "2026-11-22T08:00:00.000Z", NOW])
policy_names = drawing.sampled_from([(), ("first",), ("first", "second")])
rule_teams = drawing.samples(TEAMS, min_size=1)
rule_users = drawing.sets([*VOTERS, "tomas", "greta"]).map(sorted)
one_or_two = drawing.integers(1, 2)
verdicts = drawing.sampled_from(["approve", "approve", "approve", "approve", "reject"])
subjects = drawing.sampled_from([vote("nia")["subjectDigest"]] * 4 + [OTHER_SUBJECT])
has_voted = drawing.booleans()
up_to_three = drawing.integers(0, 3)
frozen = drawing.sampled_from([False, False, True])
release_states = drawing.sampled_from(["finalized", "finalized", "deprecated"])
can_sign = drawing.sampled_from([True, True, False])


@drawing.composite
def policies(draw: Draw) -> list[dict[str, Any]]:
    found = []
    for name in draw(policy_names):
        named = draw(rule_teams)
        rules = [
            {
                "name": f"rule-{team}",
                "teams": sorted({*draw(teams), team}),
                "users": draw(rule_users),
                "minApprovals": draw(one_or_two),
            }
            for team in named
        ]
        found.append({"name": name, "rules": rules})
    return found


@drawing.composite
def cases(draw: Draw) -> Case:
    """A promotion with drawn requirements, teams, votes, and perhaps a freeze or a broken fact."""
    candidates = [candidate(username, teams=draw(teams)) for username in VOTERS]
    candidates += [candidate("greta", exclusion="RELEASE_CREATOR"), candidate("tomas", exclusion="REQUESTER")]
    votes = [
        vote(
            each["username"],
            draw(verdicts),
            at=draw(times),
            teams=each["teams"],
            subject=draw(subjects),
        )
        for each in candidates[: len(VOTERS)]
        if draw(has_voted)
    ]
    return Case(
        policies=draw(policies()),
        required=draw(up_to_three),
        candidates=candidates,
        votes=votes,
        freezes=[FREEZE] if draw(frozen) else [],
        release={"status": draw(release_states)},
        signing={"available": draw(can_sign)},
    )


FREEZE: Any = {
    "id": "freeze",
    "name": "Quarter end",
    "scope": "tenant",
    "start": BEFORE,
    "end": "2026-11-24T08:00:00.000Z",
    "reason": "quarter end",
    "createdByName": "Greta",
}


def outcome(evaluation: Evaluation) -> Any:
    """What an evaluation decides and counts; not who is named where."""
    requirements = evaluation.gates[-1].details["requirements"]
    return (
        evaluation.decision,
        [each.status for each in evaluation.gates],
        evaluation.required,
        evaluation.given,
        [(each["name"], each["slots"], each["filled"]) for each in requirements],
    )


@given(drawn(cases()), st.permutations(range(len(VOTERS))))
def test_the_order_of_votes_never_matters(case: Case, order: list[int]) -> None:
    before = outcome(case.judged())
    instants = [BEFORE, "2026-11-21T08:00:00.000Z", "2026-11-22T08:00:00.000Z", NOW]
    case.facts["votes"] = [
        {**each, "at": instants[place]} for each, place in zip(case.facts["votes"], order, strict=False)
    ]
    assert outcome(case.judged()) == before


@given(drawn(cases()), drawn(teams), drawn(times))
def test_the_approval_of_an_excluded_person_never_changes_the_outcome(case: Case, of_teams: list[str], at: str) -> None:
    before = outcome(case.judged())
    case.facts["votes"].append(vote("greta", teams=of_teams, at=at))
    assert outcome(case.judged()) == before


@given(
    drawn(cases()),
    st.sampled_from(["greta", "idris", "nia", "zoe"]),
    drawn(teams),
    drawn(times),
    st.sampled_from([SUBJECT, OTHER_SUBJECT]),
)
def test_a_reject_of_anybody_but_the_requester_never_lets_it_through(
    case: Case, username: str, of_teams: list[str], at: str, subject: str
) -> None:
    """Without a key it waits to be sealed."""
    case.facts["votes"].append(vote(username, "reject", reason="No", teams=of_teams, at=at, subject=subject))
    decision = case.judged().decision
    assert decision == "deny" or (decision == "pending" and not case.facts["signing"]["available"])


@given(drawn(cases()), st.sampled_from(["approve", "reject"]), drawn(teams), drawn(times), st.booleans())
def test_the_requester_never_counts(case: Case, ballot: str, of_teams: list[str], at: str, forged: bool) -> None:
    """Not even where the list of candidates says that the requester may vote."""
    if forged:
        case.facts["candidates"] = [*case.facts["candidates"][:-1], candidate("tomas", teams=of_teams)]  # type: ignore[index]
        case.facts["requirements"]["excludedPersons"] = [
            each for each in case.facts["requirements"]["excludedPersons"] if each["username"] != "tomas"
        ]
    before = outcome(case.judged())
    case.facts["votes"].append(vote("tomas", ballot, teams=of_teams, at=at))
    assert outcome(case.judged()) == before


@given(drawn(cases()), drawn(teams), drawn(times))
def test_somebody_who_is_no_candidate_never_counts(case: Case, of_teams: list[str], at: str) -> None:
    before = outcome(case.judged())
    case.facts["votes"].append(vote("zoe", teams=of_teams, at=at))
    assert outcome(case.judged()) == before


@given(drawn(cases()))
def test_overlapping_teams_never_deadlock(case: Case) -> None:
    """When nothing is wrong but missing votes, everybody eligible voting yes is always enough."""
    case.given(freezes=[], release={"status": "finalized"}, signing={"available": True}, votes=[])
    if "APPROVAL_UNSATISFIABLE" in case.judged().reason_codes:
        return
    for person in case.facts["candidates"]:
        assert isinstance(person, dict)
        if person["exclusion"] is None:
            case.facts["votes"].append(vote(person["username"], teams=person["teams"]))
    assert case.judged().decision == "allow"


@given(drawn(cases()))
def test_as_many_people_as_required_are_at_least_needed(case: Case) -> None:
    evaluation = case.judged()
    if evaluation.gates[-1].status == "pass":
        assert evaluation.given >= evaluation.required


@given(drawn(cases()))
def test_who_could_act_would_fill_a_place(case: Case) -> None:
    """Each eligible person's vote, and nobody else's, fills one more place somewhere."""
    case.given(votes=[each for each in case.facts["votes"] if each["verdict"] == "approve"])
    details = case.judged().gates[-1].details
    listed = {each for one in details["requirements"] for rule in one["rules"] for each in rule["eligible"]}
    voted = {each["voterId"] for each in case.facts["votes"] if each["subjectDigest"] != OTHER_SUBJECT}
    for person in case.facts["candidates"]:
        assert isinstance(person, dict)
        if person["exclusion"] is None and person["id"] not in voted:
            more = copy.deepcopy(case)
            more.facts["votes"] = [each for each in more.facts["votes"] if each["voterId"] != person["id"]]
            more.facts["votes"].append(vote(person["username"], teams=person["teams"]))
            after = more.judged().gates[-1].details
            grew = sum(each["filled"] for each in after["requirements"]) > sum(
                each["filled"] for each in details["requirements"]
            )
            assert grew == (person["id"] in listed)


def _without_a_vote(votes: list[Vote]) -> list[Vote]:
    return [each for index, each in enumerate(votes) if index or each["verdict"] == "reject"]


WORSE: dict[str, Callable[[Case], Any]] = {
    "a freeze begins": lambda case: case.facts["freezes"].append(FREEZE),
    "the release is deprecated": lambda case: case.given(release={"status": "deprecated"}),
    "the release is archived": lambda case: case.given(release={"status": "archived"}),
    "the components changed": lambda case: case.given(release={"manifestDigest": None}),
    "it was rolled back in the source": lambda case: case.given(source={"deployed": False}),
    "the target was archived": lambda case: case.given(target={"archived": True}),
    "a later one was approved": lambda case: case.given(supersededBy="id-later"),
    "the key is gone": lambda case: case.given(signing={"available": False}),
    "an approval was withdrawn": lambda case: case.given(votes=_without_a_vote(case.facts["votes"])),
    "somebody rejects": lambda case: case.facts["votes"].append(vote("idris", "reject", vote_id="late")),
    "approvals are for another subject": lambda case: case.given(
        subject={"digest": OTHER_SUBJECT}, votes=[each for each in case.facts["votes"] if each["verdict"] == "reject"]
    ),
    "one more approval is required": lambda case: case.given(
        requirements={"requiredApprovals": case.facts["requirements"]["requiredApprovals"] + 1}
    ),
    "a document is lost": lambda case: case.documents.clear(),
}


@given(drawn(cases()), st.sampled_from(sorted(WORSE)))
def test_a_worse_fact_never_turns_another_decision_into_allow(case: Case, what: str) -> None:
    before = case.judged().decision
    WORSE[what](case)
    if before != "allow":
        assert case.judged().decision != "allow"


@given(drawn(cases()), st.sets(st.sampled_from(VOTERS)))
def test_who_loses_the_role_never_turns_another_decision_into_allow(case: Case, lost: set[str]) -> None:
    """As long as it is not a reject that is lost: that one ended the promotion when it was given."""
    case.facts["votes"] = [each for each in case.facts["votes"] if each["verdict"] == "approve"]
    before = case.judged().decision
    case.facts["candidates"] = [
        candidate(
            each["username"],
            teams=each["teams"],
            exclusion="NO_VOTING_ROLE" if each["username"] in lost else each["exclusion"],
        )
        for each in case.facts["candidates"]
        if isinstance(each, dict)
    ]
    if before != "allow":
        assert case.judged().decision != "allow"


owner_teams = drawing.sets(TEAMS, min_size=1).map(sorted)
which_rules = drawing.sets(range(6))


@drawing.composite
def owned(draw: Draw) -> tuple[Case, Case]:
    """A promotion some of whose rules name the owners, and the same with the owner teams written out."""
    case, owners, named = draw(cases()), draw(owner_teams), draw(which_rules)
    texts = [case.documents[each["digest"]] for each in case.facts["requirements"]["approvalPolicies"]]
    given = {name: copy.deepcopy(value) for name, value in case.facts.items() if name not in ("requirements", "kinds")}
    required = case.facts["requirements"]["requiredApprovals"]
    product = {"id": "id-main", "slug": "main", "version": 1, "ownerTeams": owners}

    def with_teams(teams: list[str]) -> Case:
        policies = [
            {
                **text,
                "rules": [
                    {**rule, "teams": sorted({*rule["teams"], *teams})} if index in named else rule
                    for index, rule in enumerate(text["rules"])
                ],
            }
            for text in texts
        ]
        return Case(policies=policies, required=required, requirements={"product": product}, **given)

    return with_teams(["@owners"]), with_teams(owners)


@given(drawn(owned()))
def test_the_owners_of_the_snapshot_are_judged_as_if_they_were_written_out(both: tuple[Case, Case]) -> None:
    by_name, written_out = both
    assert outcome(by_name.judged()) == outcome(written_out.judged())
    assert by_name.gate("approval").details == written_out.gate("approval").details
    assert approval_voters(by_name.facts, by_name.documents) == approval_voters(
        written_out.facts, written_out.documents
    )
