"""security: the vulnerability rules hold for what reports find in the release (domain.md §6; docs/security-gate.md)."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, Final, Literal

import orjson

from policies.context import Context
from policies.evidence_facts import Bundle, EvidenceFact, FeedFact
from policies.facts import GateInput
from policies.outcomes import Status, Verdict
from policies.schema import SLUG, USERNAME, below, read
from policies.security import (
    bundles,
    cve_delta,
    epss_threshold,
    kev_blocker,
    reachable_cve,
    release_aggregate_cve,
    reports,
    severities,
)
from policies.security.ages import later
from policies.security.findings import Record, severity_rank, worst_first
from policies.security.outcome import Outcome, View, clipped
from policies.security.trust import Trust, trust_of
from stellapromote.errors import FieldError
from stellapromote.signing.canonical_json import digest_bytes

KIND: Final = "security"
KIND_VERSION: Final = 1
RANK: Final = 40
SUMMARY: Final = "The vulnerability rules hold for what the reports of this release find."

MOST_LISTED: Final = 50
"""So many findings stand in details; what is beyond them is told by number and digest (docs/security-gate.md)."""

_RULES: Final = {
    rule.NAME: rule for rule in (kev_blocker, epss_threshold, reachable_cve, cve_delta, release_aggregate_cve)
}
"""In the order in which their sentences are told."""

FEEDS: Final[tuple[Literal["kev", "epss"], ...]] = ("kev", "epss")

_FEED_OF: Final = {kev_blocker.NAME: "kev", epss_threshold.NAME: "epss"}

_EVERY_RULE: Final[dict[str, Any]] = {
    name: {"type": "object", "properties": rule.SETTINGS} for name, rule in _RULES.items()
}
_EVERY_CHANGE: Final[dict[str, Any]] = {
    name: {
        "type": ["object", "null"],
        "properties": {
            setting: {key: value for key, value in schema.items() if key != "default"}
            for setting, schema in rule.SETTINGS.items()
        },
    }
    for name, rule in _RULES.items()
}

TRUSTED_KEYS: Final[dict[str, Any]] = {
    "type": "array",
    "maxItems": 50,
    "x-set": True,
    "default": [],
    "items": {"type": "string", "minLength": 1, "maxLength": 255, "format": "line"},
    "description": "Names or key ids of the tenant's trusted keys. A key that is revoked trusts nothing.",
}

CONFIG_SCHEMA: Final[dict[str, Any]] = {
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
        "trustedKeys": TRUSTED_KEYS,
        "trustedUploaders": {
            "type": "array",
            "maxItems": 100,
            "x-set": True,
            "default": [],
            "items": {"type": "string", "pattern": USERNAME, "x-message": "Must be a username."},
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


def check_config(config: Mapping[str, Any], field: str) -> list[FieldError]:
    """Some rule applies everywhere, and somebody is trusted: without, the gate would mean nothing or never pass."""
    errors = []
    if not config["rules"]:
        errors.append(FieldError(below(field, "rules"), "Must name at least one rule.", "VAL_INVALID"))
    for name in config["environments"]:
        place = below(field, f"environments.{name}")
        if not re.fullmatch(SLUG, name):
            errors.append(FieldError(place, "Must be the name of an environment.", "VAL_INVALID"))
        elif config["rules"] and not rules_in(config, name):
            errors.append(FieldError(place, "Must leave at least one rule.", "VAL_INVALID"))
    if not config["trustedKeys"] and not config["trustedUploaders"]:
        message = "Must name a trusted key here or a user in trustedUploaders: without, no scan is ever believed."
        errors.append(FieldError(below(field, "trustedKeys"), message, "VAL_INVALID"))
    return errors


def check_at_save(config: Mapping[str, Any], field: str) -> list[FieldError]:
    """What environments say of cve-delta where `rules` do not name it: see ``cve_delta.UNSAID``."""
    rule, setting = cve_delta.NAME, "allowFirstRelease"
    if rule in config["rules"]:
        return []
    return [
        FieldError(
            below(field, f"environments.{name}.{rule}.{setting}"), "Must be said here: true or false.", "VAL_INVALID"
        )
        for name, changes in sorted(config["environments"].items())
        if changes.get(rule) is not None and setting not in changes[rule]
    ]


def rules_in(config: Mapping[str, Any], environment: str) -> dict[str, dict[str, Any]]:
    """The settings of each rule that applies in an environment."""
    changes = config["environments"].get(environment, {})
    found = {}
    for name, rule in _RULES.items():
        if name in changes:
            if changes[name] is not None:
                defaults, _ = read({}, {"type": "object", "properties": rule.SETTINGS})
                unsaid = cve_delta.UNSAID if rule is cve_delta else {}
                found[name] = {**defaults, **unsaid, **config["rules"].get(name, {}), **changes[name]}
        elif name in config["rules"]:
            found[name] = dict(config["rules"][name])
    return found


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:
    """The worst of the rules, and of whether there is a report of each artifact that can be believed."""
    evidence = facts.get("evidence")
    if evidence is None:
        return _verdict({"reports": reports.no_bundle()}, {}, context, {})
    found = bundles.bundle(context, evidence["bundleDigest"])
    if not found["artifacts"]:
        return _verdict({"reports": reports.no_bundle()}, {}, context, {})
    trust = trust_of(facts, evidence, config)
    union = bundles.union(context, found, trust)
    view = _view(facts, evidence, config, context, trust, union)
    rules = rules_in(config, view.environment)
    outcomes = {
        "reports": reports.judge(
            found["artifacts"],
            bundles.of_kind(found, "vulnerabilities"),
            trust,
            config["maxReportAge"],
            view.instant,
        )
    }
    ends = feed_ends(evidence, config)
    for name, settings in rules.items():
        outcomes[name] = _RULES[name].judge(view, settings)
        end = ends.get(_FEED_OF.get(name, ""))
        if end is not None and end > view.instant:
            soonest = min(end, outcomes[name].next_change_at or end)
            outcomes[name] = replace(outcomes[name], next_change_at=soonest)
    lifted = sorted(union.lifted.values(), key=lambda each: each[0].key)
    facts_used = {
        "counts": _counts(view),
        "lifted": [
            {
                "id": record.id,
                "status": by.status,
                "justification": by.justification and clipped(by.justification),
                "document": by.document,
            }
            for record, by in lifted[:MOST_LISTED]
        ],
        "liftedCount": len(lifted),
        "documents": _documents(found, trust),
        "kev": _feed(evidence["kev"]),
        "epss": _feed(evidence["epss"]),
    }
    return _verdict(outcomes, facts_used, context, rules, view)


def feed_ends(evidence: EvidenceFact, config: Mapping[str, Any]) -> dict[str, str]:
    """The instant from which each feed that is there is too old."""
    age = config["maxFeedAge"]
    found = ((name, evidence[name]) for name in FEEDS)
    return {name: later(feed["publishedAt"], age) for name, feed in found if feed is not None and age is not None}


def _view(
    facts: GateInput,
    evidence: EvidenceFact,
    config: Mapping[str, Any],
    context: Context,
    trust: Trust,
    union: bundles.Union,
) -> View:
    stale = frozenset(name for name, end in feed_ends(evidence, config).items() if end <= facts["instant"])
    kev, epss = (None if name in stale else evidence[name] for name in FEEDS)
    unknown = severities.RANK[config["unknownSeverityAs"]]
    return View(
        instant=facts["instant"],
        environment=facts["target"]["name"],
        ranked=[(severity_rank(record, unknown), record) for record in union.findings.values()],
        kev=None if kev is None else context.derived(kev["extract"], kev_blocker.listing),
        epss=None if epss is None else context.derived(epss["extract"], epss_threshold.scores),
        stale=stale,
        first_release=facts["target"]["currentReleaseId"] is None,
        baseline=cache(partial(bundles.baseline, context, evidence["currentBundleDigest"], trust)),
    )


def _verdict(
    outcomes: Mapping[str, Outcome],
    facts_used: Mapping[str, Any],
    context: Context,
    rules: Mapping[str, Any],
    view: View | None = None,
) -> Verdict:
    statuses = {name: _status(outcome, context) for name, outcome in outcomes.items()}
    status = max(statuses.values(), key=_WORSE.index)
    deciding = {name: outcome for name, outcome in outcomes.items() if statuses[name] == status}
    lacking = outcomes["reports"].details.get("lacking", [])
    details = {
        "rules": {
            name: {"status": statuses[name], "settings": rules[name], **outcome.details}
            for name, outcome in outcomes.items()
            if name in rules
        },
        "lacking": lacking[:MOST_LISTED],
        "lackingCount": len(lacking),
        **_named(deciding if status != "pass" else {}, view),
        **facts_used,
    }
    return Verdict(
        status,
        tuple(code for outcome in (*deciding.values(), *outcomes.values()) for code in outcome.codes),
        details,
        _message(status, deciding, details),
        min((each.next_change_at for each in outcomes.values() if each.next_change_at is not None), default=None),
    )


_WORSE: Final[tuple[Status, ...]] = ("pass", "warn", "pending", "fail")


def _status(outcome: Outcome, context: Context) -> Status:
    return context.on_error if outcome.status == "missing" else outcome.status


def _named(deciding: Mapping[str, Outcome], view: View | None) -> dict[str, Any]:
    """The findings that make the verdict: by id, as an override names them, and the worst of them with what is known.

    Beyond the first ids stands one entry with the digest of all, so that other findings are never the same list.
    """
    by_key: dict[tuple[str, str], Record] = {}
    for outcome in deciding.values():
        by_key.update({record.key: record for record in outcome.findings})
    ids = sorted(record.id for record in by_key.values())
    listed = ids[:MOST_LISTED]
    if len(ids) > MOST_LISTED:
        listed.append(f"and {len(ids) - MOST_LISTED} more ({_digest(ids)})")
    worst = worst_first(by_key.values(), MOST_LISTED)
    keys = {name: {record.key for record in outcome.findings} for name, outcome in deciding.items()} if worst else {}
    return {
        "findings": listed,
        "findingsCount": len(ids),
        "worst": [
            _described(record, view, [name for name, those in keys.items() if record.key in those])
            for record in (worst if view is not None else ())
        ],
    }


def _digest(ids: list[str]) -> str:
    return digest_bytes(orjson.dumps(ids))  # of strings alone this is RFC 8785, in a tenth of the time


def _described(record: Record, view: View | None, rules: Sequence[str]) -> dict[str, Any]:
    kev = {} if view is None or view.kev is None else view.kev
    epss = {} if view is None or view.epss is None else view.epss
    return {
        "id": record.id,
        "vulnerability": clipped(record.key[0]),
        "component": clipped(record.component),
        "version": record.version and clipped(record.version),
        "severity": "unknown" if record.rank < 0 else severities.BANDS[record.rank],
        "cvss": record.cvss,
        "epss": max((epss[name] for name in record.cves if name in epss), default=None),
        "listedOn": min((kev[name] for name in record.cves if name in kev), default=None),
        "reachable": record.reachable,
        "fixedVersion": record.fixed_version and clipped(record.fixed_version),
        "rules": list(rules),
    }


def _counts(view: View) -> dict[str, int]:
    """How many findings count as each severity; `unknown` of them are known to no report."""
    ranks = Counter(rank for rank, _ in view.ranked)
    return {
        **{band: ranks[rank] for rank, band in enumerate(severities.BANDS)},
        "unknown": sum(record.rank < 0 for _, record in view.ranked),
        "total": len(view.ranked),
    }


def _documents(found: Bundle, trust: Trust) -> list[dict[str, Any]]:
    """The reports and statements that were read, for whoever wants to open them."""
    read_ones = [each for each in found["documents"] if each["kind"] in ("vulnerabilities", "vex")]
    return [
        {
            "artifact": each["artifactDigest"],
            "kind": each["kind"],
            "digest": each["digest"],
            "producer": each["producer"],
            "trusted": trust.holds_for(each),
        }
        for each in sorted(read_ones, key=lambda each: (each["artifactDigest"], each["kind"], each["digest"]))
    ][:MOST_LISTED]


def _feed(feed: FeedFact | None) -> dict[str, str] | None:
    return None if feed is None else {"digest": feed["digest"], "publishedAt": feed["publishedAt"]}


def _message(status: Status, deciding: Mapping[str, Outcome], details: Mapping[str, Any]) -> str:
    if status == "pass":
        found, lifted = details["counts"]["total"], details["liftedCount"]
        how_many = "No findings" if not found else "1 finding" if found == 1 else f"{found} findings"
        more = f"; VEX statements lift {lifted}" if lifted else ""
        return f"{how_many}, and no rule is broken{more}."
    names = list(deciding)
    sentence = deciding[names[0]].sentence
    if status == "fail" and deciding[names[0]].findings:
        sentence += ", or state in a trusted VEX document why it does not apply; then request again"
    also = f" (also {', '.join(names[1:])})" if names[1:] else ""
    return f"{sentence[0].upper()}{sentence[1:]}{also}."
