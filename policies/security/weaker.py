"""Which edits of an evidence or security gate make entering easier, in words (domain.md §5, weakening edits).

A version of a policy that was published before a setting was there means what the setting's default says.
"""

from collections.abc import Mapping
from typing import Any, Final

from policies.gates.security.config import rules_in
from policies.security.severities import RANK

Config = Mapping[str, Any]

_MODES: Final = {"all": 0, "any": 1}
_NO_LIMIT: Final = float("inf")
_ONLY_WARNS: Final = ("warnDays",)
_SEVERITY_FROM: Final = {"cvss": "the band of the CVSS score", "scanner": "the severity that the scanner concludes"}


def in_security(name: str, before: Config, after: Config) -> list[str]:
    """What became easier between two configs of a security gate. An environment is told where it differs."""
    everywhere = _in_rules(name, "", before["rules"], after["rules"])
    found = list(everywhere)
    for environment in sorted({*before["environments"], *after["environments"]}):
        where = f" in {environment}"
        told = _in_rules(name, where, rules_in(before, environment), rules_in(after, environment))
        found.extend(each for each in told if each.replace(where, "", 1) not in everywhere)
    for setting in ("trustedKeys", "trustedUploaders"):
        found.extend(f"Gate {name} also trusts {each}." for each in sorted({*after[setting]} - {*before[setting]}))
    if _ease(after["maxReportAge"]) > _ease(before["maxReportAge"]):
        found.append(f"Gate {name} believes older reports.")
    if _ease(after["maxFeedAge"]) > _ease(before["maxFeedAge"]):
        found.append(f"Gate {name} believes older feeds.")
    if RANK[after["unknownSeverityAs"]] < RANK[before["unknownSeverityAs"]]:
        found.append(f"Gate {name} counts an unknown severity as {after['unknownSeverityAs']}.")
    source = after.get("severityFrom", "worst")
    if source not in ("worst", before.get("severityFrom", "worst")):
        found.append(f"Gate {name} takes {_SEVERITY_FROM[source]} instead of the worst that a report says.")
    if after.get("acceptSuppressed") and not before.get("acceptSuppressed"):
        found.append(f"Gate {name} does not count what scanners were told to ignore any more.")
    return found


def _in_rules(name: str, where: str, before: Config, after: Config) -> list[str]:
    found = []
    for rule, settings in before.items():
        if rule not in after:
            found.append(f"Gate {name} does not apply {rule}{where} any more.")
            continue
        found.extend(
            f"Gate {name} has {setting} {_word(after[rule][setting])} instead of {_word(value)} in {rule}{where}."
            for setting, value in settings.items()
            if setting not in _ONLY_WARNS and _ease(after[rule][setting]) > _ease(value)
        )
    return found


def in_evidence(name: str, before: Config, after: Config) -> list[str]:
    """What became easier between two configs of an evidence gate."""
    found = []
    if before["requireSbom"] and not after["requireSbom"]:
        found.append(f"Gate {name} needs no SBOM any more.")
    elif before["formats"] and (not after["formats"] or {*after["formats"]} - {*before["formats"]}):
        found.append(f"Gate {name} takes {' or '.join(after['formats']) or 'any format'} as SBOM.")
    if before.get("requireValidSchema") and not after.get("requireValidSchema") and after["requireSbom"]:
        found.append(f"Gate {name} takes an SBOM that breaks the schema of its format.")
    gone = sorted({*before["requiredPredicateTypes"]} - {*after["requiredPredicateTypes"]})
    found.extend(f"Gate {name} needs no attestation {each} any more." for each in gone)
    if before["trustedKeys"] and not after["trustedKeys"]:
        found.append(f"Gate {name} names no trusted keys any more.")
    elif before["trustedKeys"]:
        joined = sorted({*after["trustedKeys"]} - {*before["trustedKeys"]})
        found.extend(f"Gate {name} also trusts {each}." for each in joined)
    if _ease(after["maxAge"]) > _ease(before["maxAge"]):
        found.append(f"Gate {name} takes older documents.")
    return found


def _ease(value: Any) -> float:
    """Of every setting that is compared here, more lets more through; null is no limit at all."""
    if value is None:
        return _NO_LIMIT
    if isinstance(value, str):
        return RANK[value] if value in RANK else _MODES[value]
    return float(value)


def _word(value: Any) -> str:
    return (
        {None: "no limit", True: "yes", False: "no"}[value] if value is None or isinstance(value, bool) else f"{value}"
    )
