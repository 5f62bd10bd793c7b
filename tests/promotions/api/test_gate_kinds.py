"""GET /promotion-gates (contract.md, Policies and gates)."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from policies import documents, gates
from policies.engines.opa import Connection
from promotions.api import gate_kinds
from tests.calling import Caller, caller, refusal
from tests.factories import make_person, make_ready_tenant


@pytest.fixture
def viewer(db: None) -> Caller:
    tenant = make_ready_tenant("kestrel-pay")
    return caller(tenant, make_person(tenant, "vera", roles=["viewer"]))


def kinds(viewer: Caller) -> dict[str, Any]:
    return {each["kind"]: each for each in viewer.get("/promotion-gates").json()["data"]}


def test_every_kind_that_can_be_judged_is_told_in_the_order_of_judging(viewer: Caller) -> None:
    body = viewer.get("/promotion-gates").json()
    assert [each["kind"] for each in body["data"]] == [
        "preconditions",
        "freeze-window",
        "schedule",
        "evidence",
        "security",
        "policy",
        "dependency",
        "manual",
        "approval",
    ]
    assert {(each["kind"], each["kindVersion"]) for each in body["data"]} == set(gates.REGISTRY.current.items())
    assert body["meta"]["totalCount"] == 9


def test_those_in_every_evaluation_are_marked(viewer: Caller) -> None:
    assert [each for each, told in kinds(viewer).items() if told["mandatory"]] == list(gates.MANDATORY)


@pytest.mark.parametrize(
    ("need", "expected"),
    [
        ("requiresApproval", ["manual", "approval"]),
        ("requiresPolicy", ["policy"]),
        ("requiresAttestation", ["evidence"]),
    ],
)
def test_what_each_kind_requires(viewer: Caller, need: str, expected: list[str]) -> None:
    assert [kind for kind, told in kinds(viewer).items() if told[need]] == expected


def test_the_settings_are_json_schema_that_another_library_reads(viewer: Caller) -> None:
    for each in kinds(viewer).values():
        Draft202012Validator.check_schema(each["configSchema"])


@pytest.mark.parametrize(
    ("kind", "config", "fits"),
    [
        ("freeze-window", {"onFreeze": "fail"}, True),
        ("freeze-window", {"onFreeze": "warn"}, False),
        ("freeze-window", {"other": 1}, False),
        ("approval", {}, True),
        ("approval", {"quorum": 0}, False),
        ("manual", {"confirmers": {"teams": ["release"]}, "text": "Backup checked"}, True),
        ("manual", {"confirmers": {"groups": ["release"]}, "text": "Backup checked"}, False),
        ("dependency", {"targets": [{"type": "environment", "environment": "qa", "state": "idle"}]}, True),
        ("dependency", {"targets": [{"type": "environment", "environment": "qa", "state": "idle", "x": 1}]}, False),
        ("schedule", {"windows": [{"start": "2026-11-23T08:00:00", "end": "2026-11-23T16:00:00"}]}, True),
        ("schedule", {"windows": []}, False),
    ],
)
def test_the_settings_schema_says_what_a_policy_takes(
    viewer: Caller, kind: str, config: dict[str, Any], fits: bool
) -> None:
    schema = kinds(viewer)[kind]["configSchema"]
    assert Draft202012Validator(schema).is_valid(config) is fits
    _, errors = documents.read_promotion_policy({"gates": [{"kind": kind, "config": config}]})
    assert (not errors) is fits


def test_without_a_signing_key_approval_is_unavailable(viewer: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_kinds, "problem", lambda: "There is no key.")
    told = {kind: each["health"]["status"] for kind, each in kinds(viewer).items()}
    assert told.pop("approval") == "unavailable"
    assert set(told.values()) == {"ok"}


def test_what_others_answer_is_told_as_not_known_here(viewer: Caller, settings: Any) -> None:
    settings.OPA_CONNECTIONS = {}
    told = {kind: each["health"]["reason"] for kind, each in kinds(viewer).items()}
    assert "asked by the worker" in told.pop("dependency")
    assert "no connection is configured" in told.pop("policy")
    assert set(told.values()) == {None}


def test_a_configured_policy_server_is_not_called_healthy_by_itself(viewer: Caller, settings: Any) -> None:
    settings.OPA_CONNECTIONS = {"main": Connection("http://127.0.0.1:9")}
    health = kinds(viewer)["policy"]["health"]
    assert health["status"] == "ok"
    assert "each promotion's gate says what the server answered" in health["reason"]
    assert "127.0.0.1" not in health["reason"]


def test_it_is_paged_like_every_list(viewer: Caller) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        body = viewer.get(f"/promotion-gates?pageSize=4&cursor={cursor}").json()
        seen += [each["kind"] for each in body["data"]]
        cursor = body["meta"]["nextCursor"]
    assert seen == list(kinds(viewer))
    previous = body["meta"]["previousCursor"]
    assert [
        each["kind"] for each in viewer.get(f"/promotion-gates?pageSize=4&cursor={previous}").json()["data"]
    ] == seen[4:8]
    assert len(viewer.get("/promotion-gates?pageSize=4&page=3").json()["data"]) == 1
    assert refusal(viewer.get("/promotion-gates?kind=manual")) == (400, "VAL_UNKNOWN_PARAMETER")
