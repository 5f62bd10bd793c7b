import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.policies.cases import Case, vote
from tests.policies.engines.test_policy_input import Bundle, finding, whole, with_everything

DENY = "{'allow': false, 'deny': [{'code': 'NO_OWNER', 'message': 'Nobody owns it.'}]}"
WAIT = "{'allow': false, 'pending': [{'code': 'OWNER_VOTE_MISSING', 'message': 'Wait for the owners.'}]}"
WARN = "{'allow': true, 'warn': [{'code': 'OLD_BASE', 'message': 'The base image is old.'}]}"


def rule(text: str, **gate: Any) -> dict[str, Any]:
    return {"name": "team-rule", "kind": "policy", "config": {"text": text, "timeoutMs": 1000}, **gate}


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Writes both files and calls the command: exit code and output."""

    def call(policy: Any, facts: Any, *options: str, name: str = "policy.json") -> tuple[int, str]:
        first, second = tmp_path / name, tmp_path / "input.json"
        first.write_text(policy if isinstance(policy, str) else json.dumps(policy))
        second.write_text(facts if isinstance(facts, str) else json.dumps(facts))
        try:
            call_command("explain_policy", "--policy", str(first), "--input", str(second), *options)
        except SystemExit as end:
            return int(end.code or 0), capsys.readouterr().out
        except CommandError as error:
            return error.returncode, str(error)
        return 0, capsys.readouterr().out

    return call


def gate_input(**changes: Any) -> Any:
    return Case(**changes).facts


@pytest.mark.parametrize(
    ("text", "code", "first"),
    [
        ("true", 0, "allow"),
        (WARN, 1, "warn"),
        (WAIT, 1, "pending"),
        ("release.owner == 'x'", 1, "pending"),
        (DENY, 2, "deny"),
    ],
)
def test_exit_codes_on_a_policy_input(run: Any, text: str, code: int, first: str) -> None:
    ended, said = run({"gates": [rule(text)]}, whole(Case()))
    assert (ended, said.splitlines()[0]) == (code, first)


@pytest.mark.parametrize(("text", "code"), [("true", 0), (WARN, 1), (WAIT, 1), ("release.owner == 'x'", 1), (DENY, 2)])
def test_exit_codes_of_one_gate_on_a_gate_input(run: Any, text: str, code: int) -> None:
    assert run({"gates": [rule(text)]}, gate_input(), "--gate", "team-rule")[0] == code


def test_all_gates_are_explained_on_a_gate_input(run: Any) -> None:
    ended, said = run({"gates": [rule("true")]}, gate_input(required=1))
    assert (ended, said.splitlines()[0]) == (1, "pending")
    assert [line.split()[1].rstrip(":") for line in said.splitlines()[1:]] == [
        "preconditions",
        "freeze-window",
        "team-rule",
        "approval",
    ]


def test_a_full_gate_input_that_is_satisfied_ends_with_0(run: Any) -> None:
    assert run({"gates": [rule("true")]}, gate_input(required=1, votes=[vote("nia")]))[0] == 0


def test_the_reasons_are_told(run: Any) -> None:
    _, said = run({"gates": [rule(DENY)]}, whole(Case()))
    assert said.splitlines()[1] == "  deny    team-rule [NO_OWNER]: Nobody owns it."


def test_on_error_fail_is_a_deny(run: Any) -> None:
    assert run({"gates": [rule("release.owner == 'x'", onError="fail")]}, whole(Case()))[0] == 2


def test_a_text_is_a_policy_of_its_own(run: Any) -> None:
    assert run("size(findings) == 0", whole(Case()), name="rule.cel")[0] == 0
    assert run("size(findings) == 0", whole(*with_everything()), name="rule.cel")[0] == 2


def test_a_text_on_a_gate_input_takes_the_documents_that_are_given(run: Any, tmp_path: Path) -> None:
    bundle = Bundle([finding("CVE-2026-1")])
    facts = gate_input()
    facts["evidence"] = bundle.fact
    options = []
    for number, blob in enumerate(bundle.blobs.values()):
        path = tmp_path / f"document-{number}.json"
        path.write_text(json.dumps(blob))
        options += ["--document", str(path)]
    assert run("findings.exists(f, f.id == 'CVE-2026-1')", facts, *options, name="rule.cel")[0] == 0
    ended, said = run("true", facts, name="rule.cel")
    assert (ended, "give it with --document" in said) == (3, True)


@pytest.mark.parametrize(
    ("policy", "facts", "options", "words"),
    [
        ("{", {}, (), "is no JSON"),
        ({"gates": [rule("1 +")]}, {}, (), "gates[0].config.text: Syntax error"),
        ({"gates": [rule("true")]}, "{", (), "is no JSON"),
        ({"gates": [rule("true")]}, {}, (), "The input is neither"),
        ({"gates": [rule("true")]}, [], (), "The input is neither"),
        ({"gates": [rule("true")]}, {"schema": "stella.gate-input/v1"}, (), "This is missing: add it."),
        ({"gates": [rule("true")]}, {"schema": "stella.policy-input/v1"}, (), "is a required property"),
        ({"gates": []}, {"schema": "stella.gate-input/v1"}, ("--gate", "x"), "The policy has no gate x"),
        ({"gates": [rule("true")]}, "[" * 100_000, (), "is no JSON"),
    ],
)
def test_what_cannot_be_used_ends_with_3(
    run: Any, policy: Any, facts: Any, options: tuple[str, ...], words: str
) -> None:
    ended, said = run(policy, facts, *options)
    assert (ended, words in said) == (3, True), said


def test_a_policy_input_says_nothing_to_other_gates(run: Any) -> None:
    ended, said = run({"gates": []}, whole(Case()))
    assert (ended, "policy gates only" in said) == (3, True)


def test_a_file_that_is_not_there_ends_with_3(run: Any) -> None:
    with pytest.raises(CommandError) as told:
        call_command("explain_policy", "--policy", "/nowhere/p.json", "--input", "/nowhere/i.json")
    assert told.value.returncode == 3


def _process(*arguments: str, environment: dict[str, str]) -> int:
    command = [sys.executable, "manage.py", "explain_policy", *arguments]
    return subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, check=False).returncode


@pytest.mark.slow
def test_as_a_process_it_needs_no_database_and_a_wrong_call_is_no_deny(tmp_path: Path) -> None:
    environment = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none", "SECRET_KEY": "x" * 40}
    policy, facts = tmp_path / "rule.cel", tmp_path / "input.json"
    policy.write_text("false")
    facts.write_text(json.dumps(whole(Case())))
    called = ("--policy", str(policy), "--input", str(facts))
    assert [_process(*each, environment=environment) for each in (called, (), ("--nonsense",))] == [2, 3, 3]
