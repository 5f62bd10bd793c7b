"""Severities in their order, and the CVSS bands (domain.md §6)."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from policies.document_facts import Finding, Severity

Band = Literal["none", "low", "medium", "high", "critical"]

BANDS: Final[tuple[Band, ...]] = ("none", "low", "medium", "high", "critical")
"""From the mildest to the worst; the place of a band is its rank."""

RANK: Final = {band: rank for rank, band in enumerate(BANDS)}

THRESHOLDS: Final = ["low", "medium", "high", "critical"]
"""The severities that a setting may name as its least."""


def rank_of_score(cvss: float) -> int:
    """The rank of the band of a CVSS base score: 9.0 critical, 7.0 high, 4.0 medium, anything above 0 low.

    ValueError for what is no score: a finding whose score cannot be read is not harmless.
    """
    if not 0.0 <= cvss <= 10.0:
        raise ValueError("a CVSS score lies between 0.0 and 10.0")
    if cvss >= 9.0:
        return RANK["critical"]
    if cvss >= 7.0:
        return RANK["high"]
    if cvss >= 4.0:
        return RANK["medium"]
    return RANK["low"] if cvss > 0.0 else RANK["none"]


Grade = Callable[[Finding], int]
"""The rank of a finding by the words of its report; -1 where the report knows no severity. KeyError or ValueError for a
word that is no severity and no score."""


def worst(finding: Finding) -> int:
    """The worse of the severity and the band of the score."""
    return max(_of_word(finding["severity"]), _of_score(finding["cvss"]))


def by_score(finding: Finding) -> int:
    """The band of the score; without one the severity, also of one entry among others."""
    severity, score = _of_word(finding["severity"]), _of_score(finding["cvss"])
    return severity if score < 0 else max(score, _of_word(finding.get("severityWithoutScore", "unknown")))


def by_scanner(finding: Finding) -> int:
    """The scanner's own conclusion; without one the severity."""
    word, score = _of_word(finding.get("scannerSeverity", finding["severity"])), _of_score(finding["cvss"])
    return score if word < 0 else word


def _of_word(word: Severity) -> int:
    return -1 if word == "unknown" else RANK[word]


def _of_score(cvss: float | None) -> int:
    return -1 if cvss is None else rank_of_score(cvss)


GRADES: Final[Mapping[str, Grade]] = {"worst": worst, "cvss": by_score, "scanner": by_scanner}
"""By the name that the setting `severityFrom` has for it."""
