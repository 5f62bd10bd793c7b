import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from scripts import bootstrap
from scripts.environment import ROOT

SCRIPT = ROOT / "scripts" / "bootstrap.py"


def test_script_is_readable_by_pythons_that_are_too_old_to_run_it() -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 5))


def test_old_python_without_a_newer_one_ends_with_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer; this is Python 3\.9"):
        bootstrap.use_a_new_enough_python()


def test_old_python_goes_on_as_a_newer_one_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def instead_of_exec(path: str, arguments: list[str]) -> NoReturn:
        raise SystemExit(f"became {path} {arguments[0]}")

    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(shutil, "which", lambda name: f"/opt/{name}" if name in {"python3.13", "python3.12"} else None)
    monkeypatch.setattr(bootstrap, "runs", lambda path: path != "/opt/python3.13")
    monkeypatch.setattr(os, "execv", instead_of_exec)
    with pytest.raises(SystemExit, match=r"became /opt/python3\.12 /opt/python3\.12"):
        bootstrap.use_a_new_enough_python()


def test_unknown_command_lists_the_commands_and_fails(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT, "fly"], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, "  run " in done.stdout, "  test " in done.stdout) == (2, True, True)


def test_make_without_python_says_what_to_install() -> None:
    done = subprocess.run(["make", "run", "PYTHON=python-of-nobody"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "needs Python 3.11 or newer, and python-of-nobody was not found" in done.stdout
