import contextlib
import subprocess
from typing import Any, NoReturn

import pytest

from scripts import commands
from scripts.environment import VirtualEnvironment


class Tools:
    """Stands for the programs of the environment: what was started, and what each answers."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.failing: set[str] = set()

    def run(self, command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        self.started.append(" ".join(command))
        code = 1 if command[0] in self.failing else 0
        return subprocess.CompletedProcess(command, code, stdout=f"{command[0]} complains", stderr="")


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Tools:
    tools = Tools()
    monkeypatch.setattr(commands.subprocess, "run", tools.run)
    monkeypatch.setattr(VirtualEnvironment, "ensure", lambda self, wanted: tools.started.append(f"install {wanted}"))
    return tools


def test_tests_run_last_after_every_check(tools: Tools) -> None:
    commands.main(["test"])
    first, *checks, last = [line.split()[0] for line in tools.started]
    assert (first, last) == ("install", "pytest")
    assert sorted(checks) == ["djlint", "lint-imports", "mypy", "mypy", "pytest", "python", "ruff", "ruff"]
    assert "--collect-only" not in tools.started[-1].split()


def test_failed_check_fails_the_run_and_the_rest_still_runs(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    tools.failing = {"mypy"}
    with pytest.raises(SystemExit, match=r"Failed: types, types of the command line\."):
        commands.main(["test"])
    assert tools.started[-1].startswith("pytest")
    assert "mypy complains" in capsys.readouterr().out


def test_failed_tests_fail_the_run(tools: Tools) -> None:
    tools.failing = {"pytest"}
    with pytest.raises(SystemExit, match=r"Failed: tests are found, tests\."):
        commands.main(["test"])


def test_lint_runs_no_tests(tools: Tools) -> None:
    commands.main(["lint"])
    assert not [line for line in tools.started if line.startswith("pytest")]


@pytest.mark.parametrize(("command", "measured"), [("test", False), ("coverage", True)])
def test_coverage_is_measured_where_it_is_asked_for(tools: Tools, command: str, measured: bool) -> None:
    with contextlib.suppress(SystemExit):
        commands.main([command])
    assert ("--cov" in tools.started[-1].split()) is measured


def test_arguments_of_test_go_to_pytest_alone(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    def instead_of_exec(program: str, arguments: list[str], _: dict[str, str]) -> NoReturn:
        raise SystemExit(" ".join(arguments))

    monkeypatch.setattr(commands.os, "execvpe", instead_of_exec)
    with pytest.raises(SystemExit, match=r"^pytest tests/scripts -x$"):
        commands.main(["test", "tests/scripts", "-x"])


def test_tests_keep_the_bytecode_that_their_processes_share(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environments: list[dict[str, str]] = []

    def run(command: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
        environments.append(options["env"])
        return tools.run(command)

    monkeypatch.setattr(commands.subprocess, "run", run)
    commands.main(["test"])
    assert "PYTHONDONTWRITEBYTECODE" not in environments[-1]


def test_checks_leave_no_state_in_the_checkout(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[str] = []

    def run(command: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
        states.append(options["env"]["STELLAPROMOTE_DATA"])
        return tools.run(command)

    monkeypatch.setattr(commands.subprocess, "run", run)
    commands.main(["lint"])
    assert all("stellapromote-checks-" in state for state in states)


@pytest.mark.parametrize(("command", "everything"), [("test", True), ("test-fast", False)])
def test_the_fast_tests_start_neither_browsers_nor_installations(tools: Tools, command: str, everything: bool) -> None:
    with contextlib.suppress(SystemExit):
        commands.main([command])
    assert ("not browser and not slow" not in tools.started[-1]) is everything
