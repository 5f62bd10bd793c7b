"""Rego in the child process, where the engine is installed (the extra `rego`)."""

from typing import Any

import pytest

from policies.document_facts import PolicyAnswer
from policies.engines import texts
from policies.engines.answers import MAY_WAIT, read_answer
from policies.engines.ask import ask
from policies.engines.policy_input import FromDocuments, PolicyInput, no_documents
from policies.engines.texts import compile_errors

pytest.importorskip("regorus", reason="the extra rego is not installed")

HEAD = "package release\nimport rego.v1\n"
NO_KEV = (
    HEAD
    + """
decision := {"allow": count(deny) == 0, "deny": deny}
deny contains {"code": "KEV_LISTED", "message": f.id} if {
  some f in input.findings
  f.kev
}
"""
)
ONE_KEV = b'[{"id":"CVE-1","kev":true},{"id":"CVE-2","kev":false}]'


def asked(
    text: str, query: str = "data.release.allow", *, data: Any = None, timeout: int = 1000, findings: bytes = b"[]"
) -> PolicyAnswer:
    about = PolicyInput(
        {"target": {"isProduction": True}}, FromDocuments({**no_documents(2).parts, "findings": findings})
    )
    config = {"engine": "rego", "text": text, "query": query, "data": data or {}, "timeoutMs": timeout}
    return ask(config, about, version=3)


@pytest.mark.parametrize(("findings", "allows"), [(b"[]", True), (ONE_KEV, False)])
def test_documents_and_situation_are_below_input(findings: bytes, allows: bool) -> None:
    answer = asked(NO_KEV, "data.release.decision", findings=findings)
    assert read_answer(answer["result"], MAY_WAIT).allows is allows


def test_the_gates_data_is_below_data() -> None:
    assert asked(HEAD + "allow if data.limit == 4", data={"limit": 4})["result"] is True


def test_data_of_one_gate_is_not_left_for_the_next() -> None:
    assert asked(HEAD + "allow if data.limit == 4", data={"limit": 4})["result"] is True
    assert asked(HEAD + "allow if data.limit == 4")["result"] is None


def test_an_undefined_rule_answers_nothing() -> None:
    answer = asked(HEAD + "allow if input.nothing")
    assert (answer["error"], answer["result"]) == (None, None)


def test_versions_are_compared_as_versions() -> None:
    assert asked(HEAD + 'allow if semver.compare("1.2.3", "1.10.0") == -1')["result"] is True


def test_a_conflict_of_rules_is_an_error() -> None:
    answer = asked(HEAD + "allow := 1\nallow := 2")
    assert (answer["error"], "conflicts" in answer["result"]["problem"]) == ("GATE_ERROR", True)


def test_an_endless_rule_is_killed_and_the_next_answered() -> None:
    endless = HEAD + "allow if count([1 | some a in numbers.range(1, 9999); some b in numbers.range(1, 9999)]) > 0"
    answer = asked(endless.replace("; ", "\n"), timeout=100)
    assert answer["error"] in ("GATE_TIMEOUT", "GATE_ERROR")
    assert asked(HEAD + "allow := true")["result"] is True


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("allow if time.now_ns() > 1", "There is no time.now_ns here (line 3, column 10)."),
        ("allow if http.send({}).x", "There is no http.send here"),
        ('allow if http["send"]({}).x', "There is no http.send here"),
        ('allow if rand.intn("a", 2) == 1', "There is no rand.intn here"),
        ("allow if opa.runtime().env", "There is no opa.runtime here"),
        ('allow if uuid.rfc4122("a") == ""', "There is no uuid.rfc4122 here"),
        ("allow if count(input.x) with count as http.send", "There is no http.send here"),
        ("allow if foo(1)", "could not find function foo (line 3, column"),
        ("allow if {", "expecting expression (line 3, column 11)."),
        ("allow { true }", "`if` keyword is required before rule body (line 3, column 7)."),
        ("deny := []", "The module has no rule data.release.allow."),
    ],
)
def test_a_module_is_refused_with_the_place(body: str, words: str) -> None:
    (message,) = compile_errors("rego", HEAD + body, "data.release.allow")
    assert words in message


def test_a_module_says_which_rego_it_is() -> None:
    assert compile_errors("rego", "package release\nallow := true", "data.release.allow") == [
        "Must say import rego.v1."
    ]


def test_a_module_that_the_compiler_hangs_on_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "CHECK_SECONDS", 0.3)
    nested = HEAD + "allow := " + "[" * 40 + "1" + "]" * 40
    (message,) = compile_errors("rego", nested, "data.release.allow")
    assert "write it in a simpler way" in message


def test_a_rule_that_calls_itself_ends_no_service() -> None:
    recursive = HEAD + "f(x) := f(x + 1)\nallow if f(1) == 2"
    assert asked(recursive, timeout=300)["error"] in ("GATE_ERROR", "GATE_TIMEOUT")
    assert asked(HEAD + "allow := true")["result"] is True
