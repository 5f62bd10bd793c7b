"""The wording of security gates.

A version of a policy that is older than a setting has the default of that setting.
"""

from collections.abc import Iterator
from typing import Any, Final

from policies import phrases
from policies.gates.evidence.wording import documents, trusted_keys
from policies.gates.security.config import rules_in
from policies.gates.wording import Config, Fact, Stored, Wording, fact
from policies.security.severities import RANK

_MODES: Final = {"all": 0, "any": 1}
_NO_LIMIT: Final = float("inf")
_ONLY_WARNS: Final = ("warnDays",)
_SEVERITY_FROM: Final = {"cvss": "the band of the CVSS score", "scanner": "the severity that the scanner concludes"}


def _sentence(config: Config) -> str:
    rules = phrases.listed(sorted(config["rules"]))
    others = phrases.listed(sorted(config["environments"]))
    settings = f", with other settings in {others}" if others else ""
    trusted = phrases.listed([*config["trustedKeys"], *config["trustedUploaders"]])
    told = f"The rules {rules} hold{settings}; scans and VEX of {trusted} are believed."
    severity = {
        "cvss": "The severity of a finding is the band of its CVSS score.",
        "scanner": "The severity of a finding is what the scanner concludes.",
    }.get(config.get("severityFrom", "worst"))
    accepted = "What a scanner was told to ignore does not count." if config.get("acceptSuppressed") else None
    return " ".join(filter(None, (told, severity, accepted)))


def _weaker(name: str, before: Config, after: Config) -> list[str]:
    """The sentences about environments, where they differ."""
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


def _facts(_gate: Stored, gate_input: Stored, bundle: Stored | None) -> Iterator[Fact]:
    evidence = gate_input.get("evidence")
    if evidence is None:
        return
    yield from documents(evidence, bundle)
    for kind in ("kev", "epss"):
        if (feed := evidence[kind]) is not None:
            yield fact(kind, f"{kind.upper()} of {feed['publishedAt'][:10]}", digest=feed["digest"])
    yield from trusted_keys(evidence)


WORDING: Final = Wording(
    sentence=_sentence,
    weaker=_weaker,
    facts_shown=_facts,
    event="Upload a report or a VEX statement and take a new bundle of documents, or release a fixed component.",
    tells_votes=False,
)
