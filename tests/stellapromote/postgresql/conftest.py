"""Private servers for tests of the lifecycle; the product's test database is not involved."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stellapromote.postgresql.embedded import EmbeddedPostgres


@contextmanager
def reachable_directory() -> Iterator[Path]:
    """A state directory that the database's account can pass through (pytest's tmp_path is closed to it)."""
    directory = Path(tempfile.mkdtemp(prefix="stella-pg-"))
    directory.chmod(0o711 if os.geteuid() == 0 else 0o700)
    try:
        yield directory
    finally:
        shutil.rmtree((directory / "postgresql").resolve(), ignore_errors=True)
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def fresh_state() -> Iterator[Path]:
    """An empty state directory: the first use makes everything."""
    with reachable_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def made_state() -> Iterator[Path]:
    """A state directory whose server was made once and is stopped."""
    with reachable_directory() as directory:
        with EmbeddedPostgres(directory, throw_away=True).in_use():
            pass
        yield directory


@pytest.fixture
def state(made_state: Path) -> Iterator[Path]:
    """A state directory with a stopped server and no log, for tests that leave it stopped."""
    (made_state / "postgresql.log").unlink(missing_ok=True)
    yield made_state
    assert not EmbeddedPostgres(made_state).is_running()


@pytest.fixture
def copied_state(made_state: Path) -> Iterator[Path]:
    """One to break or to move. A copy costs a tenth of making one."""
    with reachable_directory() as directory:
        _copy(made_state, directory)
        yield directory


def _copy(made_state: Path, directory: Path) -> None:
    subprocess.run(["cp", "-a", f"{made_state}/.", str(directory)], check=True)


@pytest.fixture
def server(state: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(state, throw_away=True)


@pytest.fixture(scope="module")
def running_server(made_state: Path) -> Iterator[EmbeddedPostgres]:
    """One running server for the tests of a module that leave nothing behind in it."""
    with reachable_directory() as directory:
        _copy(made_state, directory)
        server = EmbeddedPostgres(directory, throw_away=True)
        with server.in_use():
            yield server
