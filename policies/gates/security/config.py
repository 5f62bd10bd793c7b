"""The settings of a security gate: their schema, and those that hold in an environment."""

import re
from collections.abc import Mapping
from typing import Any, Final

from policies.security import (
    cve_delta,
    epss_threshold,
    kev_blocker,
    reachable_cve,
    release_aggregate_cve,
    severities,
)
from stellapromote.errors import FieldError
from stellapromote.json_schema import below, read
from stellapromote.patterns import SLUG, USERNAME

RANK: Final = 40
SUMMARY: Final = "The vulnerability rules hold for what the reports of this release find."

RULES: Final = {
    rule.NAME: rule for rule in (kev_blocker, epss_threshold, reachable_cve, cve_delta, release_aggregate_cve)
}
"""The rules in the order of their sentences."""

_EVERY_RULE: Final[dict[str, Any]] = {
    name: {"type": "object", "properties": rule.SETTINGS} for name, rule in RULES.items()
}
_EVERY_CHANGE: Final[dict[str, Any]] = {
    name: {
        "type": ["object", "null"],
        "properties": {
            setting: {key: value for key, value in schema.items() if key != "default"}
            for setting, schema in rule.SETTINGS.items()
        },
    }
    for name, rule in RULES.items()
}

FEED_DAYS: Final = 7
"""A feed of every day or every working day that is older has stopped coming (docs/adr/0180)."""

VERSION_1: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["rules"],
    "properties": {
        "rules": {
            "type": "object",
            "properties": _EVERY_RULE,
            "description": "A rule that is not named is not applied.",
        },
        "environments": {
            "type": "object",
            "maxProperties": 100,
            "default": {},
            "additionalProperties": {"type": "object", "properties": _EVERY_CHANGE},
            "description": "By environment, settings in place of those in rules; null: the rule is not applied there.",
        },
        "trustedKeys": {
            "type": "array",
            "maxItems": 50,
            "x-set": True,
            "default": [],
            "items": {"type": "string", "minLength": 1, "maxLength": 255, "format": "line"},
            "description": "Names or key ids of the tenant's trusted keys. A key that is revoked trusts nothing.",
        },
        "trustedUploaders": {
            "type": "array",
            "maxItems": 100,
            "x-set": True,
            "default": [],
            "items": {"type": "string", "pattern": USERNAME, "x-message": "This must be a username."},
            "description": "Whose uploads count for VEX and clean scans, unless they are excluded on the promotion.",
        },
        "maxReportAge": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 366 * 24 * 60 * 60,
            "default": None,
            "description": "Seconds after which a report no longer shows that there is nothing else; null: never.",
        },
        "maxFeedAge": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 366 * 24 * 60 * 60,
            "default": None,
            "description": "Seconds after its own date after which a feed counts as missing; null: never.",
        },
        "unknownSeverityAs": {
            "type": "string",
            "enum": severities.THRESHOLDS,
            "default": "critical",
            "description": "What a finding counts as for which a report knows no severity.",
        },
    },
}

VERSION_2: Final[dict[str, Any]] = {
    **VERSION_1,
    "properties": {
        **VERSION_1["properties"],
        "maxFeedAge": {**VERSION_1["properties"]["maxFeedAge"], "default": FEED_DAYS * 24 * 60 * 60},
        "severityFrom": {
            "type": "string",
            "enum": sorted(severities.GRADES),
            "default": "worst",
            "description": "worst: of every severity and score that a report gives. cvss: of the score, where there is "
            "one. scanner: the scanner's own conclusion, where it has one.",
        },
        "acceptSuppressed": {
            "type": "boolean",
            "default": False,
            "description": "false: what the scanner was told to ignore counts like any finding. true: it does not, in "
            "a report that is trusted.",
        },
    },
}
"""The settings by version: what was published with a version is read by it for ever."""

GUARDS: Final = frozenset(
    {
        *(f"rules.{name}" for name in RULES),
        *(f"rules.{name}.{setting}" for name, rule in RULES.items() for setting in rule.SETTINGS),
        *("environments", "trustedKeys", "trustedUploaders", "maxReportAge", "maxFeedAge"),
        *("unknownSeverityAs", "severityFrom", "acceptSuppressed"),
    }
    - {"rules.kev-blocker.warnDays"}
)
NO_GUARDS: Final = {"rules.kev-blocker.warnDays": "only warns"}
"""Paths of all settings: those that stand against a promotion, and why the others do not (domain.md §5)."""


def check_config(config: Mapping[str, Any], field: str) -> list[FieldError]:
    """Checks that some rule applies everywhere, and that some uploader or key is trusted: without, the gate would mean
    nothing or never pass."""
    errors = []
    if not config["rules"]:
        errors.append(FieldError(below(field, "rules"), "This must name at least one rule.", "invalid"))
    for name in config["environments"]:
        place = below(field, f"environments.{name}")
        if not re.fullmatch(SLUG, name):
            errors.append(FieldError(place, "This must be the name of an environment.", "invalid"))
        elif config["rules"] and not rules_in(config, name):
            errors.append(FieldError(place, "This must leave at least one rule.", "invalid"))
    if not config["trustedKeys"] and not config["trustedUploaders"]:
        message = "This must name a trusted key here or a user in trustedUploaders: without, no scan is ever believed."
        errors.append(FieldError(below(field, "trustedKeys"), message, "invalid"))
    return errors


def check_at_save(config: Mapping[str, Any], field: str) -> list[FieldError]:
    """The settings of cve-delta in environments, where `rules` do not name it: see ``cve_delta.UNSAID``."""
    rule, setting = cve_delta.NAME, "allowFirstRelease"
    if rule in config["rules"]:
        return []
    return [
        FieldError(
            below(field, f"environments.{name}.{rule}.{setting}"), "This must be said here: true or false.", "invalid"
        )
        for name, changes in sorted(config["environments"].items())
        if changes.get(rule) is not None and setting not in changes[rule]
    ]


def rules_in(config: Mapping[str, Any], environment: str) -> dict[str, dict[str, Any]]:
    """The settings of each rule that applies in an environment."""
    changes = config["environments"].get(environment, {})
    found = {}
    for name, rule in RULES.items():
        if name in changes:
            if changes[name] is not None:
                defaults, _ = read({}, {"type": "object", "properties": rule.SETTINGS})
                unsaid = cve_delta.UNSAID if rule is cve_delta else {}
                found[name] = {**defaults, **unsaid, **config["rules"].get(name, {}), **changes[name]}
        elif name in config["rules"]:
            found[name] = dict(config["rules"][name])
    return found
