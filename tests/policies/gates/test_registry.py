import pytest

from policies.gates import MANDATORY, REGISTRY, current_versions, describe, who_can_act
from stellapromote.json_schema import read

RANKS = {
    "preconditions": 0,
    "freeze-window": 10,
    "schedule": 20,
    "evidence": 30,
    "security": 40,
    "policy": 50,
    "dependency": 60,
    "manual": 70,
    "approval": 80,
}


def test_every_kind_has_its_rank_of_the_design() -> None:
    assert {kind: REGISTRY.kinds[kind, version].rank for kind, version in REGISTRY.current.items()} == RANKS


def test_kinds_that_look_into_documents_have_a_version_that_waits_for_their_reading() -> None:
    assert all(REGISTRY.current[kind] >= 2 for kind in ("evidence", "security", "policy"))


def test_every_older_version_stays_for_the_decisions_that_were_made_with_it() -> None:
    assert {(kind, number) for kind, version in REGISTRY.current.items() for number in range(1, version + 1)} == set(
        REGISTRY.kinds
    )


OLD: dict[str, dict[str, object]] = {
    "security": {
        "rules": {},
        "environments": {},
        "trustedKeys": [],
        "trustedUploaders": ["mei"],
        "maxReportAge": None,
        "maxFeedAge": None,
        "unknownSeverityAs": "critical",
    },
    "evidence": {"requireSbom": True, "formats": [], "requiredPredicateTypes": [], "trustedKeys": [], "maxAge": None},
}


@pytest.mark.parametrize("kind", sorted(OLD))
def test_settings_of_version_1_are_read_as_they_were_stored(kind: str) -> None:
    assert read(OLD[kind], REGISTRY.kinds[kind, 1].config_schema) == (OLD[kind], [])
    newer, errors = read(OLD[kind], REGISTRY.kinds[kind, 2].config_schema)
    assert (errors, {**newer, **OLD[kind]}) == ([], newer)
    assert len(newer) > len(OLD[kind])


def test_the_three_mandatory_kinds_are_there() -> None:
    assert set(MANDATORY) <= set(REGISTRY.current)


def test_current_versions_name_the_kinds_asked_for_and_the_mandatory_ones() -> None:
    assert current_versions(["manual"]) == {"approval": 3, "freeze-window": 1, "manual": 1, "preconditions": 2}


@pytest.mark.parametrize(
    ("elsewhere", "approval"),
    [
        ([], 3),
        ([{"approval": 3}, {"approval": 3, "manual": 1}], 3),
        ([{"approval": 3}, {"approval": 2}], 2),
        ([{"approval": 4}], 3),
        ([{}], 3),
    ],
)
def test_of_each_kind_that_version_is_used_which_every_process_knows(
    elsewhere: list[dict[str, int]], approval: int
) -> None:
    assert current_versions([], elsewhere)["approval"] == approval


def test_a_kind_nobody_knows_has_no_current_version() -> None:
    assert "horoscope" not in current_versions(["horoscope"])


def test_kinds_are_described_in_the_order_in_which_they_are_judged() -> None:
    assert [each["kind"] for each in describe()] == sorted(RANKS, key=RANKS.__getitem__)


def test_a_description_says_what_the_page_and_the_api_show() -> None:
    approval = describe()[-1]
    assert approval == {
        "kind": "approval",
        "kindVersion": 3,
        "rank": 80,
        "summary": "The required approvals are given by eligible people, and nobody rejected.",
        "mandatory": True,
        "configSchema": {"type": "object", "properties": {}},
        "requiresPolicy": False,
        "requiresAttestation": False,
        "requiresApproval": True,
    }


@pytest.mark.parametrize(
    ("kind", "version", "details"),
    [
        # nobody can act on a freeze
        ("freeze-window", 1, {"frozen": True}),
        # a gate that ended in an error
        ("approval", 1, {"error": "KeyError"}),
        # a kind nobody knows
        ("horoscope", 1, {}),
        # a version nobody knows
        ("approval", 99, {"requirements": []}),
    ],
)
def test_nobody_can_act_where_nobody_is_named(kind: str, version: int, details: dict[str, object]) -> None:
    assert who_can_act(kind, version, details) == ()
