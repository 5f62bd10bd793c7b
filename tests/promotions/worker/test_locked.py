"""A promotion whose row somebody holds: the worker turns to others, and comes back."""

import logging

import pytest
from django.db import connection

from promotions.models import Promotion, WorkerFailure
from promotions.worker import round as worker
from promotions.worker.round import run_round
from tests.database import CommittedDatabase
from tests.promotions.kestrel import make_kestrel


def test_a_row_that_somebody_holds_keeps_no_other_promotion_waiting(committed_db: CommittedDatabase) -> None:
    kestrel = make_kestrel()
    held, free = (kestrel.ask(kestrel.release(), kestrel.dev) for _ in range(2))
    kestrel.wait(days=1)
    Promotion.objects.filter(pk__in=[held.pk, free.pk]).update(next_change_at=kestrel.clock.now())
    with committed_db.as_superuser() as other, other.transaction():
        other.execute("SELECT 1 FROM promotions_promotion WHERE id = %s FOR UPDATE", [held.pk])
        run_round("worker", kestrel.clock)
    assert not WorkerFailure.objects.exists()
    judged = dict(Promotion.objects.values_list("pk", "last_evaluated_at"))
    assert judged[free.pk] == kestrel.clock.now()
    assert judged[held.pk] != kestrel.clock.now()
    run_round("worker", kestrel.clock)
    assert Promotion.objects.get(pk=held.pk).last_evaluated_at == kestrel.clock.now()


def test_a_held_row_is_no_line_in_a_log_of_information(
    committed_db: CommittedDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """Under load each round meets some: nobody has to act on that."""
    kestrel = make_kestrel()
    held = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.wait(days=1)
    Promotion.objects.filter(pk=held.pk).update(next_change_at=kestrel.clock.now())
    caplog.set_level(logging.DEBUG, logger=worker.__name__)
    with committed_db.as_superuser() as other, other.transaction():
        other.execute("SELECT 1 FROM promotions_promotion WHERE id = %s FOR UPDATE", [held.pk])
        run_round("worker", kestrel.clock)
    levels = {line.levelno for line in caplog.records if line.message == "worker_promotion_held"}
    assert levels == {logging.DEBUG}


def test_where_a_failure_cannot_be_stored_the_others_are_judged(
    committed_db: CommittedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where somebody takes the row between the question and the lock: to note a failure reads it, too."""
    monkeypatch.setattr(worker, "is_held", lambda _: False)
    kestrel = make_kestrel()
    held, free = (kestrel.ask(kestrel.release(), kestrel.dev) for _ in range(2))
    kestrel.wait(days=1)
    Promotion.objects.filter(pk__in=[held.pk, free.pk]).update(next_change_at=kestrel.clock.now())
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '300ms'")
    with committed_db.as_superuser() as other, other.transaction():
        other.execute("SELECT 1 FROM promotions_promotion WHERE id = %s FOR UPDATE", [held.pk])
        run_round("worker", kestrel.clock)
    judged = dict(Promotion.objects.values_list("pk", "last_evaluated_at"))
    assert judged[free.pk] == kestrel.clock.now() != judged[held.pk]
