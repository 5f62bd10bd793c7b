"""What the program `stella` is, without a server: one file for old Pythons, with help, that can be installed."""

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from stellapromote import VERSION
from tests.clients.stella import PROGRAM, Stella

FOLDER = settings.BASE_DIR / "clients"
COMMANDS = [
    ("release", "create"),
    ("evidence", "upload"),
    ("feeds", "fetch"),
    *(("config", name) for name in ("export", "plan", "apply")),
    *((name,) for name in ("promote", "wait", "deploy", "rollback", "report", "cancel", "approve", "reject")),
    *((name,) for name in ("status", "list", "why", "open")),
]
OLD_PYTHONS = [f"python3.{minor}" for minor in range(9, 15)]
stella = Stella("http://127.0.0.1:9", "spt_nothing")


def test_it_is_python_3_9() -> None:
    ast.parse(PROGRAM.read_text(), feature_version=(3, 9))


def test_it_imports_the_standard_library_alone() -> None:
    tree = ast.parse(PROGRAM.read_text())
    named = {each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names}
    named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {each.partition(".")[0] for each in named} <= sys.stdlib_module_names


def pythons() -> Iterator[str]:
    for name in OLD_PYTHONS:
        found = shutil.which(name)
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            yield found


@pytest.mark.slow
def test_it_runs_with_the_oldest_python_that_is_here() -> None:
    oldest = next(pythons(), sys.executable)
    assert Stella(stella.url, stella.token, python=oldest)("--version").out == f"stella {VERSION}\n"
    refused = Stella(stella.url, stella.token, python=oldest)("wait", "1042", "--retry-for", "0")
    assert refused.code == 6
    assert "does not answer" in refused.err


def test_it_may_be_run() -> None:
    assert PROGRAM.stat().st_mode & 0o111 == 0o111
    assert PROGRAM.read_text().startswith("#!/usr/bin/env python3\n")


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command: tuple[str, ...]) -> None:
    shown = stella(*command, "--help")
    assert shown.code == 0
    assert f"example:\n  stella {' '.join(command)} " in shown.out


def test_there_is_no_other_command() -> None:
    shown = stella("--help").out
    listed = {line.split()[0] for line in shown.splitlines() if line.startswith("    ") and line[4] != " "}
    assert listed == {command[0] for command in COMMANDS}


def test_versions_of_product_program_and_wheel_are_one() -> None:
    assert tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]["version"] == VERSION
    assert f'VERSION = "{VERSION}"' in PROGRAM.read_text()


@pytest.mark.slow
def test_a_wheel_brings_the_program(tmp_path: Path) -> None:
    copy = tmp_path / "source"
    shutil.copytree(FOLDER, copy)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*build, str(tmp_path / "made"), str(copy)], check=True, capture_output=True, timeout=120)
    [wheel] = (tmp_path / "made").iterdir()
    assert wheel.name == f"stella_cli-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as opened:
        brought = opened.read(f"stella_cli-{VERSION}.data/scripts/stella")
    assert brought.partition(b"\n")[2] == PROGRAM.read_bytes().partition(b"\n")[2]  # pip writes the first line
