"""reachable-cve: a serious vulnerability that the code can reach blocks (domain.md §6)."""

from collections.abc import Mapping
from typing import Any, Final

from policies.security.findings import worst
from policies.security.outcome import Outcome, View, and_others, in_words, remedy
from policies.security.severities import RANK, THRESHOLDS

NAME: Final = "reachable-cve"
SETTINGS: Final[dict[str, Any]] = {
    "severityThreshold": {
        "type": "string",
        "enum": THRESHOLDS,
        "default": "high",
        "description": "The least severity that blocks.",
    },
}


def judge(view: View, settings: Mapping[str, Any]) -> Outcome:
    """Fails for such a finding unless a report says that it is not reachable: not analysed counts as reachable."""
    least = RANK[settings["severityThreshold"]]
    found = [each for rank, each in view.ranked if rank >= least and each.reachable is not False]
    unknown = sum(each.reachable is None for each in found)
    details = {"reachable": len(found) - unknown, "notAnalysed": unknown}
    if not found:
        return Outcome("pass", details=details)
    first = worst(found)
    codes = (
        *(("REACHABLE_CVE",) if unknown < len(found) else ()),
        *(("REACHABILITY_UNKNOWN",) if unknown else ()),
    )
    how = "is reachable" if first.reachable else "may be reachable (no report says that it is not)"
    sentence = f"{in_words(first)} {how}{and_others(len(found) - 1)}; {remedy(first)}"
    return Outcome("fail", codes, details, tuple(found), sentence)
