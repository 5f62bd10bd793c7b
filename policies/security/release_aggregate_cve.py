"""release-aggregate-cve: so many vulnerabilities in the whole release, no more (domain.md §6).

A limit of one severity counts the worse ones too: else a finding that turns out worse than it was could leave the limit
it broke and let the release through (docs/adr/0082).
"""

from collections.abc import Mapping
from typing import Any, Final

from policies.security.findings import Record, worst
from policies.security.outcome import Outcome, View, and_others, in_words, remedy
from policies.security.severities import RANK, Band

NAME: Final = "release-aggregate-cve"

_BANDS: Final[dict[str, Band]] = {"maxCritical": "critical", "maxHigh": "high", "maxMedium": "medium", "maxLow": "low"}
_TOTAL: Final = "maxTotal"
_CODES: Final = {
    "maxCritical": "TOO_MANY_CRITICAL",
    "maxHigh": "TOO_MANY_HIGH",
    "maxMedium": "TOO_MANY_MEDIUM",
    "maxLow": "TOO_MANY_LOW",
    "maxTotal": "TOO_MANY_FINDINGS",
}


def _limit(default: int | None, what: str) -> dict[str, Any]:
    return {
        "type": ["integer", "null"],
        "minimum": 0,
        "maximum": 1_000_000,
        "default": default,
        "description": f"So many {what} at most; null: any number.",
    }


SETTINGS: Final[dict[str, Any]] = {
    "maxCritical": _limit(0, "critical findings"),
    "maxHigh": _limit(3, "findings of high severity or worse"),
    "maxMedium": _limit(20, "findings of medium severity or worse"),
    "maxLow": _limit(None, "findings of low severity or worse"),
    "maxTotal": _limit(None, "findings of any severity"),
}


def judge(view: View, settings: Mapping[str, Any]) -> Outcome:
    """Fails above a limit; warns from 80 % of it on, except of zero."""
    above: list[tuple[str, list[Record]]] = []
    near: list[tuple[str, list[Record]]] = []
    for setting in (*_BANDS, _TOTAL):
        limit = settings[setting]
        if limit is None:
            continue
        least = RANK[_BANDS[setting]] if setting in _BANDS else 0
        found = [record for rank, record in view.ranked if rank >= least]
        if len(found) > limit:
            above.append((setting, found))
        elif limit and len(found) * 5 >= limit * 4:
            near.append((setting, found))
    details = {"above": sorted(each for each, _ in above), "near": sorted(each for each, _ in near)}
    if not above and not near:
        return Outcome("pass", details=details)
    setting, found = (above or near)[0]
    first = worst(found)
    if above:
        what = f"{_kind(setting, len(found))} where {_allowed(settings[setting])}"
    else:
        what = f"{_kind(setting, len(found))} of at most {settings[setting]}"
    return Outcome(
        "fail" if above else "warn",
        (*(_CODES[each] for each, _ in above), *(("CVE_LIMIT_NEAR",) if near else ())),
        details,
        tuple({record.key: record for _, those in above or near for record in those}.values()),
        f"{what}: {in_words(first)}{and_others(len(found) - 1)}; {remedy(first)}",
    )


def _kind(setting: str, number: int) -> str:
    """`1 critical finding`, `4 findings of high severity or worse`, `11 findings`."""
    findings = "finding" if number == 1 else "findings"
    if setting == "maxCritical":
        return f"{number} critical {findings}"
    return (
        f"{number} {findings} of {_BANDS[setting]} severity or worse" if setting in _BANDS else f"{number} {findings}"
    )


def _allowed(limit: int) -> str:
    return f"{limit} are allowed" if limit > 1 else "1 is allowed" if limit else "none is allowed"
