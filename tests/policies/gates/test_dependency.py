from typing import Any

import pytest

from policies.documents import InvalidDocument, promotion_policy
from tests.policies.cases import NOW, Case, verdict

LEDGER = {"type": "release", "release": "ledger-9", "environment": "production", "state": "deployed"}
OPEN = {"type": "environment", "environment": "staging", "state": "not-frozen"}
IDLE = {"type": "environment", "environment": "staging", "state": "idle"}
HOUR_9 = "2026-11-23T09:00:00.000Z"
HOUR_10 = "2026-11-23T10:00:00.000Z"


def environment(**observed: Any) -> dict[str, Any]:
    return {"frozen": False, "nextOpen": None, "nextClose": None, "idle": True, **observed}


def depends(*pairs: tuple[dict[str, Any], Any], **gate: Any) -> Case:
    targets = [target for target, _ in pairs]
    case = Case(gates_=[{"name": "needs", "kind": "dependency", "config": {"targets": targets}, **gate}])
    return case.given(dependencies={"needs": [{**target, "observed": seen} for target, seen in pairs]})


FROZEN = environment(frozen=True, nextOpen=HOUR_9)

TABLE: list[tuple[list[tuple[dict[str, Any], Any]], tuple[str, list[str]], str | None]] = [
    # the release is deployed there
    ([(LEDGER, {"deployed": True})], ("pass", []), None),
    # it is not, or was rolled back
    ([(LEDGER, {"deployed": False})], ("pending", ["DEPENDENCY_NOT_MET"]), None),
    # there is no such release or environment
    ([(LEDGER, None)], ("pending", ["DEPENDENCY_UNKNOWN"]), None),
    # the environment is not frozen
    ([(OPEN, environment())], ("pass", []), None),
    # it is not frozen yet
    ([(OPEN, environment(nextClose=HOUR_10))], ("pass", []), HOUR_10),
    # it is frozen
    ([(OPEN, FROZEN)], ("pending", ["DEPENDENCY_NOT_MET"]), HOUR_9),
    # who asks for idle does not ask about freezes
    ([(IDLE, FROZEN)], ("pass", []), None),
    # a deployment runs there
    ([(IDLE, environment(idle=False))], ("pending", ["DEPENDENCY_NOT_MET"]), None),
    # there is no such environment
    ([(IDLE, None)], ("pending", ["DEPENDENCY_UNKNOWN"]), None),
    # all must hold
    ([(LEDGER, {"deployed": True}), (IDLE, environment(idle=False))], ("pending", ["DEPENDENCY_NOT_MET"]), None),
    # everything wrong is named
    (
        [(LEDGER, None), (OPEN, FROZEN)],
        ("pending", ["DEPENDENCY_NOT_MET", "DEPENDENCY_UNKNOWN"]),
        None,
    ),
    # an observation of another shape is an error
    ([(LEDGER, {"installed": True})], ("pending", ["GATE_ERROR"]), None),
    # "yes" is not true
    ([(LEDGER, {"deployed": "yes"})], ("pending", ["DEPENDENCY_NOT_MET"]), None),
]


@pytest.mark.parametrize(("pairs", "expected", "next_change_at"), TABLE)
def test_truth_table(
    pairs: list[tuple[dict[str, Any], Any]], expected: tuple[str, list[str]], next_change_at: str | None
) -> None:
    gate = depends(*pairs).gate("needs")
    assert (verdict(gate), gate.next_change_at) == (expected, next_change_at)


MISSING: list[Any] = [
    # nothing was gathered
    {},
    # fewer than configured
    {"needs": []},
    # something else was observed
    {"needs": [{**LEDGER, "release": "ledger-8", "observed": {"deployed": True}}]},
    # more than configured
    {"needs": [{**LEDGER, "observed": {"deployed": True}}, {**IDLE, "observed": environment()}]},
]


@pytest.mark.parametrize("gathered", MISSING)
def test_facts_that_are_not_those_of_the_config_are_missing(gathered: Any) -> None:
    case = depends((LEDGER, {"deployed": True}))
    case.facts["dependencies"] = gathered
    assert verdict(case.gate("needs")) == ("pending", ["GATE_FACTS_MISSING"])


@pytest.mark.parametrize("seen", [None, "missing"])
def test_on_error_fail_rejects_what_is_unknown(seen: Any) -> None:
    case = depends((LEDGER, None), onError="fail")
    if seen == "missing":
        case.facts["dependencies"] = {}
    assert case.gate("needs").status == "fail"


def test_on_error_does_not_reject_what_only_waits() -> None:
    assert depends((LEDGER, {"deployed": False}), onError="fail").gate("needs").status == "pending"


def test_the_message_names_the_first_of_what_it_waits_for() -> None:
    gate = depends((OPEN, FROZEN), (LEDGER, {"deployed": False})).gate("needs")
    assert gate.message == "Waiting for the freeze of staging to end 2026-11-23 09:00 UTC and 1 more."


def test_details_say_of_each_target_whether_it_is_met() -> None:
    gate = depends((LEDGER, {"deployed": True}), (IDLE, environment(idle=False))).gate("needs")
    assert [each["met"] for each in gate.details["targets"]] == [True, False]


HEALTH = {
    "type": "http",
    "url": "https://ledger.example.org/health",
    "expect": {"status": 200, "maxDurationMs": 500, "bodyContains": "ok"},
    "timeout": 5,
    "maxAge": 300,
}


def health(**observed: Any) -> dict[str, Any]:
    return {
        "collectedAt": NOW,
        "problem": None,
        "status": 200,
        "durationMs": 12,
        "bodyDigest": "sha256:" + "f" * 64,
        "matched": True,
        **observed,
    }


HEALTH_TABLE: list[tuple[Any, tuple[str, list[str]]]] = [
    # as expected
    (health(), ("pass", [])),
    (health(durationMs=500), ("pass", [])),
    (health(collectedAt="2026-11-23T07:55:00.000Z"), ("pass", [])),
    # another answer than expected
    (health(status=503), ("pending", ["DEPENDENCY_NOT_MET"])),
    (health(status=302), ("pending", ["DEPENDENCY_NOT_MET"])),
    (health(durationMs=501), ("pending", ["DEPENDENCY_NOT_MET"])),
    (health(matched=False), ("pending", ["DEPENDENCY_NOT_MET"])),
    (health(matched=None), ("pending", ["DEPENDENCY_NOT_MET"])),
    (health(durationMs=None), ("pending", ["DEPENDENCY_NOT_MET"])),
    # no answer is no fact
    (None, ("pending", ["GATE_FACTS_MISSING"])),
    (health(collectedAt="2026-11-23T07:54:59.999Z"), ("pending", ["GATE_FACTS_MISSING"])),
    (health(problem="TIMEOUT", status=None), ("pending", ["GATE_TIMEOUT"])),
    (health(problem="ADDRESS_REFUSED", status=None), ("pending", ["GATE_ERROR"])),
    # a problem counts even beside a good status
    (health(problem="TOO_LARGE"), ("pending", ["GATE_ERROR"])),
]


@pytest.mark.parametrize(("seen", "expected"), HEALTH_TABLE)
def test_truth_table_of_health(seen: Any, expected: tuple[str, list[str]]) -> None:
    assert verdict(depends((HEALTH, seen)).gate("needs")) == expected


def test_on_error_fail_rejects_health_that_is_not_known_but_not_bad_health() -> None:
    assert depends((HEALTH, None), onError="fail").gate("needs").status == "fail"
    assert depends((HEALTH, health(status=503)), onError="fail").gate("needs").status == "pending"


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (health(status=503), "to be healthy, which answers 503 instead of 200."),
        (health(matched=False), "to be healthy, whose answer does not hold what is expected."),
        (health(durationMs=900), "to be healthy, which takes more than 500 ms."),
        (health(problem="UNREACHABLE"), "There is no answer from https://ledger.example.org/health (UNREACHABLE)"),
        (health(problem="ADDRESS_REFUSED"), "an operator may allow it"),
    ],
)
def test_the_message_says_what_is_wrong_with_an_address(seen: Any, words: str) -> None:
    assert words in depends((HEALTH, seen)).gate("needs").message


def test_an_answer_that_is_too_old_is_not_met() -> None:
    gate = depends((HEALTH, health(collectedAt="2026-11-23T07:00:00.000Z"))).gate("needs")
    assert [each["met"] for each in gate.details["targets"]] == [False]


REFUSED = [
    # addresses that cannot be called, or hold what nobody may read in a policy
    ({"type": "http", "url": "ftp://example.org"}, "gates[0].config.targets[0].url", "invalid"),
    ({"type": "http", "url": "https://nia:pass@example.org"}, "gates[0].config.targets[0].url", "invalid"),
    ({"type": "http", "url": "https://example.org?api_key=1"}, "gates[0].config.targets[0].url", "invalid"),
    ({"type": "http"}, "gates[0].config.targets[0].url", "required"),
    (
        {"type": "http", "url": "https://example.org", "expect": {"status": 99}},
        "gates[0].config.targets[0].expect.status",
        "min_value",
    ),
    (
        {"type": "http", "url": "https://example.org", "timeout": 11},
        "gates[0].config.targets[0].timeout",
        "max_value",
    ),
    # no such type
    ({"type": "moon"}, "gates[0].config.targets[0].type", "invalid_choice"),
    # a release has one state that can be asked for
    (LEDGER | {"state": "failed"}, "gates[0].config.targets[0].state", "invalid_choice"),
    # an environment has to be in a named state
    ({"type": "environment", "environment": "staging"}, "gates[0].config.targets[0].state", "required"),
    # an unknown field
    (IDLE | {"product": "main"}, "gates[0].config.targets[0].product", "unknown_field"),
]


@pytest.mark.parametrize(("target", "field", "code"), REFUSED)
def test_refused_at_save(target: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(InvalidDocument) as refusal:
        promotion_policy({"gates": [{"name": "needs", "kind": "dependency", "config": {"targets": [target]}}]})
    assert [(each.field, each.code) for each in refusal.value.fields] == [(field, code)]
