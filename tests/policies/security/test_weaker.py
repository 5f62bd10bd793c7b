"""Edits of the two gates: what makes entering easier is told, what makes it harder is not."""

import copy
from typing import Any

import pytest

from policies import weakening
from policies.documents import promotion_policy
from tests.policies.security.world import TRUSTING

BASE: Any = {
    "rules": {"kev-blocker": {"graceDays": 14}, "epss-threshold": {"mode": "all"}, "release-aggregate-cve": {}},
    "maxReportAge": 3600,
    "maxFeedAge": 3600,
    "trustedKeys": ["build"],
    "trustedUploaders": ["mei"],
}


def told(kind: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The sentences, without "Gate cve" before them."""
    documents = [
        promotion_policy({"gates": [{"name": "cve", "kind": kind, "config": each}]}).content for each in (before, after)
    ]
    return [each.removeprefix("Gate cve ") for each in weakening.in_promotion_policy(*documents)]


def rules(**changes: Any) -> dict[str, Any]:
    merged = {**BASE["rules"], **{name.replace("_", "-"): value for name, value in changes.items()}}
    return {"rules": {name: value for name, value in merged.items() if value is not None}}


SECURITY: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    (rules(kev_blocker={"graceDays": 30}), ["has graceDays 30 instead of 14 in kev-blocker."]),
    (rules(kev_blocker={"graceDays": 7}), []),
    # it warns later, and blocks as before
    (rules(kev_blocker={"graceDays": 14, "warnDays": 1}), []),
    (rules(kev_blocker=None), ["does not apply kev-blocker any more."]),
    (rules(epss_threshold={"mode": "any"}), ["has mode any instead of all in epss-threshold."]),
    (
        rules(epss_threshold={"mode": "all", "threshold": 0.5, "requireReachable": True}),
        [
            "has requireReachable yes instead of no in epss-threshold.",
            "has threshold 0.5 instead of 0.1 in epss-threshold.",
        ],
    ),
    (
        rules(release_aggregate_cve={"maxHigh": None}),
        ["has maxHigh no limit instead of 3 in release-aggregate-cve."],
    ),
    (rules(release_aggregate_cve={"maxLow": 5}), []),
    # one more rule
    (rules(cve_delta={}), []),
    ({"trustedKeys": ["build", "other"]}, ["also trusts other."]),
    ({"trustedUploaders": ["mei", "nia"]}, ["also trusts nia."]),
    ({"trustedUploaders": []}, []),
    ({"maxReportAge": None}, ["believes older reports."]),
    ({"maxFeedAge": None}, ["believes older feeds."]),
    ({"unknownSeverityAs": "low"}, ["counts an unknown severity as low."]),
    ({"severityFrom": "cvss"}, ["takes the band of the CVSS score instead of the worst that a report says."]),
    (
        {"severityFrom": "scanner"},
        ["takes the severity that the scanner concludes instead of the worst that a report says."],
    ),
    ({"acceptSuppressed": True}, ["does not count what scanners were told to ignore any more."]),
    (
        {"environments": {"staging": {"kev-blocker": None}}},
        ["does not apply kev-blocker in staging any more."],
    ),
    (
        {"environments": {"staging": {"release-aggregate-cve": {"maxCritical": 1}}}},
        ["has maxCritical 1 instead of 0 in release-aggregate-cve in staging."],
    ),
]


@pytest.mark.parametrize(("changes", "expected"), SECURITY)
def test_security(changes: dict[str, Any], expected: list[str]) -> None:
    assert sorted(told("security", BASE, {**BASE, **changes})) == expected


MILD: Any = {**BASE, "severityFrom": "cvss", "acceptSuppressed": True}

BACK: list[tuple[dict[str, Any], list[str]]] = [
    # as strict as can be again
    (BASE, []),
    # another source, of which nobody can tell whether it is easier
    (
        {**MILD, "severityFrom": "scanner"},
        ["takes the severity that the scanner concludes instead of the worst that a report says."],
    ),
    (MILD, []),
]


@pytest.mark.parametrize(("after", "expected"), BACK)
def test_from_mild_settings_on(after: dict[str, Any], expected: list[str]) -> None:
    assert told("security", MILD, after) == expected


NEW_SETTINGS = ("severityFrom", "acceptSuppressed", "requireValidSchema")


@pytest.mark.parametrize(
    ("kind", "config", "number"),
    [
        ("security", BASE, 0),
        ("security", MILD, 2),
        ("evidence", {}, 0),
        ("evidence", {"requireValidSchema": True}, 0),
    ],
)
def test_a_version_from_before_a_setting_means_its_default(kind: str, config: dict[str, Any], number: int) -> None:
    after = promotion_policy({"gates": [{"name": "cve", "kind": kind, "config": config}]}).content
    before = copy.deepcopy(after)
    for gate in before["gates"]:
        gate["config"] = {name: value for name, value in gate["config"].items() if name not in NEW_SETTINGS}
    assert len(weakening.in_promotion_policy(before, after)) == number


def test_what_changes_everywhere_is_told_once() -> None:
    before = {**BASE, "environments": {"staging": {"release-aggregate-cve": {"maxHigh": 9}}}}
    assert told("security", before, {**before, **rules(kev_blocker=None)}) == ["does not apply kev-blocker any more."]


def test_severity_words_are_compared_by_their_order() -> None:
    low, high = ({"rules": {"reachable-cve": {"severityThreshold": each}}, **TRUSTING} for each in ("low", "high"))
    assert told("security", low, high) == ["has severityThreshold high instead of low in reachable-cve."]
    assert told("security", high, low) == []


PAPERS: Any = {
    "formats": ["cyclonedx"],
    "requiredPredicateTypes": ["https://slsa.dev/provenance/v1"],
    "trustedKeys": ["build"],
    "maxAge": 3600,
    "requireValidSchema": True,
}

EVIDENCE: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"requireSbom": False, "formats": [], "requireValidSchema": False}, ["needs no SBOM any more."]),
    ({"requireValidSchema": False}, ["takes an SBOM that breaks the schema of its format."]),
    ({"formats": []}, ["takes any format as SBOM."]),
    ({"formats": ["cyclonedx", "spdx"]}, ["takes cyclonedx or spdx as SBOM."]),
    ({"requiredPredicateTypes": []}, ["needs no attestation https://slsa.dev/provenance/v1 any more."]),
    ({"trustedKeys": []}, ["names no trusted keys any more."]),
    ({"trustedKeys": ["build", "other"]}, ["also trusts other."]),
    ({"maxAge": 7200}, ["takes older documents."]),
    ({"maxAge": 60}, []),
]


@pytest.mark.parametrize(("changes", "expected"), EVIDENCE)
def test_evidence(changes: dict[str, Any], expected: list[str]) -> None:
    assert told("evidence", PAPERS, {**PAPERS, **changes}) == expected
