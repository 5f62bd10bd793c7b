import json
import subprocess
from pathlib import Path

import pytest

from scripts import environment
from scripts.environment import BrokenEnvironment, VirtualEnvironment

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with nothing to install, so that no test needs a network."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "pyproject.toml").touch()
    for name in ("base", "dev"):
        (tmp_path / "requirements" / f"{name}.txt").write_text("# nothing\n")
    return tmp_path


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requirement files that were installed, in order; installing itself is left out."""
    done: list[str] = []

    def pretend(self: VirtualEnvironment, command: list[str], total: int) -> None:
        done.append(Path(command[-1]).name)

    monkeypatch.setattr(VirtualEnvironment, "_run_showing_progress", pretend)
    return done


def pretend_made(project: Path, monkeypatch: pytest.MonkeyPatch) -> VirtualEnvironment:
    (project / ".venv").mkdir()
    monkeypatch.setattr(VirtualEnvironment, "_works", lambda self: True)
    return VirtualEnvironment(project)


def test_first_start_makes_an_environment_whose_python_runs(project: Path) -> None:
    made = VirtualEnvironment(project)
    made.ensure("base")
    assert subprocess.run([made.python, "-c", "pass"]).returncode == 0


def test_second_start_installs_nothing(project: Path, monkeypatch: pytest.MonkeyPatch, installs: list[str]) -> None:
    made = pretend_made(project, monkeypatch)
    made.ensure("base")
    made.ensure("base")
    assert installs == ["base.txt"]


def test_changed_requirements_are_installed(
    project: Path, monkeypatch: pytest.MonkeyPatch, installs: list[str]
) -> None:
    made = pretend_made(project, monkeypatch)
    made.ensure("base")
    (project / "requirements" / "base.txt").write_text("# something else\n")
    made.ensure("base")
    assert installs == ["base.txt", "base.txt"]


def test_development_packages_cover_the_base(
    project: Path, monkeypatch: pytest.MonkeyPatch, installs: list[str]
) -> None:
    made = pretend_made(project, monkeypatch)
    made.ensure("dev")
    made.ensure("base")
    assert installs == ["dev.txt"]


def test_interrupted_installation_is_done_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = pretend_made(project, monkeypatch)
    monkeypatch.setattr(VirtualEnvironment, "_run_showing_progress", lambda *_: "No matching distribution found.")
    with pytest.raises(BrokenEnvironment, match=r"No matching distribution found\. Is this machine online"):
        made.ensure("base")
    assert not (project / ".venv" / "installed.json").exists()


def test_environment_whose_python_is_gone_is_made_again(project: Path, installs: list[str]) -> None:
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").symlink_to(project / "removed-python")
    made = VirtualEnvironment(project)
    made.ensure("base")
    assert subprocess.run([made.python, "-c", "pass"]).returncode == 0
    assert installs == ["base.txt"]
    assert json.loads((project / ".venv" / "installed.json").read_text()).keys() == {"base"}


def test_python_without_venv_is_told_in_one_sentence(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "The virtual environment was not created successfully because ensurepip is not available."
    failed = subprocess.CompletedProcess([], 1, stdout=said, stderr="")
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    monkeypatch.setattr(environment.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(BrokenEnvironment, match="apt install python3-venv"):
        VirtualEnvironment(project).ensure("base")


@pytest.mark.parametrize("name", ["base", "dev"])
def test_requirements_name_no_index_and_pin_every_package_by_hash(name: str) -> None:
    lines = (environment.ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    assert not [line for line in lines if "://" in line or line.startswith("-")]
    pinned = [position for position, line in enumerate(lines) if "==" in line]
    assert pinned
    assert all("--hash=sha256:" in lines[position + 1] for position in pinned)
