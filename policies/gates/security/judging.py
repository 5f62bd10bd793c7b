"""The judge of security gates of every version."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Final, Literal

from policies.context import Context
from policies.document_facts import EvidenceFact
from policies.facts import GateInput
from policies.gates.security import verdict_details
from policies.gates.security.config import RULES, rules_in
from policies.outcomes import Status, Verdict
from policies.security import bundles, epss_threshold, incomplete, kev_blocker, reports, severities
from policies.security.ages import later
from policies.security.findings import Key, Reader, Record, ranked
from policies.security.outcome import Outcome, View
from policies.security.trust import Trust, trust_of
from policies.security.vex import Covers

FEEDS: Final[tuple[Literal["kev", "epss"], ...]] = ("kev", "epss")

_FEED_OF: Final = {kev_blocker.NAME: "kev", epss_threshold.NAME: "epss"}


@dataclass(frozen=True, slots=True)
class VersionRules:
    """The differences of a version. A version without some setting judges by the default of that setting.

    `readers`: how it reads reports, by `severityFrom`. `covers`: when the package of a VEX statement is that of a
    finding. `doubting`: its sentence about reports that are not believed.
    """

    readers: Mapping[str, Reader]
    covers: Covers
    doubting: reports.Doubting


def judge(manner: VersionRules, facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:
    """The worst of the rules, of whether there is a report of each artifact that can be believed, and of whether the
    reports were read completely."""
    evidence = facts.get("evidence")
    if evidence is None:
        return _verdict({"reports": reports.no_bundle()}, {}, context, {})
    found = bundles.bundle(context, evidence["bundleDigest"])
    if not found["artifacts"]:
        return _verdict({"reports": reports.no_bundle()}, {}, context, {})
    trust = trust_of(facts, evidence, config)
    severity_from = config.get("severityFrom", "worst")
    reader = manner.readers[severity_from]
    read = bundles.documents(context, found, reader)
    union = bundles.union(read, trust, manner.covers)
    accepted = config.get("acceptSuppressed", False)
    view = _view(facts, evidence, config, context, trust, union.counted(accept_suppressed=accepted), reader)
    rules = rules_in(config, view.environment)
    outcomes = {
        "reports": reports.judge(
            found,
            (document for document, _ in read.reports),
            trust,
            config["maxReportAge"],
            view.instant,
            manner.doubting,
        ),
        incomplete.NAME: incomplete.judge(read.reports, is_production=facts["target"]["isProduction"]),
    }
    ends = feed_ends(evidence, config)
    for name, settings in rules.items():
        outcomes[name] = RULES[name].judge(view, settings)
        end = ends.get(_FEED_OF.get(name, ""))
        if end is not None and end > view.instant:
            soonest = min(end, outcomes[name].next_change_at or end)
            outcomes[name] = replace(outcomes[name], next_change_at=soonest)
    facts_used = {
        "severityFrom": severity_from,
        "counts": verdict_details.finding_counts(view, union),
        **verdict_details.suppressed_details(union, accepted=accepted),
        **verdict_details.lifted_details(union),
        "documents": verdict_details.document_details(read, trust),
        "kev": verdict_details.feed_details(evidence["kev"]),
        "epss": verdict_details.feed_details(evidence["epss"]),
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
    counted: Mapping[Key, Record],
    reader: Reader,
) -> View:
    stale = frozenset(name for name, end in feed_ends(evidence, config).items() if end <= facts["instant"])
    kev, epss = (None if name in stale else evidence[name] for name in FEEDS)
    unknown = severities.RANK[config["unknownSeverityAs"]]
    return View(
        instant=facts["instant"],
        environment=facts["target"]["name"],
        ranked=ranked(counted.values(), unknown),
        kev=None if kev is None else context.derived(kev["extract"], kev_blocker.listing),
        epss=None if epss is None else context.derived(epss["extract"], epss_threshold.scores),
        stale=stale,
        first_release=facts["target"]["currentReleaseId"] is None,
        baseline=cache(partial(bundles.baseline, context, evidence["currentBundleDigest"], trust, reader)),
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
    left_out = outcomes[incomplete.NAME].details.get("incomplete", []) if incomplete.NAME in outcomes else []
    details = {
        "rules": {
            name: {"status": statuses[name], "settings": rules[name], **outcome.details}
            for name, outcome in outcomes.items()
            if name in rules
        },
        "lacking": lacking[: verdict_details.MOST_LISTED],
        "lackingCount": len(lacking),
        "incomplete": left_out[: verdict_details.MOST_LISTED],
        "incompleteCount": len(left_out),
        **verdict_details.finding_details(deciding if status != "pass" else {}, view),
        **facts_used,
    }
    return Verdict(
        status,
        tuple(code for outcome in (*deciding.values(), *outcomes.values()) for code in outcome.codes),
        details,
        verdict_details.verdict_message(status, deciding, details),
        min((each.next_change_at for each in outcomes.values() if each.next_change_at is not None), default=None),
    )


_WORSE: Final[tuple[Status, ...]] = ("pass", "warn", "pending", "fail")


def _status(outcome: Outcome, context: Context) -> Status:
    return context.on_error if outcome.status == "missing" else outcome.status
