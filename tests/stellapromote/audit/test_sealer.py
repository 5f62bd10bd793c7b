import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from stellapromote.accounts.actor import Actor, system_actor
from stellapromote.audit import sealer, verify
from stellapromote.audit.models import AuditLink, AuditPending
from stellapromote.audit.recording import Entry, record_many
from stellapromote.audit.sealer import seal_chain, unsealed_age
from stellapromote.audit.verify import verify_tenant
from tests.database import CommittedDatabase
from tests.sealing import seal_pending
from tests.stellapromote.audit.chains import make_chain

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)


def write(by: Actor, number: int = 1, at: datetime = AT) -> list[UUID]:
    return record_many([Entry(by=by, at=at, action="a.b", resource="r") for _ in range(number)])


def sealed(by: Actor) -> list[tuple[int, UUID]]:
    links = AuditLink.objects.filter(tenant_id=by.tenant_id).order_by("sequence")
    return list(links.values_list("sequence", "event_id"))


@pytest.fixture
def chain(committed_db: CommittedDatabase) -> Actor:
    return _new_chain()


@pytest.mark.parametrize(
    ("statement", "values"), [(sealer._HEAD, []), (verify._LINKS, [0, 0, UUID(int=0), 9])], ids=["head", "links"]
)
def test_the_links_of_the_system_are_read_in_the_order_of_their_index(
    committed_db: CommittedDatabase, statement: str, values: list[Any]
) -> None:
    """For a null tenant PostgreSQL would sort all of them, each time that one is appended."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Whatever the statistics of the moment: a sort is taken only where no index gives the order.
        for way in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute(f"EXPLAIN (COSTS off) {statement.format(tenant='tenant_id IS NULL')}", values)
        plan = [line.strip() for (line,) in cursor.fetchall()]
    assert any("using audit_link_sequence_unique" in line for line in plan)
    assert not any(line.removeprefix("->  ") == "Sort" for line in plan)


def _new_chain() -> Actor:
    tenant = make_chain()
    return system_actor(tenant.id, tenant.slug)


def test_sealed_events_are_numbered_without_a_gap_and_wait_no_longer(chain: Actor) -> None:
    write(chain, 5)
    assert seal_pending() == 5
    assert [sequence for sequence, _ in sealed(chain)] == [1, 2, 3, 4, 5, 6]
    assert not AuditPending.objects.exists()


def test_nothing_to_seal_is_zero(chain: Actor) -> None:
    assert seal_pending() == 0


def test_events_are_sealed_by_time_and_then_by_id(chain: Actor) -> None:
    late = write(chain, 2, AT + timedelta(seconds=1))
    early = write(chain, 2, AT)
    seal_pending()
    assert [event for _, event in sealed(chain)][1:] == early + late


def test_one_call_seals_at_most_the_limit_of_each_chain(chain: Actor) -> None:
    write(chain, 5)
    assert [seal_pending(2), seal_pending(2), seal_pending(2), seal_pending(2)] == [2, 2, 1, 0]
    assert verify_tenant(chain.tenant_id).checked == 6


def test_each_tenant_has_a_chain_of_its_own(chain: Actor) -> None:
    other = _new_chain()
    write(chain, 2)
    write(other, 1)
    seal_pending()
    assert len(sealed(chain)) == 3
    assert len(sealed(other)) == 2


def test_events_without_a_tenant_are_sealed_in_the_system_chain(chain: Actor) -> None:
    """Its first is the activation of the tests' signing key."""
    write(system_actor(None, ""), 2)
    seal_pending()
    assert [sequence for sequence, _ in sealed(system_actor(None, ""))] == [1, 2, 3]
    assert verify_tenant(None).checked == 3


def test_an_event_that_commits_late_is_not_passed_over(chain: Actor, committed_db: CommittedDatabase) -> None:
    written, go_on = threading.Event(), threading.Event()

    def slow_writer() -> list[UUID]:
        with transaction.atomic():
            events = write(chain, 1, AT)
            written.set()
            go_on.wait(timeout=30)
        return events

    def others() -> list[UUID]:
        written.wait(timeout=30)
        events = write(chain, 1, AT + timedelta(seconds=1))
        seal_pending()
        go_on.set()
        return events

    slow, quick = committed_db.at_once(slow_writer, others)
    seal_pending()
    assert isinstance(slow, list)
    assert isinstance(quick, list)
    assert slow < quick
    assert [event for _, event in sealed(chain)][1:] == quick + slow


def test_sealers_and_writers_at_once_never_fork_or_gap_the_chain(chain: Actor, committed_db: CommittedDatabase) -> None:
    def writer() -> int:
        for _ in range(30):
            write(chain, 2)
        return 60

    def sealer() -> int:
        return sum(seal_pending(7) for _ in range(40))

    def patient_sealer() -> int:
        return sum(seal_chain(chain.tenant_id) for _ in range(20))

    outcomes = committed_db.at_once(writer, writer, sealer, sealer, patient_sealer)
    assert [each for each in outcomes if isinstance(each, Exception)] == []
    seal_chain(chain.tenant_id)
    result = verify_tenant(chain.tenant_id)
    assert (result.broken, result.checked) == (None, 121)
    assert [sequence for sequence, _ in sealed(chain)] == list(range(1, 122))


def somebody_waits_for_a_chain() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")
        return bool(cursor.fetchone()[0])


def while_locked(chain: Actor, committed_db: CommittedDatabase, call: Callable[[], int]) -> object:
    """What the call answers while another transaction seals the same chain, which ends once the call waits for it."""
    locked, done = threading.Event(), threading.Event()

    def other() -> int:
        with transaction.atomic():
            assert sealer.lock_chain(chain.tenant_id, wait=True)
            locked.set()
            while not done.wait(timeout=0.02) and not somebody_waits_for_a_chain():
                pass
        return 0

    def caller() -> int:
        assert locked.wait(timeout=30)
        try:
            return call()
        finally:
            done.set()

    return committed_db.at_once(other, caller)[1]


def test_a_chain_that_is_being_sealed_is_left_to_its_sealer(chain: Actor, committed_db: CommittedDatabase) -> None:
    write(chain)
    assert while_locked(chain, committed_db, seal_pending) == 0
    assert seal_pending() == 1


def test_sealing_one_chain_to_its_end_waits_for_the_other_sealer(chain: Actor, committed_db: CommittedDatabase) -> None:
    write(chain)
    assert while_locked(chain, committed_db, lambda: seal_chain(chain.tenant_id)) == 1


def test_sealing_is_refused_inside_a_transaction_of_others(chain: Actor) -> None:
    write(chain)
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        seal_pending()


def test_the_unsealed_age_is_that_of_the_oldest_waiting_event(chain: Actor) -> None:
    write(chain, 1, AT + timedelta(seconds=30))
    write(system_actor(None, ""), 1, AT)
    assert unsealed_age(AT + timedelta(seconds=40)) == timedelta(seconds=40)


def test_the_unsealed_age_is_zero_when_nothing_waits(chain: Actor) -> None:
    assert unsealed_age(AT) == timedelta(0)
