from typing import Any

import pytest

from policies.documents import InvalidDocument, promotion_policy
from tests.policies.cases import Case, verdict

CEL = {"engine": "cel", "text": "true"}
OPA = {"engine": "opa", "connection": "main", "query": "release/allow"}
DIGEST = "sha256:" + "e" * 64

A = {"code": "TOO_OLD", "message": "The base image is too old."}
B = {"code": "NO_OWNER", "message": "Nobody owns it."}


def answer(result: Any, error: str | None = None, engine: str = "cel") -> dict[str, Any]:
    return {"engine": engine, "inputDigest": DIGEST, "revision": None, "error": error, "result": result}


def answered(result: Any, error: str | None = None, engine: str = "cel", **gate: Any) -> Case:
    case = Case(gates_=[{"name": "team-rule", "kind": "policy", "config": CEL if engine == "cel" else OPA, **gate}])
    case.facts["policyAnswers"] = {"team-rule": answer(result, error, engine)}  # type: ignore[dict-item]
    return case


TABLE: list[tuple[Any, tuple[str, list[str]]]] = [
    # a real true
    (True, ("pass", [])),
    ({"allow": True}, ("pass", [])),
    ({"allow": True, "deny": [], "warn": []}, ("pass", [])),
    # a warning lets through
    ({"allow": True, "warn": [A]}, ("warn", ["TOO_OLD"])),
    # a real false
    (False, ("fail", ["POLICY_DENIED"])),
    ({"allow": False}, ("fail", ["POLICY_DENIED"])),
    ({"allow": False, "warn": [A]}, ("fail", ["POLICY_DENIED", "TOO_OLD"])),
    # a deny beats the allow
    ({"allow": True, "deny": [A]}, ("fail", ["TOO_OLD"])),
    ({"allow": False, "deny": [A, B]}, ("fail", ["NO_OWNER", "TOO_OLD"])),
    ({"allow": True, "deny": [A], "warn": [B]}, ("fail", ["NO_OWNER", "TOO_OLD"])),
    # what only looks like true
    (1, ("pending", ["GATE_ERROR"])),
    ("true", ("pending", ["GATE_ERROR"])),
    (None, ("pending", ["GATE_ERROR"])),
    ([True], ("pending", ["GATE_ERROR"])),
    ({"allow": 1}, ("pending", ["GATE_ERROR"])),
    ({"allow": "true"}, ("pending", ["GATE_ERROR"])),
    ({"allow": None}, ("pending", ["GATE_ERROR"])),
    ({}, ("pending", ["GATE_ERROR"])),
    ({"deny": []}, ("pending", ["GATE_ERROR"])),
    # a misspelt deny must not vanish
    ({"allow": True, "denied": [A]}, ("pending", ["GATE_ERROR"])),
    ({"allow": True, "deny": {"code": "A"}}, ("pending", ["GATE_ERROR"])),
    ({"allow": True, "deny": None}, ("pending", ["GATE_ERROR"])),
    # a deny may be a bare text
    ({"allow": True, "deny": ["The base image is too old."]}, ("fail", ["POLICY_DENIED"])),
    # a policy waits, whatever it allows, for as long as it says for what
    ({"allow": False, "pending": [A]}, ("pending", ["TOO_OLD"])),
    ({"allow": True, "pending": [A, B]}, ("pending", ["NO_OWNER", "TOO_OLD"])),
    ({"allow": True, "pending": []}, ("pass", [])),
    ({"allow": False, "pending": []}, ("fail", ["POLICY_DENIED"])),
    # a deny beats the wait
    ({"allow": False, "pending": [A], "deny": [B]}, ("fail", ["NO_OWNER", "TOO_OLD"])),
    ({"allow": False, "pending": [A], "warn": [B]}, ("pending", ["NO_OWNER", "TOO_OLD"])),
    ({"allow": False, "pending": ["Nobody owns it."]}, ("pending", ["GATE_ERROR"])),
    ({"pending": [A]}, ("pending", ["GATE_ERROR"])),
    ({"allow": True, "deny": [{**A, "code": "too-old"}]}, ("pending", ["GATE_ERROR"])),
    ({"allow": True, "warn": [{**A, "code": "TOO OLD"}]}, ("pending", ["GATE_ERROR"])),
    ({"allow": True, "deny": [{"code": "TOO_OLD"}]}, ("pending", ["GATE_ERROR"])),
    ({"allow": True, "deny": [{**A, "message": ""}]}, ("pending", ["GATE_ERROR"])),
    ({"allow": True, "deny": [{**A, "message": "two\nlines"}]}, ("pending", ["GATE_ERROR"])),
    ({"allow": True, "deny": [{**A, "message": "x" * 501}]}, ("pending", ["GATE_ERROR"])),
    ({"allow": True, "deny": [A] * 101}, ("pending", ["GATE_ERROR"])),
    # words of the product about itself
    ({"allow": False, "deny": [{**A, "code": "GATE_FROZEN"}]}, ("pending", ["GATE_ERROR"])),
    ({"allow": True, "warn": [{**A, "code": "OVERRIDDEN"}]}, ("pending", ["GATE_ERROR"])),
]


@pytest.mark.parametrize(("result", "expected"), TABLE)
def test_truth_table(result: Any, expected: tuple[str, list[str]]) -> None:
    assert verdict(answered(result).gate("team-rule")) == expected


@pytest.mark.parametrize("code", ["GATE_ERROR", "GATE_TIMEOUT"])
def test_an_error_is_pending_and_says_what_the_problem_was(code: str) -> None:
    gate = answered({"problem": "ended its process"}, code).gate("team-rule")
    assert verdict(gate) == ("pending", [code])
    assert gate.message == "The policy team-rule ended its process: a policy admin must look at it."


@pytest.mark.parametrize(("result", "error"), [({"problem": "x"}, "GATE_TIMEOUT"), ("yes", None), (None, None)])
def test_on_error_fail_rejects_whatever_is_no_answer(result: Any, error: str | None) -> None:
    assert answered(result, error, onError="fail").gate("team-rule").status == "fail"


@pytest.mark.parametrize("facts", [{}, {"policyAnswers": {}}, {"policyAnswers": {"other": answer(True)}}])
def test_an_answer_that_was_not_gathered_is_missing(facts: dict[str, Any]) -> None:
    case = answered(True)
    del case.facts["policyAnswers"]
    case.facts.update(facts)  # type: ignore[typeddict-item]
    assert verdict(case.gate("team-rule")) == ("pending", ["GATE_FACTS_MISSING"])


def test_the_answer_of_another_engine_does_not_count() -> None:
    case = answered(True)
    case.facts["policyAnswers"]["team-rule"]["engine"] = "opa"
    assert verdict(case.gate("team-rule")) == ("pending", ["GATE_FACTS_MISSING"])


def test_a_missing_answer_of_a_server_names_the_server() -> None:
    case = answered(True, engine="opa")
    case.facts["policyAnswers"] = {}
    assert "policy server main" in case.gate("team-rule").message


def test_the_message_is_made_from_the_reasons() -> None:
    gate = answered({"allow": False, "deny": [B, A]}).gate("team-rule")
    assert gate.message == "Nobody owns it; The base image is too old."


def test_many_reasons_are_counted() -> None:
    deny = [{"code": f"R{number}", "message": f"Reason {number}."} for number in range(5)]
    assert answered({"allow": False, "deny": deny}).gate("team-rule").message.endswith("Reason 2; and 2 more.")


def test_details_hold_data_and_no_sentence() -> None:
    gate = answered({"allow": False, "deny": [A]}).gate("team-rule")
    assert gate.details == {
        "engine": "cel",
        "inputDigest": DIGEST,
        "revision": None,
        "deny": ["TOO_OLD"],
        "pending": [],
        "warn": [],
    }


@pytest.mark.parametrize("on_error", ["pending", "fail"])
def test_a_policy_that_waits_says_for_what_and_is_no_error(on_error: str) -> None:
    gate = answered({"allow": False, "pending": [B]}, onError=on_error).gate("team-rule")
    assert (verdict(gate), gate.message) == (("pending", ["NO_OWNER"]), "Nobody owns it.")
    assert gate.details["pending"] == ["NO_OWNER"]


def refused(config: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidDocument) as refusal:
        promotion_policy({"gates": [{"name": "r", "kind": "policy", "config": config}]})
    return [(each.field.removeprefix("gates[0].config."), each.message) for each in refusal.value.fields]


CONFIGS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "text", "This is missing: engine cel needs it."),
    ({"engine": "cel", "text": " "}, "text", "This is blank: write something."),
    ({"engine": "lua", "text": "true"}, "engine", "This must be one of: cel, rego, opa."),
    ({**CEL, "query": "data.x"}, "query", "This has no meaning with engine cel: leave it out."),
    ({**CEL, "connection": "main"}, "connection", "This has no meaning with engine cel: leave it out."),
    ({**OPA, "text": "true"}, "text", "This has no meaning with engine opa: leave it out."),
    ({**OPA, "data": {"a": 1}}, "data", "This has no meaning with engine opa: leave it out."),
    ({"engine": "opa", "query": "a/b"}, "connection", "This is missing: engine opa needs it."),
    ({**OPA, "query": "../../v1/policies"}, "query", "This must be written like release/allow."),
    ({**OPA, "query": "release/allow\n"}, "query", "This must be written like release/allow."),
    (
        {**OPA, "connection": "http://evil"},
        "connection",
        "This must be the name of a connection that the platform has.",
    ),
    ({**CEL, "text": "a" * 65_537}, "text", "This is too long: use at most 65536 characters."),
    ({**CEL, "text": "'" + "é" * 40_000 + "'"}, "text", "This is too long: use at most 65536 bytes."),
    ({**CEL, "text": "1 +"}, "text", "(line 1, column 4)"),
    ({**CEL, "text": "true ||\n now() > 1"}, "text", "There is no function now here (line 2, column 2)."),
    ({**CEL, "text": "random() > 1"}, "text", "There is no function random here"),
    ({**CEL, "text": "[" * 65 + "1" + "]" * 65}, "text", "Is nested more than 64 levels deep (line 1, column 65)."),
    ({**CEL, "data": {"api": {"token": "x"}}}, "data", "token is the name of a secret"),
    ({**CEL, "data": {"a": float("nan")}}, "data", "This cannot be stored"),
    ({**CEL, "data": {"a": 2**53}}, "data", "This cannot be stored"),
    ({**CEL, "data": {"a": "x" * 65_536}}, "data", "This is too long: use at most 65536 bytes."),
    (
        {**CEL, "text": "'https://nia:pass@example.org' == ''"},
        "text",
        "This has a user or password in a URL: take them out.",
    ),
    (
        {"engine": "rego", "text": "package a", "query": "data.a.allow", "data": {"a": {"allow": True}}},
        "data",
        "This would replace rules of the module",
    ),
    (
        {"engine": "rego", "text": "package a", "query": "a.allow"},
        "query",
        "This must be written like data.release.allow.",
    ),
    ({"engine": "rego", "text": "package a"}, "query", "This is missing: engine rego needs it."),
    ({**CEL, "timeoutMs": 1001}, "timeoutMs", "This must be a whole number from 10 to 1000."),
]


@pytest.mark.parametrize(("config", "field", "message"), CONFIGS)
def test_a_config_is_refused_with_the_place(config: dict[str, Any], field: str, message: str) -> None:
    (found,) = refused(config)
    assert (found[0], message in found[1]) == (field, True), found


def test_data_may_not_be_nested_without_end() -> None:
    data: Any = 1
    for _ in range(70):
        data = {"a": data}
    assert refused({**CEL, "data": data}) == [("data", "This is nested more than 64 levels deep: make it flatter.")]


def test_brackets_in_texts_do_not_nest() -> None:
    promotion_policy({"gates": [{"name": "r", "kind": "policy", "config": {**CEL, "text": f"'{'[' * 100}' != ''"}}]})


def test_defaults_are_written_out() -> None:
    policy = promotion_policy({"gates": [{"name": "r", "kind": "policy", "config": {"text": "true"}}]})
    config = next(gate["config"] for gate in policy.content["gates"] if gate["kind"] == "policy")
    assert config == {"engine": "cel", "text": "true", "data": {}, "timeoutMs": 100, "maxAge": 300}
