"""Statements that stay prepared on a connection, and what a migration means to them."""

import threading
from collections.abc import Iterator

import pytest
from django.db import DataError, IntegrityError, NotSupportedError, OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from stellapromote.database.pooler import KEEPS_NOTHING
from stellapromote.fastpath.prepared import _KEPT, fetch, fetch_each, perform
from stellapromote.transactions import transactional
from tests.database import CommittedDatabase

READ = "SELECT name FROM prepared_before WHERE id = %s AND name <> %s"


@pytest.fixture
def committed_db(committed_db: CommittedDatabase) -> Iterator[CommittedDatabase]:
    """With a table whose name has four characters, which this process has prepared a statement for."""
    with committed_db.as_owner() as owner:
        owner.execute(
            "CREATE TABLE prepared_before (id int, name varchar(4)); INSERT INTO prepared_before VALUES (1, 'old')"
        )
    try:
        for _ in range(3):
            assert fetch(READ, [1, "x"]) == [("old",)]
        yield committed_db
    finally:
        connection.close()
        with committed_db.as_owner() as owner:
            owner.execute("DROP TABLE prepared_before")


def migrate(database: CommittedDatabase) -> None:
    with database.as_owner() as owner:
        owner.execute("ALTER TABLE prepared_before ALTER COLUMN name TYPE varchar(40)")


def test_named_places_may_stand_in_any_order(db: None) -> None:
    values = {"b": "second", "a": "first", "unused": None}
    assert fetch("SELECT %(a)s::text, %(b)s::text, %(a)s::text", values) == [("first", "second", "first")]


def test_it_is_prepared_from_its_second_call_on(committed_db: CommittedDatabase) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%prepared_before%$1%'")
        assert cursor.fetchone() == (1,)


@pytest.fixture
def mostly_old(committed_db: CommittedDatabase) -> None:
    """A plan for a name that hardly a row has looks far cheaper than one for all names."""
    with committed_db.as_owner() as owner:
        owner.execute(
            "INSERT INTO prepared_before SELECT n, 'old' FROM generate_series(2, 20000) n;"
            "CREATE INDEX ON prepared_before (name); ANALYZE prepared_before"
        )


RARE = "SELECT count(*) FROM prepared_before WHERE name = %s"


def planned() -> tuple[int, int]:
    """How often one plan for all values served, and how often PostgreSQL made one for the values."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement ~ 'count.*name'")
        [found] = cursor.fetchall()
    return found


def test_it_is_planned_once_also_where_plans_for_its_values_look_cheaper(
    committed_db: CommittedDatabase, mostly_old: None
) -> None:
    for _ in range(10):
        assert fetch(RARE, ["rare"]) == [(0,)]
    assert planned() == (9, 0)
    with transaction.atomic():
        assert fetch(RARE, ["rare"]) == fetch_each(("SELECT 1", ()), (RARE, ["rare"]))[1] == [(0,)]
    assert planned() == (11, 0)


def test_all_other_statements_are_planned_for_their_values(committed_db: CommittedDatabase, mostly_old: None) -> None:
    def planning() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW plan_cache_mode")
            return str(cursor.fetchone()[0])

    fetch(RARE, ["rare"])
    assert planning() == "auto"
    with pytest.raises(DataError):
        fetch("SELECT %s::int", ["none"])
    assert planning() == "auto"
    with transaction.atomic():
        with pytest.raises(DataError), transaction.atomic():
            fetch_each((RARE, ["rare"]), ("SELECT %s::int", ["none"]))
        assert planning() == "auto"
    assert planning() == "auto"


def test_what_is_checked_at_its_end_is_told(committed_db: CommittedDatabase) -> None:
    with committed_db.as_owner() as owner:
        owner.execute("ALTER TABLE prepared_before ADD UNIQUE (name) DEFERRABLE INITIALLY DEFERRED")
    for number in (2, 3, 4):  # as a text, then prepared
        with pytest.raises(IntegrityError):
            perform("INSERT INTO prepared_before VALUES (%s, 'old')", [number])
    assert fetch(READ, [2, "x"]) == []


def test_a_migration_does_not_stop_what_was_prepared_before(committed_db: CommittedDatabase) -> None:
    migrate(committed_db)
    assert fetch(READ, [1, "x"]) == [("old",)]


def test_an_action_that_meets_one_is_done_again(committed_db: CommittedDatabase) -> None:
    migrate(committed_db)
    read = transactional(lambda: fetch(READ, [1, "x"]))
    assert read() == [("old",)]


def test_in_the_middle_of_somebody_else_s_transaction_it_is_told(committed_db: CommittedDatabase) -> None:
    migrate(committed_db)
    with pytest.raises(NotSupportedError), transaction.atomic():
        fetch(READ, [1, "x"])


def test_who_asks_ever_new_things_leaves_a_bounded_number_behind(committed_db: CommittedDatabase) -> None:
    for number in range(_KEPT + 20):
        for _ in range(2):
            assert fetch(f"SELECT %s::int + {number}", [1]) == [(1 + number,)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        assert cursor.fetchone() == (_KEPT,)


def test_it_is_in_the_log_of_django(db: None) -> None:
    with CaptureQueriesContext(connection) as statements:
        assert fetch("SELECT %s::text", ["seen"]) == [("seen",)]
    assert [each["sql"] for each in statements] == ["SELECT 'seen'::text"]


def test_it_begins_the_transaction_that_it_stands_in(committed_db: CommittedDatabase) -> None:
    with transaction.atomic():
        perform("INSERT INTO prepared_before VALUES (%s, 'new')", [2])
        transaction.set_rollback(True)
    assert fetch("SELECT name FROM prepared_before WHERE id = %s", [2]) == []


def test_a_refusal_of_the_database_is_django_s_and_nothing_goes_on_after_it(db: None) -> None:
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            perform("INSERT INTO django_session VALUES (%s, '', now()), (%s, '', now())", ["same", "same"])
        connection.needs_rollback = True
        with pytest.raises(TransactionManagementError):
            fetch("SELECT 1")
        transaction.set_rollback(True)


def test_a_server_that_is_gone_is_an_operational_error(committed_db: CommittedDatabase) -> None:
    backend = fetch("SELECT pg_backend_pid()")[0][0]
    with committed_db.as_superuser() as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [backend])
    with pytest.raises(OperationalError):
        fetch("SELECT pg_backend_pid()")
    connection.close()
    assert fetch("SELECT 1") == [(1,)]


def test_several_are_carried_out_in_their_order(committed_db: CommittedDatabase) -> None:
    added = "INSERT INTO prepared_before VALUES (%s, %s)"
    for number in (2, 3, 4):  # as texts, then prepared
        found = fetch_each((READ, [number, "x"]), (added, [number, "new"]), (READ, [number, "x"]), (READ, [1, "x"]))
        assert found == [[], [], [("new",)], [("old",)]]
    assert fetch_each(("SELECT '100 % of $1'", None), ("SELECT %(a)s::int", {"a": 1})) == [[("100 % of $1",)], [(1,)]]


def test_several_begin_the_transaction_that_they_stand_in(committed_db: CommittedDatabase) -> None:
    added = "INSERT INTO prepared_before VALUES (%s, 'new')"
    with transaction.atomic():
        fetch_each((added, [2]), (added, [3]))
        transaction.set_rollback(True)
    assert fetch_each((READ, [2, "x"]), (READ, [3, "x"])) == [[], []]


def test_of_several_each_sees_what_the_lock_before_it_waited_for(committed_db: CommittedDatabase) -> None:
    locked = threading.Event()

    def other() -> int:
        with transaction.atomic():
            perform("UPDATE prepared_before SET name = 'then' WHERE id = %s", [1])
            locked.set()
            until_somebody_waits(committed_db)
        return 0

    def asks() -> object:
        assert locked.wait(timeout=30)
        with transaction.atomic():
            lock = "SELECT 1 FROM prepared_before WHERE id = %s FOR UPDATE"
            return fetch_each((READ, [1, "x"]), (lock, [1]), (READ, [1, "x"]))

    assert committed_db.at_once(other, asks)[1] == [[("old",)], [(1,)], [("then",)]]


def until_somebody_waits(database: CommittedDatabase) -> None:
    with database.as_superuser() as session:
        while not session.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)").fetchone()[0]:  # type: ignore[index]
            pass


def test_of_several_none_is_carried_out_after_one_that_failed(committed_db: CommittedDatabase) -> None:
    added = "INSERT INTO prepared_before VALUES (%s, %s)"
    with pytest.raises(DataError, match="too long"):
        fetch_each((added, [2, "new"]), (added, [3, "too long"]), (added, [4, "new"]))
    assert fetch("SELECT id FROM prepared_before ORDER BY id") == [(1,)]
    assert fetch_each(("SELECT 1", ()), ("SELECT 2", ())) == [[(1,)], [(2,)]]


def test_several_meet_a_migration_as_one_does(committed_db: CommittedDatabase) -> None:
    migrate(committed_db)
    assert fetch_each(("SELECT 1", ()), (READ, [1, "x"])) == [[(1,)], [("old",)]]


def test_several_go_one_by_one_where_nothing_may_be_kept(
    committed_db: CommittedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, KEEPS_NOTHING, True)
    with transaction.atomic():
        assert fetch_each((READ, [1, "x"]), ("SELECT 2", None)) == [[("old",)], [(2,)]]
        fetch_each(("INSERT INTO prepared_before VALUES (%s, 'new')", [2]))
        transaction.set_rollback(True)
    assert fetch(READ, [2, "x"]) == []


def test_a_server_that_ends_while_several_wait_is_an_operational_error(committed_db: CommittedDatabase) -> None:
    backend = fetch("SELECT pg_backend_pid()")[0][0]

    def ends() -> int:
        with committed_db.as_superuser() as other:
            other.execute("SELECT pg_sleep(0.2), pg_terminate_backend(%s, 10000)", [backend])
        return 0

    thread = threading.Thread(target=ends)
    thread.start()
    with pytest.raises(OperationalError):
        fetch_each(("SELECT 1", ()), ("SELECT pg_sleep(30)", ()))
    thread.join()
    with pytest.raises(OperationalError):
        fetch_each(("SELECT 1", ()), ("SELECT 2", ()))
    connection.close()
    assert fetch_each(("SELECT 1", ()), ("SELECT 2", ())) == [[(1,)], [(2,)]]
