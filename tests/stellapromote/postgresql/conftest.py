"""A private server for tests of the lifecycle; the product's test database is not involved."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stellapromote.postgresql.embedded import EmbeddedPostgres


@pytest.fixture
def state() -> Iterator[Path]:
    """A state directory that the database's account can pass through (pytest's tmp_path is closed to it)."""
    directory = Path(tempfile.mkdtemp(prefix="stella-pg-"))
    directory.chmod(0o711 if os.geteuid() == 0 else 0o700)
    yield directory
    shutil.rmtree((directory / "postgresql").resolve(), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def server(state: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(state, throw_away=True)


@pytest.fixture(scope="module")
def running_server() -> Iterator[EmbeddedPostgres]:
    """One running server for the tests of a module that leave nothing behind in it."""
    directory = Path(tempfile.mkdtemp(prefix="stella-pg-"))
    directory.chmod(0o711 if os.geteuid() == 0 else 0o700)
    server = EmbeddedPostgres(directory, throw_away=True)
    with server.in_use():
        yield server
    shutil.rmtree((directory / "postgresql").resolve(), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)
