"""The CEL engine as the product uses it: in the child process."""

from typing import Any

import pytest

from policies.document_facts import PolicyAnswer
from policies.engines.ask import ask
from policies.engines.policy_input import FromDocuments, PolicyInput, no_documents
from policies.engines.texts import compile_errors

SITUATION = {"target": {"isProduction": True}, "promotion": {"number": 3, "change": None}, "people": {"votes": []}}


def about(**parts: bytes) -> PolicyInput:
    return PolicyInput(SITUATION, FromDocuments({**no_documents(2).parts, **parts}))


def asked(text: str, *, data: Any = None, timeout: int = 1000, **parts: bytes) -> PolicyAnswer:
    return ask({"engine": "cel", "text": text, "data": data or {}, "timeoutMs": timeout}, about(**parts), version=3)


def result_of(text: str, **more: Any) -> Any:
    answer = asked(text, **more)
    assert answer["error"] is None, answer
    return answer["result"]


def test_the_fields_of_the_input_are_variables() -> None:
    assert result_of("target.isProduction && promotion.number == 3") is True


def test_data_of_the_gate_is_a_variable() -> None:
    assert result_of("data.limit > 3", data={"limit": 4}) is True


def test_data_of_one_gate_is_not_left_for_the_next() -> None:
    assert result_of("data.limit > 3", data={"limit": 4}) is True
    assert asked("data.limit > 3")["error"] == "GATE_ERROR"


def test_documents_are_variables() -> None:
    assert result_of("findings.exists(f, f.cvss >= 9.0)", findings=b'[{"cvss":9.1}]') is True


def test_new_documents_replace_old_ones() -> None:
    assert result_of("size(findings)", findings=b'[{"id":"A"}]') == 1
    assert result_of("size(findings)", findings=b"[]") == 0


def test_a_whole_score_is_a_double_like_the_others() -> None:
    assert result_of("findings[0].cvss + 0.5 > 9.0", findings=b'[{"cvss":9}]') is True


SOMETIMES: list[tuple[str, bytes, bool]] = [
    # what is only sometimes there is asked for with has
    ("findings.exists(f, has(f.suppressed))", b'[{"id":"A"},{"id":"B","suppressed":".trivyignore"}]', True),
    ("findings.exists(f, has(f.suppressed))", b'[{"id":"A"}]', False),
    ("findings.all(f, !has(f.unscored))", b'[{"id":"A"},{"id":"B","unscored":true}]', False),
    ("findings.exists(f, has(f.scannerSeverity) && f.scannerSeverity == 'low')", b'[{"scannerSeverity":"low"}]', True),
]


@pytest.mark.parametrize(("text", "findings", "expected"), SOMETIMES)
def test_a_field_may_be_there_sometimes_only(text: str, findings: bytes, expected: bool) -> None:
    assert result_of(text, findings=findings) is expected


def test_what_is_known_of_a_document_may_be_null() -> None:
    documents = b'[{"kind":"sbom","leftOut":0,"schemaValid":false,"about":null},{"kind":"vex","schemaValid":null}]'
    assert result_of("documents.filter(d, d.schemaValid == false).map(d, d.kind)", documents=documents) == ["sbom"]
    assert result_of("documents.exists(d, d.kind == 'sbom' && d.leftOut == 0)", documents=documents) is True


def test_an_object_comes_back_with_its_reasons_in_order() -> None:
    text = "{'allow': false, 'deny': [{'code': 'B', 'message': 'b'}, {'code': 'A', 'message': 'a'}]}"
    assert [each["code"] for each in result_of(text)["deny"]] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("target.owner == 'x'", "could not be evaluated: there is no owner"),
        ("nothing", "could not be evaluated: Undefined variable or function: 'nothing'"),
        ("1 / 0 == 1", "could not be evaluated: division by zero in CEL expression"),
        ("timestamp('2026-01-01T00:00:00Z')", "could not be evaluated: it answers with a datetime that is no JSON"),
        ("{1: 2}", "could not be evaluated: it answers with a dict that is no JSON"),
        ("double('nan')", "could not be evaluated: it answers with a float that is no JSON"),
        ("9007199254740993", "could not be evaluated: it answers with a int that is no JSON"),
    ],
)
def test_what_fails_is_an_error_with_the_engine_s_words(text: str, problem: str) -> None:
    answer = asked(text)
    assert (answer["error"], answer["result"]) == ("GATE_ERROR", {"problem": problem})


ENDLESS = "[1,2,3,4,5,6,7,8,9,10].all(a, true)"
for name in "bcdefghijk":
    ENDLESS = f"[1,2,3,4,5,6,7,8,9,10].all({name}, {ENDLESS})"


def test_a_policy_that_never_ends_is_a_timeout_and_the_next_is_answered() -> None:
    answer = asked(ENDLESS, timeout=50)
    assert (answer["error"], answer["result"]) == ("GATE_TIMEOUT", {"problem": "gave no answer within 0.05 s"})
    assert result_of("true") is True


@pytest.mark.slow
def test_a_policy_that_takes_all_memory_is_an_error_and_the_next_is_answered() -> None:
    doubled = "'0123456789'"
    for name in "abcdefghijklmnopqrstuvwxyzABCDEF":
        doubled = f"[{doubled}].map({name}, {name} + {name})[0]"
    answer = asked(f"size({doubled}) > 0", timeout=20_000)
    assert answer["error"] in ("GATE_ERROR", "GATE_TIMEOUT")
    assert result_of("true") is True


def test_the_answer_says_about_which_input_it_is() -> None:
    assert asked("true")["inputDigest"] == about().digest


@pytest.mark.parametrize(
    "text", ["now() > 1", "random() > 1", "rand()", "uuid() == ''", "env('HOME') == ''", "x.foo()"]
)
def test_impure_and_unknown_functions_are_refused(text: str) -> None:
    assert "There is no function" in compile_errors("cel", text, None)[0]


@pytest.mark.parametrize(
    "text",
    [
        "true",
        "findings.all(f, !f.kev)",
        "has(promotion.change) && promotion.change != null",
        "timestamp(instant).getHours('Europe/Berlin') < 17",
        "'a'.matches('[a-z]') && 'a'.startsWith('a') && size('a') == 1",
        "target.name in ['production'] ? true : false",
    ],
)
def test_what_policies_use_compiles(text: str) -> None:
    assert compile_errors("cel", text, None) == []


def test_a_text_that_ends_its_compiler_is_refused_not_raised() -> None:
    assert all("a" for _ in compile_errors("cel", "-" * 65_000 + "1", None))
    assert compile_errors("cel", "true", None) == []
