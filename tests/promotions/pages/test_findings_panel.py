"""What the page shows of a security gate: what counts, what does not and why (templates/promotions/_findings.html)."""

import re
from typing import Any

from django.template.loader import render_to_string

from tests.policies.security.world import (
    AMD64,
    ARM64,
    NO_CRITICAL,
    WEB,
    Evidence,
    finding,
    guarded,
)


def shown(evidence: Evidence, **config: Any) -> str:
    """The panel's text, each run of spaces one space."""
    gate = evidence.into(guarded(NO_CRITICAL, **config)).gate("cve").as_json()
    text = re.sub(r"<[^>]*>", " ", render_to_string("promotions/_findings.html", {"gate": gate}))
    return re.sub(r"\s+", " ", text)


def test_findings_that_the_scanner_was_told_to_ignore_are_shown_where_they_count() -> None:
    evidence = Evidence()
    evidence.report(finding(suppressed=".trivyignore"), finding("CVE-2024-1", cvss=3.0, suppressed="--vex"))
    text = shown(evidence)
    assert "2, which count like any other" in text
    assert "CVSS 9.8 ignored by .trivyignore" in text
    assert "CVE-2024-1@pkg:apk/alpine/musl@1.1.22-r2 by --vex" in text


def test_and_where_the_policy_accepts_them() -> None:
    evidence = Evidence()
    evidence.report(finding(suppressed=".trivyignore"))
    text = shown(evidence, acceptSuppressed=True, severityFrom="scanner")
    assert "1 finding that the policy accepts" in text
    assert "by .trivyignore" in text
    assert "what the scanner concludes" in text


def test_reports_that_leave_something_out_are_shown() -> None:
    evidence = Evidence()
    evidence.report(left_out=[("an entry <b>", 2), ("packages", 1)])
    evidence.vex(left_out=[("statements", 4)])
    text = shown(evidence)
    assert "1 report could not be read completely" in text
    assert "3 things left out: an entry &lt;b&gt; (2), packages (1)" in text
    assert "VEX tool-1 , trusted, 4 things left out" in text


def test_the_platform_that_lacks_a_report_is_shown() -> None:
    evidence = Evidence()
    evidence.indexes = {WEB: [AMD64, ARM64]}
    evidence.report(about=AMD64)
    text = shown(evidence)
    assert "1 report is lacking Platform manifest" in text
    assert "SECURITY_REPORT_MISSING" in text
    assert "about platform manifest" in text


def test_nothing_of_it_is_shown_where_there_is_nothing() -> None:
    evidence = Evidence()
    evidence.report()
    text = shown(evidence)
    assert not any(each in text for each in ("gnore", "left out", "latform", "lacking", "Severity"))
