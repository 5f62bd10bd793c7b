"""The tests' own ground: rights, rollback, reset, threads."""

import os
import subprocess
import sys
import urllib.request

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection
from django.utils import timezone

from stellapromote.accounts.models import User
from tests.database import CommittedDatabase, remove_dead_rows


def add(username: str) -> str:
    User.objects.create(username=username, display_name=username.title(), date_joined=timezone.now())
    return username


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.mark.django_db
def test_tests_work_as_the_app_role() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("stellapromote_app",)


@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.django_db
def test_what_a_test_writes_is_rolled_back(turn: int) -> None:
    assert not User.objects.filter(username="nia").exists()
    add("nia")


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_commits_is_removed(committed_db: CommittedDatabase, turn: int) -> None:
    assert not User.objects.filter(username="nia").exists()
    add("nia")


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_sets_on_the_connection_is_gone(committed_db: CommittedDatabase, turn: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('lock_timeout'), current_user, count(*) FROM pg_locks, pg_backend_pid()"
            " backend WHERE pid = backend AND locktype = 'advisory'"
        )
        assert cursor.fetchone() == ("5s", "stellapromote_app", 0)
        cursor.execute("SET ROLE NONE")
        cursor.execute("SET lock_timeout = 1")
        cursor.execute("SELECT pg_advisory_lock(1)")


def test_after_a_commit_tests_go_on_with_the_same_connection(committed_db: CommittedDatabase) -> None:
    add("nia")
    before = backend()
    committed_db.reset()
    assert backend() == before


def test_a_transaction_that_is_left_open_ends_with_its_connection(committed_db: CommittedDatabase) -> None:
    connection.set_autocommit(False)
    add("nia")
    before = backend()
    committed_db.reset()
    assert (backend() == before, User.objects.exists()) == (False, False)


def test_append_only_rows_are_removed_too(committed_db: CommittedDatabase) -> None:
    with committed_db.as_owner() as owner:
        owner.execute("INSERT INTO promotions_blob (digest, content) VALUES ('sha256:0', '')")
    committed_db.reset()
    with committed_db.as_app() as app:
        assert app.execute("SELECT count(*) FROM promotions_blob").fetchone() == (0,)


def test_what_was_rolled_back_leaves_the_tables_before_the_next_module(committed_db: CommittedDatabase) -> None:
    with committed_db.as_owner() as owner, owner.transaction() as rolled_back:
        owner.execute(
            "INSERT INTO promotions_blob (digest, content) SELECT n::text, '' FROM generate_series(1, 2000) n"
        )
        raise psycopg.Rollback(rolled_back)
    with committed_db.as_superuser() as superuser:
        size = "SELECT pg_relation_size('promotions_blob')"
        assert superuser.execute(size).fetchone() != (0,)
        remove_dead_rows()
        assert superuser.execute(size).fetchone() == (0,)


def test_calls_at_once_are_on_connections_of_their_own(committed_db: CommittedDatabase) -> None:
    assert len({backend(), *committed_db.at_once(backend, backend)}) == 3


def test_failure_of_one_of_the_calls_at_once_is_its_outcome(committed_db: CommittedDatabase) -> None:
    outcomes = committed_db.at_once(lambda: add("nia"), lambda: add("nia"))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == [IntegrityError.__name__, "str"]


def test_app_role_of_the_tests_changes_no_structure(committed_db: CommittedDatabase) -> None:
    with pytest.raises(DatabaseError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE mine (a int)")


@pytest.mark.slow
def test_another_process_sees_what_a_test_commits(committed_db: CommittedDatabase) -> None:
    add("nia")
    question = "from stellapromote.accounts.models import User; print(User.objects.get().username)"
    command = [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", question]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True)
    assert done.stdout == "nia\n", done.stderr


def test_live_server_answers_from_the_test_database(live_server_url: str) -> None:
    with urllib.request.urlopen(f"{live_server_url}/healthz", timeout=10) as answer:
        assert answer.status == 200


def test_without_asking_for_it_a_test_has_no_database() -> None:
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        User.objects.exists()
