from typing import Any

import pytest

from policies.documents import InvalidDocument, promotion_policy
from policies.gates.security.config import rules_in
from policies.outcomes import GateResult
from tests.policies.cases import verdict
from tests.policies.security.world import GRETA, Evidence, finding, guarded

RULE = "cve-delta"
OLD_MUSL = "pkg:apk/alpine/musl@1.1.20-r0?distro=3.9.4"


def compared(new: list[Any], old: list[Any] | None, settings: dict[str, Any] | None = None, **old_report: Any) -> Any:
    """The gate of a release with findings `new` where one with `old` runs; None: that one had no bundle."""
    evidence = Evidence()
    current = None
    if old is not None:
        evidence.report(*old, **old_report)
        current = evidence.bundle()
        evidence.documents = []
    evidence.report(*new)
    case = evidence.into(guarded({RULE: settings or {}}, current="id-running"), currentBundleDigest=current)
    return case.gate("cve")


TABLE: list[tuple[list[Any], list[Any], dict[str, Any], tuple[str, list[str]]]] = [
    # the same
    ([finding()], [finding()], {}, ("pass", [])),
    # a new one
    ([finding(), finding("CVE-2020-1")], [finding()], {}, ("fail", ["NEW_CVE"])),
    # a new one that is not high
    ([finding("CVE-2020-1", cvss=6.9)], [], {}, ("pass", [])),
    # the policy may ask for less
    ([finding("CVE-2020-1", cvss=6.9)], [], {"newCveSeverityThreshold": "medium"}, ("fail", ["NEW_CVE"])),
    # the component was upgraded and still has it
    ([finding()], [finding(purl=OLD_MUSL)], {}, ("pass", [])),
    # it was in another component
    ([finding()], [finding(purl="pkg:apk/alpine/busybox@1.30")], {}, ("fail", ["NEW_CVE"])),
    # known before by another name
    ([finding("GHSA-1")], [finding("CVE-2020-1", aliases=["GHSA-1"])], {}, ("pass", [])),
    # one that nobody knows the severity of
    ([finding("CVE-2020-1", cvss=None)], [], {}, ("fail", ["NEW_CVE"])),
    # fewer than before
    ([], [finding()], {}, ("pass", [])),
]


@pytest.mark.parametrize(("new", "old", "settings", "expected"), TABLE)
def test_truth_table(new: list[Any], old: list[Any], settings: dict[str, Any], expected: tuple[str, list[str]]) -> None:
    assert verdict(compared(new, old, settings)) == expected


def test_without_reports_of_what_runs_there_it_waits() -> None:
    gate: GateResult = compared([finding()], None)
    assert verdict(gate) == ("pending", ["SECURITY_BASELINE_MISSING"])
    assert gate.message == "The release that runs in production has no trusted report to compare with."


def test_an_untrusted_report_of_what_runs_there_makes_nothing_old() -> None:
    gate: GateResult = compared([finding()], [finding()], uploadedBy=[GRETA])
    assert verdict(gate) == ("pending", ["SECURITY_BASELINE_MISSING"])


FIRST: list[tuple[dict[str, Any], tuple[str, list[str]]]] = [
    # nothing runs there: everything is new
    ({}, ("fail", ["NEW_CVE"])),
    ({"allowFirstRelease": False}, ("fail", ["NEW_CVE"])),
    # or nothing is, where the policy says so
    ({"allowFirstRelease": True}, ("pass", [])),
]


@pytest.mark.parametrize(("settings", "expected"), FIRST)
def test_the_first_release(settings: dict[str, Any], expected: tuple[str, list[str]]) -> None:
    evidence = Evidence()
    evidence.report(finding())
    gate = evidence.into(guarded({RULE: settings})).gate("cve")
    assert verdict(gate) == expected
    assert gate.details["rules"][RULE]["firstRelease"] is True


def test_a_stored_policy_that_left_it_out_for_an_environment_means_what_it_meant() -> None:
    stored = {"rules": {"kev-blocker": {}}, "environments": {"production": {RULE: {}}}}
    assert rules_in(stored, "production")[RULE]["allowFirstRelease"] is True


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({RULE: {}}, True),
        ({RULE: {"newCveSeverityThreshold": "low"}}, True),
        ({RULE: {"allowFirstRelease": False}}, False),
        ({RULE: None}, False),
    ],
)
@pytest.mark.parametrize("everywhere", [True, False])
def test_a_new_policy_says_it_for_an_environment_alone(
    changes: dict[str, Any], refused: bool, everywhere: bool
) -> None:
    rules: Any = {"kev-blocker": {}, **({RULE: {}} if everywhere else {})}
    config = {"rules": rules, "trustedUploaders": ["mei"], "environments": {"production": changes}}
    gate = {"name": "cve", "kind": "security", "config": config}
    if refused and not everywhere:
        with pytest.raises(InvalidDocument) as refusal:
            promotion_policy({"gates": [gate]})
        assert [each.field for each in refusal.value.fields] == [
            "gates[0].config.environments.production.cve-delta.allowFirstRelease"
        ]
    else:
        assert promotion_policy({"gates": [gate]})


def test_the_message_says_where_it_is_not() -> None:
    assert "is not in the release that runs in production" in compared([finding()], []).message
