"""Where the severity of a finding comes from (docs/security-gate.md)."""

from typing import Any

import pytest

from policies.outcomes import GateResult
from tests.policies.security.world import NO_CRITICAL, Evidence, finding, guarded

SOURCES = ("worst", "cvss", "scanner")


def judged(*findings: dict[str, Any], source: str | None, unknown: str = "critical") -> GateResult:
    evidence = Evidence()
    for each in findings:
        evidence.report(finding(**each))
    config = {} if source is None else {"severityFrom": source}
    return evidence.into(guarded(NO_CRITICAL, **config, unknownSeverityAs=unknown)).gate("cve")


def counted(gate: GateResult) -> list[str]:
    counts = gate.details["counts"]
    return [word for word in ("critical", "high", "medium", "low", "none") for _ in range(counts[word])]


# (the findings of a report each, what they come to by worst, by cvss, by scanner)
TABLE: list[tuple[list[dict[str, Any]], tuple[str, str, str]]] = [
    # score and severity agree
    ([{"cvss": 9.8, "severity": "critical"}], ("critical", "critical", "critical")),
    # the word of the report is worse than its score
    ([{"cvss": 5.9, "severity": "high"}], ("high", "medium", "high")),
    # the score is worse than what the scanner concludes
    ([{"cvss": 9.8, "severity": "critical", "scannerSeverity": "low"}], ("critical", "critical", "low")),
    # another source's word is worse than both
    ([{"cvss": 5.0, "severity": "critical", "scannerSeverity": "low"}], ("critical", "medium", "low")),
    # no score
    ([{"cvss": None, "severity": "high"}], ("high", "high", "high")),
    ([{"cvss": None, "severity": "high", "scannerSeverity": "low"}], ("high", "high", "low")),
    # a score and no word
    ([{"cvss": 5.0, "severity": "unknown"}], ("medium", "medium", "medium")),
    # another entry of the report has no score, and is worse
    ([{"cvss": 3.1, "severity": "critical", "severityWithoutScore": "critical"}], ("critical", "critical", "critical")),
    # another entry of the report knows none: at least as unknownSeverityAs
    ([{"cvss": 3.0, "severity": "low", "unscored": True}], ("critical", "critical", "critical")),
    (
        [{"cvss": 9.8, "severity": "critical", "scannerSeverity": "low", "unscored": True}],
        ("critical", "critical", "critical"),
    ),
    # of two reports the worse, each by itself
    (
        [{"cvss": None, "severity": "critical"}, {"cvss": 3.0, "severity": "low"}],
        ("critical", "critical", "critical"),
    ),
    (
        [
            {"cvss": 9.8, "severity": "critical", "scannerSeverity": "low"},
            {"cvss": 5.0, "severity": "medium"},
        ],
        ("critical", "critical", "medium"),
    ),
    # one of the two knows none
    ([{"cvss": None, "severity": "unknown"}, {"cvss": 3.0}], ("critical", "critical", "critical")),
]


@pytest.mark.parametrize(("findings", "expected"), TABLE)
def test_truth_table(findings: list[dict[str, Any]], expected: tuple[str, str, str]) -> None:
    assert tuple("".join(counted(judged(*findings, source=each))) for each in SOURCES) == expected


@pytest.mark.parametrize("source", SOURCES)
def test_an_unknown_severity_counts_at_least_as_the_policy_says(source: str) -> None:
    low = {"cvss": 3.0, "severity": "low", "unscored": True}
    high = {"cvss": 8.0, "severity": "high", "unscored": True}
    assert counted(judged(low, source=source, unknown="medium")) == ["medium"]
    assert counted(judged(high, source=source, unknown="medium")) == ["high"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("broken", [{"cvss": 11.0}, {"severity": "scary"}, {"cvss": 9.8, "severity": "scary"}])
def test_what_is_no_severity_is_an_error_and_no_pass(source: str, broken: dict[str, Any]) -> None:
    changes = {"severity": "low", **broken}
    assert list(judged(changes, source=source).reason_codes) == ["GATE_ERROR"]


def test_the_worst_counts_unless_the_policy_says_otherwise() -> None:
    gate = judged({"cvss": 9.8, "severity": "critical", "scannerSeverity": "low"}, source=None)
    assert (counted(gate), gate.details["severityFrom"]) == (["critical"], "worst")


def test_the_verdict_is_told_by_the_severity_that_counts() -> None:
    gate = judged({"cvss": 5.9, "severity": "critical"}, source="cvss")
    assert (gate.status, gate.details["severityFrom"]) == ("pass", "cvss")
    gate = judged({"cvss": 5.9, "severity": "critical"}, source="worst")
    assert [each["severity"] for each in gate.details["worst"]] == ["critical"]
