"""Facts from outside: asked by the worker, kept with their time, missing once they are old, never a pass without."""

import socket
from collections import Counter
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any

import orjson
import pytest

from environments.actions.update_environment import update_environment
from policies.engines.opa import Connection
from policies.outbound import allowed
from promotions.actions.cancel import cancel
from promotions.actions.start_check import Blocked
from promotions.models import CollectedFact, Promotion
from promotions.reading.queries import current_record
from promotions.verification import replay
from promotions.worker.collecting import AT_ONCE, OF_ONE_TENANT, Collector, _claim
from promotions.worker.round import run_round
from stellapromote.audit.models import AuditPending
from stellapromote.clock import FixedClock, whole_milliseconds
from tests.factories import make_promotion_policy
from tests.policies.test_outbound import Handler, says, seen, server
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    seen.clear()
    settings.OUTBOUND_ALLOW = allowed(["127.0.0.0/8"])


def answers(body: bytes, status: str = "200 OK") -> Handler:
    return says(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def guarded_by(*gates: dict[str, Any]) -> Kestrel:
    kestrel = make_kestrel()
    make_promotion_policy(kestrel["admin"], "outside", clock=kestrel.clock, gates=list(gates))
    changes = {"promotion_policy": "outside"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)
    return kestrel


def healthy(port: int, **target: Any) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}/health"
    return {"name": "ledger", "kind": "dependency", "config": {"targets": [{"type": "http", "url": url, **target}]}}


ASKED = {
    "name": "server",
    "kind": "policy",
    "config": {"engine": "opa", "connection": "main", "query": "release/allow"},
}


def works(kestrel: Kestrel, **span: float) -> None:
    kestrel.wait(**(span or {"seconds": 1}))
    run_round("worker", kestrel.clock)


def again(promotion: Promotion) -> Promotion:
    return Promotion.objects.get(pk=promotion.pk)


def codes(promotion: Promotion) -> list[str]:
    document: dict[str, Any] = orjson.loads(bytes(current_record(again(promotion)).document))
    return [code for code in document["reasonCodes"] if code != "APPROVAL_NOT_REQUIRED"]


def test_a_promotion_waits_for_the_first_answer_and_goes_on_with_it() -> None:
    with server(answers(b"ok")) as port:
        kestrel = guarded_by(healthy(port))
        promotion = kestrel.ask(kestrel.release(), kestrel.dev)
        assert (promotion.status, codes(promotion), seen) == ("pending", ["GATE_FACTS_MISSING"], [])
        works(kestrel)
    assert (again(promotion).status, len(seen)) == ("approved", 1)


def test_a_bad_answer_holds_it_up_until_a_good_one() -> None:
    with server(answers(b"no", "503 Down")) as port:
        kestrel = guarded_by(healthy(port))
        promotion = kestrel.ask(kestrel.release(), kestrel.dev)
        works(kestrel)
        assert codes(promotion) == ["DEPENDENCY_NOT_MET"]
    assert again(promotion).status == "pending"


def test_no_body_is_kept() -> None:
    with server(answers(b"a secret of the other side")) as port:
        kestrel = guarded_by(healthy(port, expect={"bodyContains": "secret of"}))
        promotion = kestrel.ask(kestrel.release(), kestrel.dev)
        works(kestrel)
    assert again(promotion).status == "approved"
    kept = bytes(CollectedFact.objects.get().content) + bytes(current_record(again(promotion)).input)
    assert b"a secret of" not in kept


def test_an_address_is_asked_again_before_its_answer_is_old() -> None:
    with server(answers(b"ok")) as port:
        kestrel = guarded_by(healthy(port, maxAge=60))
        kestrel.ask(kestrel.release(), kestrel.dev)
        works(kestrel)
        works(kestrel, seconds=6)  # once more, because the outcome changed
        asked = len(seen)
        works(kestrel, seconds=10)
        assert len(seen) == asked
        works(kestrel, seconds=25)
        assert len(seen) == asked + 1


def test_an_old_answer_does_not_start_a_deployment() -> None:
    with server(answers(b"ok")) as port:
        kestrel = guarded_by(healthy(port, maxAge=60))
        promotion = kestrel.ask(kestrel.release(), kestrel.dev)
        works(kestrel)
        kestrel.wait(seconds=120)
        with pytest.raises(Blocked):
            kestrel.reports(promotion, "started")
    assert codes(promotion) == ["GATE_FACTS_MISSING"]


def test_an_address_that_is_not_allowed_is_never_called(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = allowed([])
    with server(answers(b"ok")) as port:
        kestrel = guarded_by(healthy(port))
        promotion = kestrel.ask(kestrel.release(), kestrel.dev)
        works(kestrel)
    assert (again(promotion).status, codes(promotion), seen) == ("pending", ["GATE_ERROR"], [])


def test_promotions_that_are_over_are_not_asked_about() -> None:
    with server(answers(b"no", "503 Down")) as port:
        kestrel = guarded_by(healthy(port))
        promotion = kestrel.ask(kestrel.release(), kestrel.dev)
        works(kestrel)
        asked = len(seen)
        cancel(promotion.pk, by=kestrel["requester"], clock=kestrel.clock)
        works(kestrel, seconds=600)
        assert len(seen) == asked


def test_a_failed_deployment_may_start_again_on_fresh_facts() -> None:
    with server(answers(b"ok")) as port:
        kestrel = guarded_by(healthy(port))
        promotion = kestrel.ask(kestrel.release(), kestrel.dev)
        works(kestrel)
        kestrel.reports(promotion, "started")
        kestrel.reports(promotion, "failed")
        works(kestrel, seconds=400)
        assert kestrel.reports(promotion, "started").status == "deploying"


def test_two_workers_do_not_ask_twice() -> None:
    with server(answers(b"ok")) as port:
        kestrel = guarded_by(healthy(port))
        kestrel.ask(kestrel.release(), kestrel.dev)
        CollectedFact.objects.update(due_at=kestrel.clock.now() + timedelta(minutes=1))  # claimed by another
        works(kestrel)
        assert seen == []


def test_a_policy_server_is_asked_by_the_worker_and_its_answer_recorded(settings: Any) -> None:
    body = orjson.dumps({"result": {"allow": True}, "provenance": {"bundles": {"main": {"revision": "r7"}}}})
    with server(answers(body)) as port:
        settings.OPA_CONNECTIONS = {"main": Connection(f"http://127.0.0.1:{port}")}
        kestrel = guarded_by(ASKED)
        promotion = kestrel.ask(kestrel.release(), kestrel.dev)
        assert (promotion.status, seen) == ("pending", [])
        works(kestrel)
    assert again(promotion).status == "approved"
    recorded = orjson.loads(bytes(current_record(again(promotion)).input))["policyAnswers"]["server"]
    assert (recorded["revision"], recorded["result"]) == ("main@r7", {"allow": True})


def test_a_decision_by_a_policy_server_replays_without_it(settings: Any) -> None:
    with server(answers(orjson.dumps({"result": False}))) as port:
        settings.OPA_CONNECTIONS = {"main": Connection(f"http://127.0.0.1:{port}")}
        kestrel = guarded_by(ASKED)
        promotion = kestrel.ask(kestrel.release(), kestrel.dev)
        works(kestrel)
    settings.OPA_CONNECTIONS = {}
    assert again(promotion).status == "rejected"
    assert replay.replay(current_record(again(promotion))).equal is True


def test_a_policy_server_that_fails_never_lets_anything_through(settings: Any) -> None:
    with server(answers(b"<html>")) as port:
        settings.OPA_CONNECTIONS = {"main": Connection(f"http://127.0.0.1:{port}")}
        kestrel = guarded_by(ASKED)
        promotion = kestrel.ask(kestrel.release(), kestrel.dev)
        works(kestrel)
    assert (again(promotion).status, codes(promotion)) == ("pending", ["GATE_ERROR"])


def test_the_answer_of_a_policy_server_is_missing_once_it_is_old(settings: Any) -> None:
    with server(answers(orjson.dumps({"result": True}))) as port:
        settings.OPA_CONNECTIONS = {"main": Connection(f"http://127.0.0.1:{port}")}
        kestrel = guarded_by(ASKED)
        promotion = kestrel.ask(kestrel.release(), kestrel.dev)
        works(kestrel)
    kestrel.wait(seconds=301)
    with pytest.raises(Blocked):
        kestrel.reports(promotion, "started")


class Running(FixedClock):
    """A clock that also goes on by itself."""

    def __init__(self, clock: FixedClock) -> None:
        super().__init__(clock.now())
        self._began = monotonic()

    def now(self) -> datetime:
        return whole_milliseconds(self._at + timedelta(seconds=monotonic() - self._began))


def slow(seconds: float) -> Handler:
    def answer(connection: socket.socket) -> None:
        sleep(seconds)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    return answer


def test_an_answer_is_as_old_as_it_is_whatever_else_was_asked_with_it() -> None:
    with server(answers(b"ok")) as quick, server(slow(1.5)) as late:
        first, second = healthy(quick), {**healthy(late), "name": "late"}
        kestrel = guarded_by(first, second)
        kestrel.ask(kestrel.release(), kestrel.dev)
        run_round("worker", Running(kestrel.clock))
    at = dict(CollectedFact.objects.values_list("gate", "collected_at"))
    assert at["late"] - at["ledger"] > timedelta(seconds=1)


def test_of_several_targets_the_first_answer_says_how_old_they_are() -> None:
    with server(answers(b"ok")) as quick, server(slow(1.5)) as late:
        targets = [{"type": "http", "url": f"http://127.0.0.1:{port}/"} for port in (quick, late)]
        kestrel = guarded_by({"name": "both", "kind": "dependency", "config": {"targets": targets}})
        kestrel.ask(kestrel.release(), kestrel.dev)
        clock = Running(kestrel.clock)
        run_round("worker", clock)
    collected_at = CollectedFact.objects.get().collected_at
    assert collected_at is not None
    assert clock.now() - collected_at > timedelta(seconds=1)


def test_a_slow_address_holds_up_no_round_and_its_answer_is_stored_by_a_later_one() -> None:
    with server(slow(1.5)) as port:
        kestrel = guarded_by(healthy(port))
        promotion = kestrel.ask(kestrel.release(), kestrel.dev)
        collector = Collector(patience=0.05)
        began = monotonic()
        run_round("worker", kestrel.clock, collector)
        assert monotonic() - began < 1.0
        assert not AuditPending.objects.exists()
        assert again(promotion).status == "pending"
        sleep(2)
        run_round("worker", kestrel.clock, collector)
    assert (again(promotion).status, len(seen)) == ("approved", 1)


def test_the_audit_log_is_sealed_before_anybody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    kestrel = guarded_by(healthy(9))
    kestrel.ask(kestrel.release(), kestrel.dev)
    unsealed: list[bool] = []
    monkeypatch.setattr(Collector, "collect", lambda *_: unsealed.append(AuditPending.objects.exists()) or [])
    works(kestrel)
    assert unsealed == [False]


def much_is_due(kestrel: Kestrel, count: int, *, minutes: int) -> None:
    """So many facts about one promotion, due since so many minutes."""
    promotion = kestrel.waits_for_production()
    CollectedFact.objects.bulk_create(
        CollectedFact(
            tenant=kestrel.tenant,
            promotion=promotion,
            gate=f"gate-{number}",
            subject_digest=promotion.subject_digest,
            due_at=kestrel.clock.now() - timedelta(minutes=minutes),
        )
        for number in range(count)
    )


@pytest.mark.slow
def test_tenants_take_turns() -> None:
    merlin, kestrel = make_kestrel("merlin", prefix="merlin-"), make_kestrel()
    much_is_due(merlin, 3 * AT_ONCE, minutes=60)
    much_is_due(kestrel, 2, minutes=1)
    claimed = _claim(kestrel.clock.now())
    assert Counter(fact.tenant.slug for fact in claimed) == {"merlin": OF_ONE_TENANT, "kestrel": 2}


def test_a_tenant_whose_addresses_are_all_slow_takes_only_its_places() -> None:
    merlin, kestrel = make_kestrel("merlin", prefix="merlin-"), make_kestrel()
    much_is_due(merlin, 3 * AT_ONCE, minutes=60)
    under_way = [fact.tenant_id for fact in _claim(merlin.clock.now())]
    assert len(under_way) == OF_ONE_TENANT
    much_is_due(kestrel, 1, minutes=1)
    assert [fact.tenant.slug for fact in _claim(kestrel.clock.now(), under_way)] == ["kestrel"]
