"""The acceptance lines about judging: gate order is deterministic, a gate that errors never passes."""

import copy
import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from policies.evaluator import UnknownKindVersion, evaluate
from policies.facts import InvalidGateInput, candidates_fact
from policies.gates import REGISTRY, Registry
from policies.outcomes import Evaluation, Verdict
from stellapromote.signing.canonical_json import canonical_bytes, digest
from tests.policies.cases import TWO_PERSON, Case, candidate, verdict, vote

CONFIRM = {"confirmers": {"teams": ["release"]}, "text": "Backup checked."}
HOURS = {"windows": [{"start": "2026-11-23T00:00:00Z", "end": "2026-11-24T00:00:00Z"}]}


def with_judge(kind: str, judge: Callable[..., Any]) -> Registry:
    """The registry with another judge for one kind."""
    return Registry(replace(each, judge=judge) if each.kind == kind else each for each in REGISTRY.kinds.values())


def full() -> Case:
    """Every kind of gate, all passing but approval, with the gates given in no order."""
    target = {"type": "environment", "environment": "staging", "state": "idle"}
    seen = {"frozen": False, "nextOpen": None, "nextClose": None, "idle": True}
    case = Case(
        gates_=[
            {"name": "z-check", "kind": "manual", "config": CONFIRM},
            {"name": "needs", "kind": "dependency", "config": {"targets": [target]}},
            {"name": "a-check", "kind": "manual", "config": CONFIRM},
            {"name": "hours", "kind": "schedule", "config": HOURS},
        ],
        policies=[TWO_PERSON],
        required=1,
        votes=[vote("mei"), vote("ravi"), vote("greta")],
        schedules={"hours": [{"start": "2026-11-23T00:00:00.000Z", "end": "2026-11-24T00:00:00.000Z"}]},
    )
    confirmations = [{**vote("nia"), "id": f"c-{gate}", "gate": gate} for gate in ("a-check", "z-check")]
    for each in confirmations:
        for name in ("verdict", "displayName", "reason"):
            del each[name]
    return case.given(confirmations=confirmations, dependencies={"needs": [{**target, "observed": seen}]})


def result_bytes(evaluation: Evaluation) -> bytes:
    return canonical_bytes(evaluation.as_json())


def test_gate_order_is_deterministic() -> None:
    gates = full().judged().gates
    assert [(each.sequence, each.name) for each in gates] == [
        (1, "preconditions"),
        (2, "freeze-window"),
        (3, "hours"),
        (4, "needs"),
        (5, "a-check"),
        (6, "z-check"),
        (7, "approval"),
    ]


def test_all_gates_are_judged_also_after_one_that_fails() -> None:
    case = full().given(target={"archived": True})
    assert [each.status for each in case.judged().gates] == ["fail", *["pass"] * 6]


@pytest.mark.parametrize("seed", range(20))
def test_results_are_the_same_bytes_whatever_order_the_facts_are_in(seed: int) -> None:
    case = full()
    expected = result_bytes(case.judged())
    shuffle = random.Random(seed).shuffle  # noqa: S311
    for name in ("votes", "candidates", "confirmations", "freezes"):
        shuffle(case.facts[name])  # type: ignore[literal-required]
    shuffle(case.facts["requirements"]["excludedPersons"])
    case.facts["kinds"] = dict(sorted(case.facts["kinds"].items(), reverse=True))
    assert result_bytes(case.judged()) == expected


@pytest.mark.parametrize("seed", range(10))
def test_results_are_the_same_bytes_whatever_order_the_policys_gates_are_in(seed: int) -> None:
    case = full()
    expected = result_bytes(case.judged())
    shuffled = copy.deepcopy(case.policy.content)
    random.Random(seed).shuffle(shuffled["gates"])  # noqa: S311
    key = digest(shuffled)
    case.facts["requirements"]["promotionPolicy"]["digest"] = key
    case.documents[key] = shuffled
    assert result_bytes(case.judged()) == expected


def test_judging_stored_bytes_again_gives_the_same_bytes() -> None:
    case = full()
    stored = json.loads(canonical_bytes(case.facts))
    assert result_bytes(evaluate(stored, case.documents)) == result_bytes(case.judged())


def test_judging_changes_neither_facts_nor_documents() -> None:
    case = full()
    before = copy.deepcopy((case.facts, case.documents))
    case.judged()
    assert (case.facts, case.documents) == before


def test_changing_a_result_does_not_reach_the_next_one() -> None:
    case = full()
    expected = result_bytes(case.judged())
    for gate in case.judged().gates:
        for part in gate.details.values():
            if isinstance(part, list):
                part.append("scribble")
    assert result_bytes(case.judged()) == expected


def raising(error: BaseException) -> Callable[..., Any]:
    def judge(*_: Any) -> Any:
        raise error

    return judge


def answering(answer: Any) -> Callable[..., Any]:
    return lambda *_: answer


RECURSIVE: dict[str, Any] = {}
RECURSIVE["self"] = RECURSIVE

FAILING_JUDGES: list[Callable[..., Any]] = [
    # whatever is raised
    raising(ValueError("no")),
    raising(KeyError("votes")),
    raising(RecursionError()),
    raising(MemoryError()),
    raising(ZeroDivisionError()),
    raising(AssertionError()),
    raising(StopIteration()),
    # no answer
    answering(None),
    # an answer of another type
    answering("pass"),
    answering({"status": "pass"}),
    # a status outside the four
    answering(Verdict("passed", (), {}, "")),  # type: ignore[arg-type]
    answering(Verdict("PASS", (), {}, "")),  # type: ignore[arg-type]
    answering(Verdict(True, (), {}, "")),  # type: ignore[arg-type]
    answering(Verdict(["pass"], (), {}, "")),  # type: ignore[arg-type]
    # a code that is none
    answering(Verdict("pass", ("lower case",), {}, "")),
    answering(Verdict("pass", (7,), {}, "")),  # type: ignore[arg-type]
    # details that cannot be sealed
    answering(Verdict("pass", (), {"a": float("nan")}, "")),
    answering(Verdict("pass", (), {"a": 2**53}, "")),
    answering(Verdict("pass", (), {"a": {1, 2}}, "")),
    answering(Verdict("pass", (), {7: "a"}, "")),  # type: ignore[dict-item]
    answering(Verdict("pass", (), {"a": "\ud800"}, "")),
    answering(Verdict("pass", (), RECURSIVE, "")),
    answering(Verdict("pass", (), [], "")),  # type: ignore[arg-type]
    # a next change that is no time
    answering(Verdict("pass", (), {}, "", "soon")),
    answering(Verdict("pass", (), {}, "", 7)),  # type: ignore[arg-type]
    # a message that is no text
    answering(Verdict("pass", (), {}, None)),  # type: ignore[arg-type]
    # takes other arguments
    lambda: Verdict("pass", (), {}, ""),
]


@pytest.mark.parametrize("kind", ["preconditions", "freeze-window", "schedule", "dependency", "manual", "approval"])
@pytest.mark.parametrize("judge", FAILING_JUDGES)
def test_a_gate_that_errors_never_passes(kind: str, judge: Callable[..., Any]) -> None:
    evaluation = full().judged(registry=with_judge(kind, judge))
    results = {verdict(each)[0] for each in evaluation.gates if each.type == kind}
    assert (results, evaluation.decision) == ({"pending"}, "pending")
    assert "GATE_ERROR" in evaluation.reason_codes


@pytest.mark.parametrize("judge", FAILING_JUDGES)
def test_a_gate_that_errors_fails_where_the_policy_says_so(judge: Callable[..., Any]) -> None:
    case = Case(gates_=[{"kind": "freeze-window", "onError": "fail"}])
    evaluation = case.judged(registry=with_judge("freeze-window", judge))
    assert (evaluation.gates[1].status, evaluation.decision) == ("fail", "deny")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_no_verdict(error: type[BaseException]) -> None:
    with pytest.raises(error):
        Case().judged(registry=with_judge("approval", raising(error())))


def test_an_error_names_its_kind_and_nothing_that_may_differ() -> None:
    evaluation = Case().judged(registry=with_judge("approval", raising(ValueError("at 0x7f00"))))
    assert evaluation.gates[-1].details == {"error": "ValueError"}


def test_an_error_in_approval_does_not_claim_that_nobody_is_needed() -> None:
    evaluation = Case(policies=[TWO_PERSON]).judged(registry=with_judge("approval", raising(ValueError())))
    assert (evaluation.required, evaluation.given) == (1, 0)


def test_a_missing_promotion_policy_makes_every_mandatory_gate_an_error() -> None:
    case = Case(votes=[vote("nia")])
    del case.documents[case.policy.digest]
    evaluation = case.judged()
    assert evaluation.decision == "pending"
    assert [(each.name, verdict(each)) for each in evaluation.gates] == [
        ("preconditions", ("pending", ["GATE_ERROR"])),
        ("freeze-window", ("pending", ["GATE_ERROR"])),
        ("approval", ("pending", ["GATE_ERROR"])),
    ]
    assert evaluation.gates[0].details == {"missingDocument": case.policy.digest}


def test_a_missing_approval_policy_makes_approval_an_error() -> None:
    case = Case(policies=[TWO_PERSON], votes=[vote("mei"), vote("nia")])
    case.documents = {case.policy.digest: case.policy.content}
    assert [verdict(each) for each in case.judged().gates][-1] == ("pending", ["GATE_ERROR"])


def test_missing_candidates_make_approval_an_error() -> None:
    fact, _ = candidates_fact([candidate(f"p{index:03}") for index in range(501)])
    assert verdict(Case(required=1, candidates=fact).gate("approval")) == ("pending", ["GATE_ERROR"])


def test_candidates_in_a_blob_vote_like_any_others() -> None:
    fact, blobs = candidates_fact([candidate("nia"), *(candidate(f"p{index:03}") for index in range(501))])
    case = Case(required=1, candidates=fact, votes=[vote("nia")])
    case.documents.update(blobs)
    assert case.judged().decision == "allow"


def test_an_approval_policy_that_cannot_be_used_fails_its_gate() -> None:
    case = Case(policies=[TWO_PERSON], votes=[vote("mei"), vote("nia")])
    empty = {"schema": "stella.approval-policy/v1", "name": "two-person", "rules": []}
    case.facts["requirements"]["approvalPolicies"][0]["digest"] = digest(empty)
    case.documents[digest(empty)] = empty
    assert verdict(case.gate("approval")) == ("fail", ["GATE_CONFIG_INVALID"])


def given_policy(case: Case, content: dict[str, Any]) -> Case:
    """The case under a promotion policy stored as it is, checked by nobody."""
    case.facts["requirements"]["promotionPolicy"]["digest"] = digest(content)
    case.documents[digest(content)] = content
    return case


def test_an_unknown_kind_fails() -> None:
    content = {"schema": "stella.promotion-policy/v1", "gates": [{"name": "stars", "kind": "horoscope"}]}
    evaluation = given_policy(Case(), content).judged()
    last = evaluation.gates[-1]
    assert (last.name, last.type, last.kind_version, verdict(last)) == (
        "stars",
        "horoscope",
        0,
        ("fail", ["GATE_UNKNOWN_KIND"]),
    )
    assert evaluation.decision == "deny"


def test_an_unknown_kind_is_judged_alike_when_a_later_version_knows_it() -> None:
    """Replay goes by the kinds of the input, and not by what has been learnt since."""
    content = {"schema": "stella.promotion-policy/v1", "gates": [{"name": "stars", "kind": "horoscope"}]}
    later = Registry([*REGISTRY.kinds.values(), replace(REGISTRY.kinds["manual", 1], kind="horoscope")])
    case = given_policy(Case(), content)
    assert case.judged(registry=later).as_determined() == case.judged().as_determined()


def test_an_invalid_config_fails_with_its_place_and_onerror_does_not_soften_it() -> None:
    gate = {"name": "hours", "kind": "schedule", "config": {"windows": []}, "onError": "pending"}
    case = given_policy(Case(gates_=[]), {"schema": "stella.promotion-policy/v1", "gates": [gate]})
    case.facts["kinds"]["schedule"] = 1
    result = case.gate("hours")
    assert verdict(result) == ("fail", ["GATE_CONFIG_INVALID"])
    assert result.details == {"errors": [{"field": "gates[0].config.windows", "code": "VAL_INVALID"}]}


@pytest.mark.parametrize("kinds", [{"approval": 4}, {"approval": 0}, {"horoscope": 1}, {"approval": "1"}])
def test_an_unknown_kind_version_is_not_judged(kinds: Any) -> None:
    with pytest.raises(UnknownKindVersion):
        Case(kinds=kinds).judged()


@pytest.mark.parametrize("kind", ["preconditions", "freeze-window", "approval"])
def test_an_input_that_leaves_a_mandatory_kind_out_is_not_judged(kind: str) -> None:
    case = Case()
    del case.facts["kinds"][kind]
    with pytest.raises(InvalidGateInput):
        case.judged()


@pytest.mark.parametrize("changes", [{"schema": "stella.gate-input/v2"}, {"instant": "now"}, {"instant": None}])
def test_what_is_no_gate_input_is_not_judged(changes: Any) -> None:
    with pytest.raises(InvalidGateInput):
        Case(**changes).judged()


def test_an_old_judge_stays_beside_a_new_one() -> None:
    newer = replace(REGISTRY.kinds["approval", 3], version=4, judge=answering(Verdict("pass", (), {}, "")))
    both = Registry([*REGISTRY.kinds.values(), newer])
    old, new = Case(required=1), Case(required=1, kinds={"approval": 4})
    assert (both.current["approval"], old.judged(registry=both).decision) == (4, "pending")
    assert new.judged(registry=both).gates[-1].kind_version == 4


APPLIES: list[tuple[list[str], bool, tuple[str, list[str]]]] = [
    # the default: both
    (["forward", "rollback"], True, ("pending", ["CONFIRMATION_PENDING"])),
    # forward only, going forward
    (["forward"], False, ("pending", ["CONFIRMATION_PENDING"])),
    # forward only, going back
    (["forward"], True, ("pass", ["GATE_NOT_APPLICABLE"])),
    # rollback only, going forward
    (["rollback"], False, ("pass", ["GATE_NOT_APPLICABLE"])),
]


@pytest.mark.parametrize(("applies_to", "is_rollback", "expected"), APPLIES)
def test_a_gate_applies_where_the_policy_says(
    applies_to: list[str], is_rollback: bool, expected: tuple[str, list[str]]
) -> None:
    gate = {"name": "check", "kind": "manual", "config": CONFIRM, "appliesTo": applies_to}
    case = Case(gates_=[gate], promotion={"isRollback": is_rollback})
    assert verdict(case.gate("check")) == expected


def test_a_stored_policy_cannot_leave_a_mandatory_gate_out_for_a_direction() -> None:
    gate = {"name": "approval", "kind": "approval", "config": {}, "onError": "pending", "appliesTo": ["forward"]}
    content = {"schema": "stella.promotion-policy/v1", "gates": [gate]}
    case = given_policy(Case(required=1, promotion={"isRollback": True}), content)
    assert case.judged().decision != "allow"


NEXT: list[tuple[Case, str | None]] = [
    # nothing that time changes
    (Case(), None),
    # the end of the window in which it may enter
    (full(), "2026-11-24T00:00:00.000Z"),
    # the soonest of several
    (
        full().given(
            freezes=[
                {
                    "id": "f",
                    "name": "Deploy freeze",
                    "scope": "tenant",
                    "start": "2026-11-23T20:00:00.000Z",
                    "end": "2026-11-25T00:00:00.000Z",
                    "reason": "audit",
                    "createdByName": "Greta",
                }
            ]
        ),
        "2026-11-23T20:00:00.000Z",
    ),
    # a denied one does not change any more
    (full().given(target={"archived": True}), None),
]


@pytest.mark.parametrize(("case", "expected"), NEXT)
def test_next_change_is_the_soonest_of_the_gates(case: Case, expected: str | None) -> None:
    assert case.judged().next_change_at == expected


def test_reason_codes_are_the_sorted_union_over_all_gates() -> None:
    case = Case(required=1, votes=[vote("greta")], target={"archived": True})
    assert case.judged().reason_codes == ("APPROVAL_PENDING", "ENVIRONMENT_ARCHIVED", "VOTER_NOT_ELIGIBLE")


def test_reason_codes_of_a_gate_are_sorted_and_unique() -> None:
    codes = ("B_CODE", "A_CODE", "B_CODE")
    evaluation = Case().judged(registry=with_judge("approval", answering(Verdict("warn", codes, {}, ""))))
    assert evaluation.gates[-1].reason_codes == ("A_CODE", "B_CODE")
