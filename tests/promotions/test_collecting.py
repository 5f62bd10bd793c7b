"""Facts from outside: asked by the worker, kept with their time, missing once they are old, never a pass without."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from environments.actions.update_environment import update_environment
from policies.engines.opa import Connection
from policies.outbound import allowed
from promotions import replay
from promotions.actions.cancel import cancel
from promotions.actions.start_check import Blocked
from promotions.models import CollectedFact, Promotion
from promotions.queries import current_record
from promotions.worker import run_round
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


def guarded_by(gate: dict[str, Any]) -> Kestrel:
    kestrel = make_kestrel()
    make_promotion_policy(kestrel["admin"], "outside", clock=kestrel.clock, gates=[gate])
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
