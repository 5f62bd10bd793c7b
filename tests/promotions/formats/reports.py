"""What is asked of a report in the tests of every scanner."""

from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.samples import read


def found(document: Any) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = read("vulnerabilities", document)["parsed"]["findings"]
    return findings


def left_out(document: Any) -> dict[str, int]:
    """By reason, as gates see it."""
    parsed = read("vulnerabilities", document)["parsed"]
    return {each["reason"]: each["number"] for each in parsed.get("leftOut", [])}


def refused(document: Any) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        read("vulnerabilities", document)
    return caught.value


def judged(finding: dict[str, Any]) -> tuple[str, float | None, str | None]:
    """Severity, score, and the scanner's own conclusion where it is milder."""
    return finding["severity"], finding["cvss"], finding.get("scannerSeverity")
