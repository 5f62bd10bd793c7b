from typing import Any

import pytest
from rest_framework import serializers

from stellapromote.api.exceptions import field_errors
from stellapromote.api.fields import LineField, SlugField, StrictIntegerField, StrictListField
from stellapromote.api.serializers import Body, NoBody, camel, changed_read_only, shared


class RuleBody(Body):
    rule_name = SlugField()
    min_approvals = StrictIntegerField(min_value=1, max_value=20)
    team_names = StrictListField(child=SlugField(), max_length=3, required=False)


class PolicyBody(Body):
    policy_name = SlugField()
    comment_required = StrictIntegerField(min_value=0, max_value=1, default=0)
    first_rule = RuleBody(required=False)
    all_rules = RuleBody(many=True, max_length=2, required=False)
    free_text = LineField(max_length=10, required=False, allow_null=True)


RULE = {"ruleName": "one", "minApprovals": 1}


def places(body: Body, data: Any) -> list[tuple[str, str]]:
    with pytest.raises(serializers.ValidationError) as refusal:
        body.run_validation(data)
    return sorted((error.field, error.code) for error in field_errors(refusal.value.detail))


def test_names_are_camel_case_on_the_wire_and_snake_case_inside() -> None:
    data = {"policyName": "two-person", "firstRule": {**RULE, "teamNames": ["release"]}, "freeText": None}
    assert PolicyBody().run_validation(data) == {
        "policy_name": "two-person",
        "comment_required": 0,
        "first_rule": {"rule_name": "one", "min_approvals": 1, "team_names": ["release"]},
        "free_text": None,
    }


@pytest.mark.parametrize(("name", "wire"), [("id", "id"), ("order_index", "orderIndex"), ("a_b_c", "aBC")])
def test_camel(name: str, wire: str) -> None:
    assert camel(name) == wire


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"policyName": "a", "zzz": 1}, [("zzz", "unknown_field")]),
        ({"policy_name": "a"}, [("policyName", "required"), ("policy_name", "unknown_field")]),
        ({"policyName": "a", "firstRule": {**RULE, "x": 1}}, [("firstRule.x", "unknown_field")]),
        (
            {"policyName": "a", "firstRule": {}},
            [("firstRule.minApprovals", "required"), ("firstRule.ruleName", "required")],
        ),
        ({"policyName": "a", "firstRule": None}, [("firstRule", "null")]),
        ({"policyName": "a", "firstRule": []}, [("firstRule", "invalid")]),
        ({"policyName": "a", "allRules": {}}, [("allRules", "not_a_list")]),
        ({"policyName": "a", "allRules": [RULE, {**RULE, "y": 1}]}, [("allRules[1].y", "unknown_field")]),
        ({"policyName": "a", "allRules": [{**RULE, "minApprovals": "1"}]}, [("allRules[0].minApprovals", "invalid")]),
        ({"policyName": "a", "allRules": [RULE, RULE, RULE]}, [("allRules", "max_length")]),
        ({"policyName": "a", "allRules": [1]}, [("allRules[0]", "invalid")]),
        ({"policyName": "a", "firstRule": {**RULE, "teamNames": ["a", "B"]}}, [("firstRule.teamNames[1]", "invalid")]),
        ([], [("body", "invalid")]),
        ("text", [("body", "invalid")]),
        (None, [("body", "null")]),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_by_its_place(data: Any, expected: list[tuple[str, str]]) -> None:
    assert places(PolicyBody(), data) == expected


def test_many_unknown_fields_are_a_short_list() -> None:
    assert len(places(NoBody(), {f"field{number}": 1 for number in range(1000)})) == 20


def test_merging_takes_what_is_given_and_no_defaults() -> None:
    body = shared(PolicyBody, merging=True)
    assert body.run_validation({}) == {}
    assert body.run_validation({"freeText": "x"}) == {"free_text": "x"}


def test_merging_still_refuses_unknown_and_wrong_values() -> None:
    body = shared(PolicyBody, merging=True)
    assert places(body, {"zzz": 1, "policyName": "A"}) == [("policyName", "invalid"), ("zzz", "unknown_field")]


def test_merging_keeps_objects_inside_whole() -> None:
    body = shared(PolicyBody, merging=True)
    assert places(body, {"firstRule": {"ruleName": "one"}}) == [("firstRule.minApprovals", "required")]
    assert places(body, {"allRules": [{"minApprovals": 1}]}) == [("allRules[0].ruleName", "required")]


def test_one_instance_serves_all_requests_and_keeps_nothing() -> None:
    body = shared(PolicyBody, merging=False)
    assert body is shared(PolicyBody, merging=False)
    assert body is not shared(PolicyBody, merging=True)
    first = body.run_validation({"policyName": "a", "firstRule": RULE})
    assert body.run_validation({"policyName": "b"}) == {"policy_name": "b", "comment_required": 0}
    assert first["policy_name"] == "a"


def test_read_only_fields_may_be_sent_back_unchanged() -> None:
    stored = {"id": "1", "config": {"a": [1]}}
    assert changed_read_only({"id": "1", "config": {"a": [1]}}, stored) == []
    assert [error.field for error in changed_read_only({"id": "2", "config": {}, "new": 1}, stored)] == [
        "id",
        "config",
        "new",
    ]
