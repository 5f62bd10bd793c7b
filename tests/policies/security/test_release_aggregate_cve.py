from typing import Any

import pytest

from tests.policies.cases import verdict
from tests.policies.security.world import JOBS, WEB, Evidence, finding, guarded

RULE = "release-aggregate-cve"
SCORES = {"critical": 9.0, "high": 8.9, "medium": 6.9, "low": 3.9, "none": 0.0}


def many(**numbers: int) -> list[Any]:
    return [
        finding(f"CVE-2024-{band}{number}", cvss=SCORES[band])
        for band, count in numbers.items()
        for number in range(count)
    ]


TABLE: list[tuple[dict[str, int], dict[str, Any], tuple[str, list[str]]]] = [
    # nothing
    ({}, {}, ("pass", [])),
    # not one critical by default
    ({"critical": 1}, {}, ("fail", ["TOO_MANY_CRITICAL"])),
    # three high are the limit, and near it
    ({"high": 3}, {}, ("warn", ["CVE_LIMIT_NEAR"])),
    # two of three are two thirds
    ({"high": 2}, {}, ("pass", [])),
    # four are too many
    ({"high": 4}, {}, ("fail", ["TOO_MANY_HIGH"])),
    # 16 of 20 are 80 %
    ({"medium": 16}, {}, ("warn", ["CVE_LIMIT_NEAR"])),
    # 15 are less
    ({"medium": 15}, {}, ("pass", [])),
    # 21 are too many
    ({"medium": 21}, {}, ("fail", ["TOO_MANY_MEDIUM"])),
    # low ones have no limit by default
    ({"low": 500}, {}, ("pass", [])),
    # but may have one
    ({"low": 11}, {"maxLow": 10}, ("fail", ["TOO_MANY_LOW"])),
    # all together
    ({"low": 5, "medium": 5, "none": 1}, {"maxTotal": 10}, ("fail", ["TOO_MANY_FINDINGS"])),
    # a limit may be taken away
    ({"critical": 3}, {"maxCritical": None, "maxHigh": None}, ("pass", [])),
    # what is worse counts too, so that a finding that turns out worse never leaves a limit
    ({"critical": 4}, {"maxCritical": None}, ("fail", ["TOO_MANY_HIGH"])),
    ({"high": 3, "medium": 18}, {}, ("fail", ["CVE_LIMIT_NEAR", "TOO_MANY_MEDIUM"])),
    # everything wrong is told
    ({"critical": 1, "high": 2}, {}, ("fail", ["CVE_LIMIT_NEAR", "TOO_MANY_CRITICAL"])),
    # nothing counts nowhere
    ({"none": 5}, {"maxLow": 0}, ("pass", [])),
]


@pytest.mark.parametrize(("numbers", "settings", "expected"), TABLE)
def test_truth_table(numbers: dict[str, int], settings: dict[str, Any], expected: tuple[str, list[str]]) -> None:
    evidence = Evidence()
    evidence.report(*many(**numbers))
    assert verdict(evidence.into(guarded({RULE: settings})).gate("cve")) == expected


def test_the_same_finding_in_two_artifacts_counts_once() -> None:
    evidence = Evidence(WEB, JOBS)
    evidence.report(*many(high=3))
    evidence.report(*many(high=3), artifactDigest=JOBS)
    assert evidence.into(guarded({RULE: {}})).gate("cve").status == "warn"


def test_findings_of_all_artifacts_count_together() -> None:
    evidence = Evidence(WEB, JOBS)
    evidence.report(*many(high=3))
    evidence.report(finding("CVE-2023-1", cvss=8.0), artifactDigest=JOBS)
    assert evidence.into(guarded({RULE: {}})).gate("cve").status == "fail"


def test_only_the_findings_of_the_broken_limits_make_the_failure() -> None:
    evidence = Evidence()
    evidence.report(*many(critical=1, high=2))
    assert evidence.into(guarded({RULE: {}})).gate("cve").details["findingsCount"] == 1


def test_a_warning_says_how_near_it_is() -> None:
    evidence = Evidence()
    evidence.report(*many(high=3))
    message = evidence.into(guarded({RULE: {}})).gate("cve").message
    assert message.startswith(
        "3 findings of high severity or worse of at most 3: CVE-2024-high0 in musl 1.1.22-r2 (high, CVSS 8.9)"
    )
