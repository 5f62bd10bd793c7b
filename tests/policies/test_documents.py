import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.documents import (
    InvalidDocument,
    Unsatisfiable,
    approval_policy,
    promotion_policy,
    read_approval_policy,
    read_promotion_policy,
)
from policies.gates import MANDATORY
from stellapromote.signing.canonical_json import digest
from tests.policies.cases import TWO_PERSON

RULE = {"name": "release", "teams": ["release"]}


def test_an_approval_policy_in_normal_form() -> None:
    assert approval_policy({"name": "two", "rules": [{"name": "r", "teams": ["b", "a", "b"]}]}).content == {
        "schema": "stella.approval-policy/v1",
        "name": "two",
        "description": "",
        "rules": [{"name": "r", "teams": ["a", "b"], "users": [], "minApprovals": 1}],
        "commentRequired": False,
        "separationOfDuties": {
            "excludeReleaseCreator": True,
            "excludeCommitAuthors": False,
            "excludePolicyEditor": False,
            "excludeDeployer": False,
        },
        "requireSubjectDigest": False,
        "blind": False,
    }


def test_a_promotion_policy_in_normal_form_has_the_mandatory_gates_in_order() -> None:
    document = promotion_policy(
        {"gates": [{"name": "check", "kind": "manual", "config": {"confirmers": {"users": ["nia"]}, "text": "ok"}}]}
    ).content
    assert [each["name"] for each in document["gates"]] == ["preconditions", "freeze-window", "check", "approval"]
    assert document["gates"][2] == {
        "name": "check",
        "kind": "manual",
        "config": {"confirmers": {"teams": [], "users": ["nia"]}, "text": "ok", "minConfirmations": 1},
        "onError": "pending",
        "appliesTo": ["forward", "rollback"],
    }
    assert (document["pendingTtl"], document["approvalTtl"], document["supersedeOlder"]) == (1_209_600, 259_200, False)


def test_a_gate_without_a_name_is_called_by_its_kind() -> None:
    gate = {"kind": "schedule", "config": {"windows": [{"start": "2026-01-01T00:00", "end": "2026-01-02T00:00"}]}}
    assert "schedule" in [each["name"] for each in promotion_policy({"gates": [gate]}).content["gates"]]


def test_a_mandatory_gate_keeps_the_name_and_config_it_is_given() -> None:
    gate = {"name": "stop-the-line", "kind": "freeze-window", "config": {"onFreeze": "fail"}}
    gates = promotion_policy({"gates": [gate]}).content["gates"]
    assert [(each["name"], each["config"]) for each in gates if each["kind"] == "freeze-window"] == [
        ("stop-the-line", {"onFreeze": "fail"})
    ]


def test_the_digest_is_that_of_the_content_and_its_bytes() -> None:
    document = approval_policy(TWO_PERSON)
    assert document.digest == digest(document.content) == digest(json.loads(document.canonical))


def test_the_order_of_gates_does_not_change_the_digest() -> None:
    gates = [
        {"name": name, "kind": "manual", "config": {"confirmers": {"users": ["nia"]}, "text": "ok"}} for name in "ab"
    ]
    assert promotion_policy({"gates": gates}).digest == promotion_policy({"gates": gates[::-1]}).digest


@pytest.mark.parametrize("value", [TWO_PERSON, {"name": "x", "rules": [RULE], "requireSubjectDigest": True}])
def test_reading_the_normal_form_of_an_approval_policy_changes_nothing(value: Any) -> None:
    document = approval_policy(value)
    assert approval_policy(document.content).canonical == document.canonical


gate_lists = st.lists(
    st.sampled_from(
        [
            {"kind": "freeze-window", "config": {"onFreeze": "fail"}},
            {"kind": "preconditions", "config": {"requireChangeRef": True}, "onError": "fail"},
            {"kind": "approval", "onError": "fail"},
            {"name": "m", "kind": "manual", "config": {"confirmers": {"teams": ["b", "a"]}, "text": "x"}},
            {"kind": "dependency", "config": {"targets": [{"type": "release", "release": "1", "environment": "e"}]}},
            {
                "name": "s",
                "kind": "schedule",
                "config": {"windows": [{"start": "2026-01-01T00:00", "end": "2026-01-02T00:00:00Z"}]},
            },
        ]
    ),
    unique_by=lambda gate: gate["kind"],
)


@given(gate_lists)
def test_reading_the_normal_form_of_a_promotion_policy_changes_nothing(gates: list[dict[str, Any]]) -> None:
    document = promotion_policy({"gates": gates})
    assert promotion_policy(document.content).canonical == document.canonical


def test_reading_does_not_change_what_it_is_given() -> None:
    value = {"gates": [{"kind": "freeze-window"}]}
    promotion_policy(value)
    assert value == {"gates": [{"kind": "freeze-window"}]}


APPROVAL_REFUSED: list[tuple[dict[str, Any], str, str]] = [
    # the name of approvals by anyone
    ({"name": "anyone"}, "name", "invalid"),
    # no name that a URL takes
    ({"name": "Two persons"}, "name", "invalid"),
    # two rules of one name
    ({"rules": [RULE, RULE]}, "rules[1].name", "invalid"),
    # a quorum of zero
    ({"rules": [RULE | {"minApprovals": 0}]}, "rules[0].minApprovals", "min_value"),
    # an absurd one
    ({"rules": [RULE | {"minApprovals": 21}]}, "rules[0].minApprovals", "max_value"),
    # a service account's name is no person's
    ({"rules": [RULE | {"users": ["kestrel.ci-runner"]}]}, "rules[0].users[0]", "invalid"),
    # a field that does not exist
    ({"rules": [RULE | {"minapprovals": 2}]}, "rules[0].minapprovals", "unknown_field"),
    # no setting turns the requester's exclusion off
    ({"separationOfDuties": {"excludeRequester": False}}, "separationOfDuties.excludeRequester", "unknown_field"),
    # another schema
    ({"schema": "stella.approval-policy/v2"}, "schema", "invalid_choice"),
    # too many rules
    ({"rules": [RULE | {"name": f"r{index}"} for index in range(21)]}, "rules", "max_length"),
    # a description with a password in it
    ({"description": "see https://a:b@c/"}, "description", "invalid"),
]


@pytest.mark.parametrize(("changes", "field", "code"), APPROVAL_REFUSED)
def test_an_approval_policy_is_refused(changes: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(InvalidDocument) as refusal:
        approval_policy({"name": "two", "rules": [RULE], **changes})
    assert [(each.field, each.code) for each in refusal.value.fields] == [(field, code)]
    assert refusal.value.status == 400


UNSATISFIABLE: list[tuple[list[dict[str, Any]], str]] = [
    # no rules
    ([], "at least one rule"),
    # a rule for nobody
    ([{"name": "nobody"}], "names no team and no user"),
    # more approvals than named people
    ([{"name": "pair", "users": ["mei", "nia"], "minApprovals": 3}], "more approvals than the users"),
    # the same person twice is one person
    ([{"name": "pair", "users": ["mei", "mei"], "minApprovals": 2}], "more approvals than the users"),
]


@pytest.mark.parametrize(("rules", "why"), UNSATISFIABLE)
def test_rules_that_nobody_can_satisfy_are_refused(rules: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(Unsatisfiable, match=why) as refusal:
        approval_policy({"name": "two", "rules": rules})
    assert (refusal.value.status, refusal.value.code) == (422, "POL_UNSATISFIABLE")


MANUAL = {"confirmers": {"users": ["nia"]}, "text": "ok"}
PROMOTION_REFUSED: list[tuple[Any, list[tuple[str, str]]]] = [
    # no object
    ([], [("", "invalid")]),
    # no list
    ({"gates": {}}, [("gates", "not_a_list")]),
    # a gate that is none
    ({"gates": ["approval"]}, [("gates[0]", "invalid")]),
    # a gate without kind
    ({"gates": [{"name": "x"}]}, [("gates[0].kind", "required")]),
    # a kind nobody knows
    ({"gates": [{"name": "x", "kind": "horoscope"}]}, [("gates[0].kind", "invalid")]),
    # a kind without the settings that it needs
    ({"gates": [{"name": "x", "kind": "security"}]}, [("gates[0].config.rules", "required")]),
    # overrides come later
    ({"gates": [{"kind": "approval", "override": {"by": ["mei"]}}]}, [("gates[0].override", "invalid")]),
    # an error can be pending or a failure, never a pass
    ({"gates": [{"kind": "approval", "onError": "pass"}]}, [("gates[0].onError", "invalid_choice")]),
    # an unknown setting
    ({"gates": [{"kind": "approval", "config": {"off": True}}]}, [("gates[0].config.off", "unknown_field")]),
    # two gates of one name
    (
        {"gates": [{"name": "m", "kind": "manual", "config": MANUAL}] * 2},
        [("gates[1].name", "invalid")],
    ),
    # a mandatory gate twice
    (
        {"gates": [{"kind": "approval"}, {"name": "again", "kind": "approval"}]},
        [("gates[1].kind", "invalid")],
    ),
    # another gate under a mandatory one's name
    (
        {"gates": [{"name": "approval", "kind": "manual", "config": MANUAL}]},
        [("gates[0].name", "invalid")],
    ),
    # mandatory gates cannot be left out for one direction
    (
        {"gates": [{"kind": "freeze-window", "appliesTo": ["rollback"]}]},
        [("gates[0].appliesTo", "invalid")],
    ),
    # a gate that never applies
    (
        {"gates": [{"kind": "manual", "config": MANUAL, "appliesTo": []}]},
        [("gates[0].appliesTo", "min_length")],
    ),
    # a life of no time, of ten years, of a fraction
    ({"pendingTtl": 0}, [("pendingTtl", "min_value")]),
    ({"approvalTtl": 10 * 366 * 86400}, [("approvalTtl", "max_value")]),
    ({"approvalTtl": 1.5}, [("approvalTtl", "invalid")]),
    # everything that is wrong is told
    (
        {"gates": [{"kind": "approval", "onError": "pass"}, {"name": "x", "kind": "horoscope"}]},
        [("gates[0].onError", "invalid_choice"), ("gates[1].kind", "invalid")],
    ),
]


@pytest.mark.parametrize(("value", "expected"), PROMOTION_REFUSED)
def test_a_promotion_policy_is_refused(value: Any, expected: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidDocument) as refusal:
        promotion_policy(value)
    assert [(each.field, each.code) for each in refusal.value.fields] == expected


def test_mixed_errors_have_the_general_code() -> None:
    with pytest.raises(InvalidDocument) as refusal:
        approval_policy({"name": "A", "rules": [RULE], "nope": 1})
    assert refusal.value.code == "VAL_INVALID"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(MANDATORY),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["gates", "name", "kind", "config", "rules", "appliesTo", "onError", "teams", "x"]), inner
        )
    ),
    max_leaves=12,
)


@given(anything)
def test_reading_a_promotion_policy_never_raises(value: Any) -> None:
    read_promotion_policy(value)


@given(anything)
def test_reading_an_approval_policy_never_raises(value: Any) -> None:
    read_approval_policy(value)


@given(st.lists(anything, max_size=3))
def test_reading_gates_never_raises(gates: list[Any]) -> None:
    read_promotion_policy({"gates": gates})
