"""Deadlocks and serialization failures, made on real connections."""

import contextlib
import threading
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction

from stellapromote.accounts.models import Tenant
from stellapromote.transactions import RETRIES, transactional
from tests.database import CommittedDatabase
from tests.stellapromote.api.conftest import make_tenant


def _failure(sqlstate: str) -> OperationalError:
    cause = Exception()
    cause.sqlstate = sqlstate  # type: ignore[attr-defined]
    error = OperationalError("made by the test")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
@pytest.mark.django_db
def test_the_outermost_call_is_made_again_after(sqlstate: str) -> None:
    calls = []

    @transactional
    def change() -> str:
        calls.append(None)
        if len(calls) <= RETRIES:
            raise _failure(sqlstate)
        return "done"

    assert change() == "done"
    assert len(calls) == RETRIES + 1


@pytest.mark.django_db
def test_after_three_repetitions_the_failure_is_the_callers() -> None:
    calls = []

    @transactional
    def change() -> None:
        calls.append(None)
        raise _failure("40P01")

    with pytest.raises(OperationalError):
        change()
    assert len(calls) == RETRIES + 1


@pytest.mark.parametrize("error", [_failure("57014"), IntegrityError("x"), ValueError("x")])
@pytest.mark.django_db
def test_nothing_else_is_repeated(error: Exception) -> None:
    calls = []

    @transactional
    def change() -> None:
        calls.append(None)
        raise error

    with pytest.raises(type(error)):
        change()
    assert len(calls) == 1


@pytest.mark.django_db
def test_an_inner_call_leaves_the_repetition_to_the_outer_one() -> None:
    inner_calls, outer_calls = [], []

    @transactional
    def inner() -> None:
        inner_calls.append(None)
        if len(inner_calls) == 1:
            raise _failure("40001")

    @transactional
    def outer() -> None:
        outer_calls.append(None)
        inner()

    outer()
    assert (len(outer_calls), len(inner_calls)) == (2, 2)


@pytest.mark.django_db
def test_an_inner_call_costs_no_savepoint(django_assert_num_queries: Any) -> None:
    @transactional
    def inner() -> None:
        Tenant.objects.exists()

    with transaction.atomic(), django_assert_num_queries(1):
        inner()


@pytest.mark.django_db
def test_what_a_refused_call_wrote_is_gone_and_the_connection_usable() -> None:
    @transactional
    def change() -> None:
        make_tenant("kestrel")
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        change()
    assert not Tenant.objects.exists()


def test_an_exception_of_an_inner_call_dooms_the_whole(committed_db: CommittedDatabase) -> None:
    @transactional
    def inner() -> None:
        make_tenant("kestrel")
        raise ValueError("refused")

    @transactional
    def outer() -> None:
        with contextlib.suppress(ValueError):
            inner()

    outer()
    assert not Tenant.objects.exists()


def test_two_calls_that_wait_for_each_other_both_succeed(committed_db: CommittedDatabase) -> None:
    first, second = make_tenant("first"), make_tenant("second")
    crossed = threading.Barrier(2)

    def renaming(one: Tenant, other: Tenant) -> Any:
        attempts = []

        @transactional
        def change() -> int:
            attempts.append(None)
            Tenant.objects.filter(pk=one.pk).update(name="changed")
            if len(attempts) == 1:
                crossed.wait(20)
            Tenant.objects.filter(pk=other.pk).update(name="changed")
            return len(attempts)

        return change

    outcomes = committed_db.at_once(renaming(first, second), renaming(second, first))
    assert max(outcomes) == 2  # PostgreSQL ends one of them, and now and then both
    assert not Tenant.objects.exclude(name="changed").exists()


def test_a_real_serialization_failure_is_repeated(committed_db: CommittedDatabase) -> None:
    tenant = make_tenant("kestrel")
    attempts = []

    @transactional
    def change() -> None:
        attempts.append(None)
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        Tenant.objects.get(pk=tenant.pk)
        if len(attempts) == 1:
            with committed_db.as_app() as other:
                other.execute("UPDATE accounts_tenant SET name = 'elsewhere'")
        Tenant.objects.filter(pk=tenant.pk).update(name="here")

    change()
    assert len(attempts) == 2
    tenant.refresh_from_db()
    assert tenant.name == "here"


def test_a_broken_connection_is_not_repeated(committed_db: CommittedDatabase) -> None:
    attempts = []

    @transactional
    def change() -> None:
        attempts.append(None)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(DatabaseError):
        change()
    assert len(attempts) == 1
    connection.close()
