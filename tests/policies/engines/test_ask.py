from typing import Any

import pytest

from policies.engines import ask as asking
from policies.engines.ask import ask_all
from tests.policies.cases import Case
from tests.policies.engines.test_policy_input import Bundle, finding


def asked(bundle: Bundle, documents: dict[str, Any], *rules: dict[str, Any]) -> Any:
    case = Case()
    case.facts["evidence"] = bundle.fact
    gates = rules or ({"engine": "cel", "text": "size(findings) == 1", "data": {}, "timeoutMs": 1000},)
    policy = {"gates": [{"name": f"r{number}", "kind": "policy", "config": each} for number, each in enumerate(gates)]}
    return ask_all(policy, case.facts, documents)


def test_documents_are_told_to_the_policy() -> None:
    bundle = Bundle([finding("CVE-2026-1")])
    assert asked(bundle, bundle.blobs)["r0"]["result"] is True


def test_who_does_not_bring_the_documents_learns_nothing_of_what_is_remembered() -> None:
    bundle = Bundle([finding("CVE-2026-2")])
    assert asked(bundle, bundle.blobs)["r0"]["result"] is True
    for missing in bundle.blobs:
        answer = asked(bundle, {key: blob for key, blob in bundle.blobs.items() if key != missing})["r0"]
        assert (answer["error"], answer["result"]) == (
            "GATE_ERROR",
            {"problem": f"needs the document {missing}, which is missing"},
        )


def test_gates_that_ask_a_server_are_not_asked_here() -> None:
    server = {"engine": "opa", "connection": "main", "query": "a/b", "data": {}, "timeoutMs": 100, "maxAge": 300}
    bundle = Bundle([])
    assert asked(bundle, bundle.blobs, server) == {}


def test_each_gate_has_its_own_data() -> None:
    rules = [{"engine": "cel", "text": "data.n == 1", "data": {"n": n}, "timeoutMs": 1000} for n in (1, 2)]
    bundle = Bundle([])
    answers = asked(bundle, bundle.blobs, *rules)
    assert (answers["r0"]["result"], answers["r1"]["result"]) == (True, False)


def test_policies_do_not_lock_a_promotion_for_as_long_as_they_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_SECONDS", -1.0)
    bundle = Bundle([])
    answer = asked(bundle, bundle.blobs)["r0"]
    assert (answer["error"], "took all the time" in answer["result"]["problem"]) == ("GATE_TIMEOUT", True)


def test_the_worst_policy_does_not_stop_the_others() -> None:
    endless = "[1,2,3,4,5,6,7,8,9].all(a, true)"
    for name in "bcdefghijk":
        endless = f"[1,2,3,4,5,6,7,8,9].all({name}, {endless})"
    rules = [
        {"engine": "cel", "text": text, "data": {}, "timeoutMs": ms} for text, ms in ((endless, 50), ("true", 1000))
    ]
    bundle = Bundle([finding("CVE-2026-3")])
    answers = asked(bundle, bundle.blobs, *rules)
    assert (answers["r0"]["error"], answers["r1"]["result"]) == ("GATE_TIMEOUT", True)
