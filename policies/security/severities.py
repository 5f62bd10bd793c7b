"""Severities in their order, and the CVSS bands (domain.md §6)."""

from typing import Final, Literal

Band = Literal["none", "low", "medium", "high", "critical"]

BANDS: Final[tuple[Band, ...]] = ("none", "low", "medium", "high", "critical")
"""From the mildest to the worst; the place of a band is its rank."""

RANK: Final = {band: rank for rank, band in enumerate(BANDS)}

THRESHOLDS: Final = ["low", "medium", "high", "critical"]
"""What a setting may name as the least severity that it is about."""


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
