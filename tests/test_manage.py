import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from stellapromote.postgresql.embedded import EmbeddedPostgres

pytestmark = pytest.mark.slow


@pytest.fixture
def state() -> Iterator[Path]:
    """An installation that nobody has started yet."""
    directory = Path(tempfile.mkdtemp(prefix="stella-manage-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def manage(state: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "STELLAPROMOTE_DATA": str(state), **more}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True)


def test_command_starts_the_embedded_database_and_stops_it_unless_others_use_it(state: Path) -> None:
    server = EmbeddedPostgres(state)
    done = manage(state, "showmigrations", "accounts")
    assert (done.returncode, "[ ] 0001" in done.stdout) == (0, True)
    assert not server.is_running()
    with server.in_use():
        assert manage(state, "showmigrations", "accounts").returncode == 0
        assert server.is_running()


def test_command_that_asks_no_database_starts_none(state: Path) -> None:
    assert manage(state, "help", "migrate").returncode == 0
    assert not (state / "postgresql" / "cluster").exists()


def test_wrong_setting_is_one_sentence_without_a_traceback(state: Path) -> None:
    done = manage(state, "check", PORT="http")
    assert (done.returncode, done.stderr) == (
        1,
        "manage.py: PORT is 'http'. Write a whole number from 1 to 65535.\n",
    )


def test_database_that_cannot_be_had_is_one_sentence_without_a_traceback(state: Path) -> None:
    (state / "postgresql").mkdir(mode=0o755)
    (state / "postgresql" / "cluster").mkdir()
    (state / "postgresql" / "cluster" / "PG_VERSION").write_text("9\n")
    done = manage(state, "check")
    assert done.returncode == 1
    assert done.stderr.startswith("manage.py: No usable PostgreSQL 9 programs found.")
    assert "Traceback" not in done.stderr


def test_database_that_does_not_answer_is_said_without_a_traceback(state: Path) -> None:
    """Also by Django's own commands."""
    done = manage(state, "migrate", DATABASE_URL="postgresql://u:hunter2@127.0.0.1:1/x", SECRET_KEY="k" * 40)
    assert done.returncode == 1
    assert done.stderr.startswith("manage.py: The database does not answer: connection failed")
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
