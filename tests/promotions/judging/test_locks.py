import re
import threading
import time
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from environments.actions.update_environment import update_environment
from environments.models import Environment
from promotions.actions.cancel import cancel
from promotions.actions.products import update_product
from promotions.actions.report_deployment import Report, report_deployment
from promotions.judging.locks import lock_promotion
from promotions.judging.ordering import SequenceViolation
from promotions.models import Promotion
from promotions.worker.round import run_round
from stellapromote.accounts.models import Product
from stellapromote.clock import FixedClock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid
from tests.database import CommittedDatabase
from tests.factories import make_environment, make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.proposals import confirmed


def test_what_ended_while_its_lock_was_awaited_is_not_superseded(committed_db: CommittedDatabase) -> None:
    kestrel = make_kestrel()
    admin = kestrel["admin"]
    make_promotion_policy(admin, "newest", clock=kestrel.clock, supersedeOlder=True)
    target = make_environment(admin, "newest", 0, clock=kestrel.clock, promotion_policy="newest", required_approvals=1)
    older, newer = (kestrel.ask(kestrel.release(), target) for _ in range(2))
    found: list[Any] = []

    def lock() -> None:
        try:
            with transaction.atomic():
                found.extend(lock_promotion(newer.pk, kestrel.tenant.pk, DATABASE_CLOCK))
        finally:
            connections.close_all()

    waiting = threading.Thread(target=lock)
    with transaction.atomic():
        cancel(older.pk, by=kestrel["requester"], clock=kestrel.clock)
        waiting.start()
        _until_somebody_waits(committed_db)
        waited_until = DATABASE_CLOCK.now()
    waiting.join(timeout=60)
    mine, superseded, moment = found
    assert (mine.pk, superseded) == (newer.pk, [])
    assert moment.now > waited_until


def test_a_rollback_waits_for_a_request_out_of_its_environment_and_wakes_it(committed_db: CommittedDatabase) -> None:
    kestrel = make_kestrel()
    release = kestrel.release()
    origin = kestrel.deploys(kestrel.ask(release, kestrel.dev))
    clock = FixedClock(kestrel.clock.now())

    def roll_back() -> None:
        try:
            report_deployment(origin.pk, Report("rolled_back", "Slow"), by=kestrel["operator"], clock=clock)
        finally:
            connections.close_all()

    waiting = threading.Thread(target=roll_back)
    with transaction.atomic():
        requested = kestrel.ask(release, kestrel.staging)
        waiting.start()
        _until_somebody_waits(committed_db)
    waiting.join(timeout=60)
    kestrel.wait()
    run_round("worker", kestrel.clock)
    assert Promotion.objects.get(pk=requested.pk).status == "rejected"


@pytest.mark.parametrize("target", ["staging", "production"])
def test_a_request_waits_for_a_rollback_in_its_source_and_is_refused(
    committed_db: CommittedDatabase, target: str
) -> None:
    """Into staging after dev; or on a path without staging from dev into production."""
    kestrel = make_kestrel()
    if target == "production":
        _leave_out_staging(kestrel)
    release = kestrel.release()
    origin = kestrel.deploys(kestrel.ask(release, kestrel.dev))
    refused: list[str] = []

    def request() -> None:
        try:
            kestrel.ask(release, Environment.objects.get(name=target))
        except SequenceViolation as refusal:
            refused.append(refusal.code)
        finally:
            connections.close_all()

    waiting = threading.Thread(target=request)
    with transaction.atomic():
        kestrel.reports(origin, "rolled_back", message="Slow")
        waiting.start()
        _until_somebody_waits(committed_db)
    waiting.join(timeout=60)
    assert refused == ["PROM_SEQUENCE_VIOLATION"]


def _leave_out_staging(kestrel: Kestrel) -> None:
    admin, clock, staging = kestrel["admin"], kestrel.clock, kestrel.staging.pk
    update_environment(by=admin, clock=clock, environment_id=staging, changes={"required_on_every_path": False})
    changes = {"path": ["dev", "production"]}
    confirmed(update_product(by=admin, clock=clock, slug="main", changes=changes), clock)


@pytest.mark.parametrize("path", [["dev", "staging", "production"], ["dev"], None])
def test_an_edit_of_a_path_waits_for_a_request_on_it(committed_db: CommittedDatabase, path: list[str] | None) -> None:
    kestrel = make_kestrel()
    _leave_out_staging(kestrel)
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    clock = FixedClock(kestrel.clock.now())

    def edit() -> None:
        try:
            update_product(by=kestrel["admin"], clock=clock, slug="main", changes={"path": path})
        finally:
            connections.close_all()

    waiting = threading.Thread(target=edit)
    with transaction.atomic():
        requested = kestrel.ask(release, kestrel.production)
        waiting.start()
        _until_somebody_waits(committed_db)
        assert Product.objects.get(slug="main").path == ["dev", "production"]
    waiting.join(timeout=60)
    assert Product.objects.get(slug="main").path == path
    assert Promotion.objects.get(pk=requested.pk).source_environment == kestrel.dev


def test_a_request_waits_for_an_edit_of_its_path_and_is_judged_by_it(committed_db: CommittedDatabase) -> None:
    kestrel = make_kestrel()
    _leave_out_staging(kestrel)
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    refused: list[str] = []

    def request() -> None:
        try:
            kestrel.ask(release, kestrel.production)
        except SequenceViolation as refusal:
            refused.append(refusal.details["missingEnvironment"])
        finally:
            connections.close_all()

    waiting = threading.Thread(target=request)
    with transaction.atomic():
        update_product(by=kestrel["admin"], clock=kestrel.clock, slug="main", changes={"path": None})
        waiting.start()
        _until_somebody_waits(committed_db)
    waiting.join(timeout=60)
    assert refused == ["staging"]


def test_an_edit_of_a_path_waits_for_an_edit_of_an_environment_and_is_checked_by_it(
    committed_db: CommittedDatabase,
) -> None:
    kestrel = make_kestrel()
    _leave_out_staging(kestrel)
    admin, clock = kestrel["admin"], FixedClock(kestrel.clock.now())
    refused: list[str] = []

    def edit() -> None:
        try:
            update_product(by=admin, clock=clock, slug="main", changes={"path": ["production"]})
        except Invalid as refusal:
            refused.extend(each.message for each in refusal.fields)
        finally:
            connections.close_all()

    waiting = threading.Thread(target=edit)
    with transaction.atomic():
        changes = {"required_on_every_path": True}
        update_environment(by=admin, clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=changes)
        waiting.start()
        _until_somebody_waits(committed_db)
    waiting.join(timeout=60)
    assert refused == ["staging must be on every path: add it."]


def _until_somebody_waits(committed_db: CommittedDatabase) -> None:
    with committed_db.as_superuser() as watching:
        for _ in range(600):
            row = watching.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
            if row is not None and row[0]:
                return
            time.sleep(0.05)
    pytest.fail("nobody waited for the lock")


@pytest.mark.django_db
def test_a_rollback_locks_the_calendar_before_the_environment() -> None:
    kestrel = make_kestrel()
    promotion = kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    with CaptureQueriesContext(connection) as made:
        kestrel.reports(promotion, "rolled_back", message="It was slow")
    locks = [
        query["sql"] for query in made.captured_queries if " FOR SHARE" in query["sql"] or " FOR UPDATE" in query["sql"]
    ]
    tables = ["environments_calendar", "environments_environment", "promotions_release", "promotions_promotion"]
    locked = [re.search(r'FROM "?(\w+)', text)[1] for text in locks]  # type: ignore[index]
    assert [table for table in dict.fromkeys(locked) if table in tables] == tables
