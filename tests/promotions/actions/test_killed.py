"""kill -9 at every point inside one vote: it happened or it did not, and sending it again finishes it once (issue 2).

The vote is the final one, over the API with an Idempotency-Key. A forked process gives it and kills itself after its
n-th statement, before or after COMMIT; or PostgreSQL ends its connection there.
"""

import os
import signal
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.db import connection, connections

from promotions.models import DecisionRecord, EvidencePacket, OutboxEvent, Promotion, Vote
from stellapromote.api.models import IdempotentAnswer
from stellapromote.audit.models import AuditEvent
from stellapromote.audit.verify import verify_tenant
from tests.database import CommittedDatabase
from tests.promotions.api.world import World, make_world

pytestmark = pytest.mark.slow

KEY = "one-vote"
# A final vote under its lock costs four statements and its idempotency key three; a wrapper that counts fewer is not
# around them.
FEWEST = 6

Fatal = Callable[[], None]


def vote(world: World, promotion: Promotion) -> Any:
    return world.mei.call("POST", f"promotions/{promotion.pk}/approve", {}, Idempotency_Key=KEY)


def vote_without_key(world: World, promotion: Promotion) -> Any:
    """Which reads and writes without a lock (docs/adr/0133)."""
    return world.mei.call("POST", f"promotions/{promotion.pk}/approve", {})


def after_statement(number: int, fatal: Fatal) -> Any:
    """While this is entered, `fatal` is called when the statement of this number has been executed."""
    done = count(1)

    def wrapper(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if next(done) == number:
            fatal()
        return result

    return connection.execute_wrapper(wrapper)


def kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_process(act: Callable[[], object]) -> bool:
    """Runs it in a process of its own, with its own connection; False when that was killed."""
    connections.close_all()
    process = os.fork()
    if process == 0:
        try:
            act()
        except BaseException:
            os._exit(1)  # nothing of the test's process may run on in its copy
        os._exit(0)
    status = os.waitpid(process, 0)[1]
    assert status in (0, signal.SIGKILL), status
    return status == 0


def is_done(world: World, promotion: Promotion, *, keys: int = 1) -> bool:
    """Whether the vote is there, after making sure that all of it is or nothing."""
    status = Promotion.objects.get(pk=promotion.pk).status
    found = (
        status,
        Vote.objects.filter(promotion=promotion, voter=world.mei.user).count(),
        DecisionRecord.objects.filter(promotion=promotion, decision="allow").count(),
        EvidencePacket.objects.filter(promotion=promotion).count(),
        OutboxEvent.objects.filter(promotion_id=promotion.pk, name="promotion.approved").count(),
        AuditEvent.objects.filter(promotion_id=promotion.pk, action="promotion.approved").count(),
        IdempotentAnswer.objects.filter(user_id=world.mei.user.pk).count(),
    )
    done = status == "approved"
    assert found == (("approved", 1, 1, 1, 1, 1, keys) if done else ("awaiting_approval", 0, 0, 0, 0, 0, 0))
    return done


def finishes(world: World, promotion: Promotion) -> None:
    """The client, which has no answer, sends the same call again."""
    answer = vote(world, promotion)
    assert (answer.status_code, answer.json()["status"]) == (200, "approved"), answer.content
    assert is_done(world, promotion)
    assert verify_tenant(world.tenant.pk).intact


@pytest.fixture
def world(committed_db: CommittedDatabase) -> World:
    return make_world()


@pytest.fixture
def promotion(world: World) -> Promotion:
    """One that waits for mei's vote alone."""
    promotion = world.waiting()
    world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {})
    return promotion


def test_a_process_killed_after_any_statement_leaves_nothing_half_done(world: World, promotion: Promotion) -> None:
    for number in count(1):
        with after_statement(number, kill_myself):
            survived = in_a_process(lambda: vote(world, promotion))
        if is_done(world, promotion):
            break
        assert not survived
    assert number > FEWEST
    finishes(world, promotion)


def test_a_process_killed_in_a_vote_without_a_lock_leaves_nothing_half_done(world: World, promotion: Promotion) -> None:
    vote_without_key(world, world.waiting())  # reads the policies
    for number in count(1):
        with after_statement(number, kill_myself):
            survived = in_a_process(lambda: vote_without_key(world, promotion))
        if is_done(world, promotion, keys=0):
            break
        assert not survived
    assert number in (3, 4)  # authentication, reading, writing; the use of the token is noted now and then
    answer = vote_without_key(world, promotion)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "RES_STATE_CONFLICT")
    assert verify_tenant(world.tenant.pk).intact


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_killed_at_commit_leaves_nothing_half_done(
    world: World, promotion: Promotion, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    commit = connection.commit

    def fatal_commit() -> None:
        if moment == "after":
            commit()
        kill_myself()

    with monkeypatch.context() as patched:
        patched.setattr(connection, "commit", fatal_commit)
        assert not in_a_process(lambda: vote(world, promotion))
    assert is_done(world, promotion) is (moment == "after")
    finishes(world, promotion)


def test_a_connection_that_ends_after_any_statement_leaves_nothing_half_done(
    committed_db: CommittedDatabase, world: World, promotion: Promotion
) -> None:
    with committed_db.as_superuser() as other:

        def end_connection() -> None:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])

        for number in count(1):
            with after_statement(number, end_connection):
                answer = vote(world, promotion)
            connections.close_all()
            if is_done(world, promotion):
                break
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SYS_UNAVAILABLE")
    assert number > FEWEST
    finishes(world, promotion)
