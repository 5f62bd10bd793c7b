from typing import Any

import pytest

from tests.policies.cases import Case, verdict
from tests.policies.security.world import Evidence, finding, guarded

RULE = "epss-threshold"
ABOVE, UNSCORED = "EPSS_ABOVE_THRESHOLD", "EPSS_SCORE_MISSING"


def scored(findings: list[Any], settings: dict[str, Any], **scores: float) -> Case:
    evidence = Evidence()
    evidence.report(*findings)
    return evidence.into(guarded({RULE: settings}), epss=evidence.epss(**scores))


A, B, C = (finding(f"CVE-2024-{number}") for number in (1, 2, 3))
UNREACHABLE, REACHABLE = (finding("CVE-2024-1", reachable=each) for each in (False, True))
HALF: Any = {"threshold": 0.5}
ALL: Any = {"threshold": 0.5, "mode": "all"}

TABLE: list[tuple[list[Any], dict[str, Any], dict[str, float], tuple[str, list[str]]]] = [
    # below
    ([A], HALF, {"CVE_2024_1": 0.49999}, ("pass", [])),
    # at the threshold
    ([A], HALF, {"CVE_2024_1": 0.5}, ("fail", [ABOVE])),
    # by default a tenth
    ([A], {}, {"CVE_2024_1": 0.1}, ("fail", [ABOVE])),
    # one of two is enough
    ([A, B], HALF, {"CVE_2024_1": 0.1, "CVE_2024_2": 0.9}, ("fail", [ABOVE])),
    # two that are below are below
    ([A, B], HALF, {"CVE_2024_1": 0.4, "CVE_2024_2": 0.4}, ("pass", [])),
    # all together: 1 - 0.6 * 0.6
    ([A, B], ALL, {"CVE_2024_1": 0.4, "CVE_2024_2": 0.4}, ("fail", [ABOVE])),
    # together below: 1 - 0.8 * 0.8
    ([A, B], ALL, {"CVE_2024_1": 0.2, "CVE_2024_2": 0.2}, ("pass", [])),
    # one by itself at the threshold is so together, too
    ([A], {"threshold": 0.1, "mode": "all"}, {"CVE_2024_1": 0.1}, ("fail", [ABOVE])),
    # no findings
    ([], ALL, {}, ("pass", [])),
    # the feed does not know one
    ([A, B], HALF, {"CVE_2024_1": 0.1}, ("warn", [UNSCORED])),
    # that does not hide another
    ([A, B], HALF, {"CVE_2024_1": 0.6}, ("fail", [ABOVE, UNSCORED])),
    # a threshold of nothing lets nothing through
    ([A], {"threshold": 0}, {"CVE_2024_1": 0.0}, ("fail", [ABOVE])),
    # asked whether it is reachable: not analysed counts as reachable
    ([A], {**HALF, "requireReachable": True}, {"CVE_2024_1": 0.6}, ("fail", [ABOVE])),
    # reachable
    ([REACHABLE], {**HALF, "requireReachable": True}, {"CVE_2024_1": 0.6}, ("fail", [ABOVE])),
    # not reachable
    ([UNREACHABLE], {**HALF, "requireReachable": True}, {"CVE_2024_1": 0.6}, ("pass", [])),
    # not asked
    ([UNREACHABLE], HALF, {"CVE_2024_1": 0.6}, ("fail", [ABOVE])),
    # a score that is none
    ([A], HALF, {"CVE_2024_1": 1.5}, ("pending", ["GATE_ERROR"])),
]


@pytest.mark.parametrize(("findings", "settings", "scores", "expected"), TABLE)
def test_truth_table(
    findings: list[Any], settings: dict[str, Any], scores: dict[str, float], expected: tuple[str, list[str]]
) -> None:
    assert verdict(scored(findings, settings, **scores).gate("cve")) == expected


def test_without_the_feed_it_waits() -> None:
    evidence = Evidence()
    evidence.report()
    assert verdict(evidence.into(guarded({RULE: {}})).gate("cve")) == ("pending", ["EPSS_FEED_MISSING"])


def test_scores_that_are_too_old_are_none() -> None:
    evidence = Evidence()
    evidence.report()
    gate = evidence.into(guarded({RULE: {}}, maxFeedAge=3 * 86400), epss=evidence.epss()).gate("cve")
    assert verdict(gate) == ("pending", ["EPSS_FEED_STALE"])


def test_the_message_names_cve_component_probability_and_limit() -> None:
    message = scored([A], HALF, CVE_2024_1=0.94358).gate("cve").message
    assert message.startswith(
        "CVE-2024-1 in musl 1.1.22-r2 (critical, CVSS 9.8) is exploited within 30 days with a probability of 94.4 % "
        "(the limit is 50.0 %); musl has no fixed version yet"
    )


def test_together_the_probability_of_all_is_told() -> None:
    gate = scored([A, B], ALL, CVE_2024_1=0.4, CVE_2024_2=0.4).gate("cve")
    assert gate.details["rules"][RULE]["together"] == 0.64
    assert "one of all 2 with 64.0 %" in gate.message
