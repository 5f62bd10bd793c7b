"""cve-delta: no serious vulnerability that the release now in the target does not have (domain.md §6)."""

from collections.abc import Mapping
from typing import Any, Final

from policies.security.findings import worst
from policies.security.outcome import Outcome, View, and_others, in_words, remedy
from policies.security.severities import RANK, THRESHOLDS

NAME: Final = "cve-delta"
SETTINGS: Final[dict[str, Any]] = {
    "newCveSeverityThreshold": {
        "type": "string",
        "enum": THRESHOLDS,
        "default": "high",
        "description": "The least severity of a new vulnerability that blocks.",
    },
    "allowFirstRelease": {
        "type": "boolean",
        "default": False,
        "description": "false: everything is new while nothing of the product runs in the target. true: nothing is.",
    },
}

UNSAID: Final[Mapping[str, Any]] = {"allowFirstRelease": True}
"""The meaning of a stored policy that names the rule in an environment only, without this setting: such policies were
published when it was the default, and their decisions replay equal. New ones are not saved (docs/adr/0144)."""


def judge(view: View, settings: Mapping[str, Any]) -> Outcome:
    """Fails for such a finding. The running release has the findings of its trusted reports, at any version of the
    component: an upgrade that keeps a CVE adds none."""
    if view.first_release and settings["allowFirstRelease"]:
        return Outcome("pass", details={"firstRelease": True, "new": 0})
    baseline = frozenset() if view.first_release else view.baseline()
    if baseline is None:
        return Outcome(
            "missing",
            ("SECURITY_BASELINE_MISSING",),
            sentence=f"the release that runs in {view.environment} has no trusted report to compare with",
        )
    least = RANK[settings["newCveSeverityThreshold"]]
    found = [each for rank, each in view.ranked if rank >= least and (each.key[0], each.package) not in baseline]
    details = {"firstRelease": view.first_release, "new": len(found)}
    if not found:
        return Outcome("pass", details=details)
    first = worst(found)
    what = (
        f"is new, because nothing of this product runs in {view.environment}"
        if view.first_release
        else f"is not in the release that runs in {view.environment}"
    )
    sentence = f"{in_words(first)} {what}{and_others(len(found) - 1)}; {remedy(first)}"
    return Outcome("fail", ("NEW_CVE",), details, tuple(found), sentence)
