from typing import Any

import pytest

from tests.policies.cases import verdict
from tests.policies.security.world import Evidence, finding, guarded

RULE = "reachable-cve"

TABLE: list[tuple[dict[str, Any], dict[str, Any], tuple[str, list[str]]]] = [
    # reachable and high
    ({"reachable": True, "cvss": 7.0}, {}, ("fail", ["REACHABLE_CVE"])),
    # reachable and not high
    ({"reachable": True, "cvss": 6.9}, {}, ("pass", [])),
    # the policy may ask for less
    ({"reachable": True, "cvss": 4.0}, {"severityThreshold": "medium"}, ("fail", ["REACHABLE_CVE"])),
    # not reachable
    ({"reachable": False, "cvss": 9.9}, {}, ("pass", [])),
    # nobody analysed it
    ({"reachable": None, "cvss": 9.9}, {}, ("fail", ["REACHABILITY_UNKNOWN"])),
    # nobody knows how bad it is
    ({"reachable": True, "cvss": None}, {}, ("fail", ["REACHABLE_CVE"])),
]


@pytest.mark.parametrize(("changes", "settings", "expected"), TABLE)
def test_truth_table(changes: dict[str, Any], settings: dict[str, Any], expected: tuple[str, list[str]]) -> None:
    evidence = Evidence()
    evidence.report(finding(**changes))
    assert verdict(evidence.into(guarded({RULE: settings})).gate("cve")) == expected


def test_one_report_that_cannot_tell_outweighs_another_that_says_not_reachable() -> None:
    evidence = Evidence()
    evidence.report(finding(reachable=False))
    evidence.report(finding(reachable=None))
    assert verdict(evidence.into(guarded({RULE: {}})).gate("cve")) == ("fail", ["REACHABILITY_UNKNOWN"])


def test_the_message_says_that_no_report_tells() -> None:
    evidence = Evidence()
    evidence.report(finding())
    assert "may be reachable (no report says that it is not)" in evidence.into(guarded({RULE: {}})).gate("cve").message
