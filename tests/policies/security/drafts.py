"""Promotions with drawn documents, feeds and rules, for what holds whatever the documents say."""

import copy
import random
from collections.abc import Callable
from typing import Any

from stellapromote.signing.canonical_json import digest
from tests import drawing
from tests.drawing import Draw, Drawing
from tests.policies.cases import BEFORE, NOW, Case
from tests.policies.security.world import (
    AMD64,
    ARM64,
    GRETA,
    JOBS,
    KEY,
    MEI,
    MUSL,
    NIA,
    OPENSSL,
    OTHER_KEY,
    WEB,
    Evidence,
    band,
    finding,
)

CVES = ["CVE-2024-1", "CVE-2024-2"]
NAMES = [*CVES, "GHSA-1"]
"""Few, and the first of them often: findings of several documents must meet."""
OLDER_MUSL = "pkg:apk/alpine/musl@1.1.20-r0?distro=3.9.4"
SAME_MUSL = "pkg:apk/alpine/musl@1.1.22-r2?arch=x86_64&distro=3.10"
BARE_MUSL = "pkg:apk/alpine/musl@1.1.22-r2"
PURLS = [MUSL, MUSL, SAME_MUSL, BARE_MUSL, OPENSSL, OLDER_MUSL, None]
SCORES = [None, 0.0, 3.0, 5.0, 8.0, 9.8]
WORDS = ["unknown", "none", "low", "medium", "high", "critical"]
"""In their order."""
LATER = "2026-11-22T08:00:00.000Z"
times = drawing.sampled_from([BEFORE, "2026-11-21T08:00:00.000Z", LATER])

Draft = dict[str, Any]


names = drawing.sampled_from([CVES[0], CVES[0], *NAMES])
drawn_findings = drawing.fixed_dictionaries(
    {
        "name": names,
        "purl": drawing.sampled_from(PURLS),
        "aliases": drawing.sets(NAMES, max_size=2),
        "cvss": drawing.sampled_from(SCORES),
        "word": drawing.sampled_from(["unknown", *WORDS]),
        "unscored": drawing.sampled_from([False, False, False, True]),
        "suppressed": drawing.sampled_from([None, None, ".trivyignore", "--vex"]),
        "reachable": drawing.sampled_from([None, True, False]),
        "fixedVersion": drawing.sampled_from([None, "1.2", "1.3"]),
    }
)


@drawing.composite
def findings(draw: Draw) -> Any:
    """As a reader makes them: what a report does not say is not there."""
    fields = draw(drawn_findings)
    name, purl, word = (fields.pop(each) for each in ("name", "purl", "word"))
    fields = {key: each for key, each in fields.items() if key not in SAID_WHERE_SO or each}
    severity = max(word, band(fields["cvss"]), key=WORDS.index)
    if word not in ("unknown", severity):
        fields["scannerSeverity"] = word
    return finding(name, purl, **{**fields, "severity": severity, "aliases": sorted(fields["aliases"] - {name})})


SAID_WHERE_SO = ("unscored", "suppressed")
OPTIONAL = (*SAID_WHERE_SO, "scannerSeverity")


statements = drawing.fixed_dictionaries(
    {
        "vulnerability": names,
        "aliases": drawing.sampled_from([[], [], ["GHSA-1"]]),
        "products": drawing.sampled_from(
            [
                *([], [MUSL], [BARE_MUSL], [OPENSSL], [WEB], [JOBS], [AMD64]),
                *(["pkg:apk/alpine/musl"], ["pkg:apk/alpine/musl?distro=3.10.2"]),
            ]
        ),
        "status": drawing.sampled_from(["not_affected", "not_affected", "fixed", "affected", "under_investigation"]),
        "justification": drawing.sampled_from([None, "component_not_present"]),
        "statedAt": drawing.one_of(drawing.just(None), times),
    }
)


def document(kind: str, content: Drawing[Any]) -> Drawing[Draft]:
    return drawing.fixed_dictionaries(
        {
            "kind": drawing.just(kind),
            "content": drawing.lists(content, max_size=4),
            "artifactDigest": drawing.sampled_from([WEB, JOBS]),
            "uploadedBy": drawing.sampled_from([[MEI], [MEI], [NIA], [GRETA], [MEI, NIA]]),
            "signer": drawing.sampled_from([KEY, KEY, OTHER_KEY, None]),
            "generatedAt": drawing.one_of(drawing.just(None), times),
            "uploadedAt": drawing.just(LATER),
            "about": drawing.sampled_from([None, None, None, AMD64, ARM64]),
            "left_out": drawing.sampled_from([(), (), (), (), (("an entry", 2),)]),
        }
    )


reports = document("vulnerabilities", findings())
vex_documents = document("vex", statements)
days = drawing.sampled_from(["2026-10-01", "2026-11-15", "2026-11-22"])
limits = drawing.sampled_from([None, 0, 1, 2, 5])
drawn_rules = drawing.fixed_dictionaries(
    {
        "kev-blocker": drawing.fixed_dictionaries(
            {"graceDays": drawing.sampled_from([0, 14]), "warnDays": drawing.just(3)}
        ),
        "epss-threshold": drawing.fixed_dictionaries(
            {
                "threshold": drawing.sampled_from([0.2, 0.5, 1]),
                "mode": drawing.sampled_from(["any", "all"]),
                "requireReachable": drawing.booleans(),
            }
        ),
        "reachable-cve": drawing.fixed_dictionaries(
            {"severityThreshold": drawing.sampled_from(["medium", "critical"])}
        ),
        "cve-delta": drawing.fixed_dictionaries(
            {"newCveSeverityThreshold": drawing.sampled_from(["low", "high"]), "allowFirstRelease": drawing.booleans()}
        ),
        "release-aggregate-cve": drawing.fixed_dictionaries(
            dict.fromkeys(("maxCritical", "maxHigh", "maxMedium", "maxLow", "maxTotal"), limits)
        ),
    }
)
drawn_drafts = drawing.fixed_dictionaries(
    {
        "sure": drawing.tuples(reports, reports),
        "rules": drawn_rules,
        "rule_names": drawing.samples(
            ["cve-delta", "epss-threshold", "kev-blocker", "reachable-cve", "release-aggregate-cve"],
            min_size=1,
            max_size=3,
        ),
        "reports": drawing.lists(reports, max_size=2),
        "vex": drawing.lists(vex_documents, max_size=3),
        "current": drawing.one_of(drawing.just(None), drawing.lists(reports, max_size=2)),
        "runs": drawing.booleans(),
        "kev": drawing.dictionaries(CVES, days),
        "epss": drawing.dictionaries(CVES, drawing.sampled_from([0.0, 0.1, 0.3, 0.6])),
        "maxReportAge": drawing.sampled_from([None, 3 * 24 * 60 * 60]),
        "maxFeedAge": drawing.sampled_from([None, 4 * 24 * 60 * 60]),
        "unknownSeverityAs": drawing.sampled_from(["critical", "medium"]),
        "severityFrom": drawing.sampled_from(["worst", "cvss", "scanner"]),
        "acceptSuppressed": drawing.booleans(),
        "isProduction": drawing.booleans(),
        "by_parts": drawing.booleans(),
        "spoil": drawing.sampled_from([*[None] * 4, "gone", "untrusted", "old"]),
        "indexes": drawing.sampled_from([{}, {}, {WEB: [AMD64]}, {WEB: [AMD64, ARM64]}, {JOBS: [ARM64]}, {WEB: []}]),
    }
)
SETTINGS = ("maxReportAge", "maxFeedAge", "unknownSeverityAs", "severityFrom", "acceptSuppressed")


@drawing.composite
def drafts(draw: Draw) -> Draft:
    """A promotion with drawn documents, feeds, rules; each artifact mostly has at least one report, mostly a trusted
    one, or one of each of its platforms."""
    drawn = draw(drawn_drafts)
    sure = [
        {**report, "artifactDigest": artifact, "uploadedBy": [MEI], "generatedAt": LATER, "about": None}
        for report, artifact in zip(drawn["sure"], (WEB, JOBS), strict=True)
    ]
    if drawn["by_parts"]:
        drawn["indexes"] = {WEB: [AMD64, ARM64]}
        sure = [{**copy.deepcopy(sure[0]), "about": AMD64}, {**sure[0], "about": ARM64}, sure[1]]
    if drawn["spoil"] == "gone":
        sure = sure[1:]
    elif drawn["spoil"] == "untrusted":
        sure[0].update(signer=None, uploadedBy=[NIA])
    elif drawn["spoil"] == "old":
        sure[0].update(generatedAt="2026-01-01T00:00:00.000Z")
    return {
        "documents": sure + drawn["reports"] + drawn["vex"],
        "keys": [{"keyId": KEY, "name": "release-key"}],
        "excluded": [],
        "instant": NOW,
        "config": {
            "rules": {name: drawn["rules"][name] for name in drawn["rule_names"]},
            "trustedKeys": ["release-key"],
            "trustedUploaders": ["greta", "mei"],
            **{name: drawn[name] for name in SETTINGS},
        },
        "readBy": 1,
        **{name: drawn[name] for name in ("current", "runs", "kev", "epss", "isProduction", "indexes")},
    }


def _put(evidence: Evidence, documents: list[Draft]) -> None:
    for each in documents:
        changes = {key: value for key, value in each.items() if key not in ("kind", "content", "name", "about")}
        if each.get("about") is not None:
            changes["about"] = each["about"]
        changes["digest"] = digest(each["name"])
        changes["producer"] = each["name"]
        if each["kind"] == "vex":
            evidence.vex(*each["content"], **changes)
        else:
            evidence.report(*each["content"], **changes)


def named(draft: Draft) -> Draft:
    """Each document has a name from which its digest is made, so that a shuffled one stays the same document."""
    for place in ("documents", "current"):
        for number, each in enumerate(draft[place] or ()):
            each.setdefault("name", f"{place}-{number}")
    return draft


def case_of(draft: Draft, order: random.Random | None = None) -> Case:
    """The promotion of a draft; with an order, everything that is a set in it is shuffled."""
    draft = named(copy.deepcopy(draft))
    mixed: Callable[[list[Any]], Any] = (lambda _: None) if order is None else order.shuffle
    evidence, current = Evidence(WEB, JOBS), None
    for place in ("documents", "current"):
        mixed(draft[place] or [])
        for each in draft[place] or ():
            mixed(each["content"])
    if draft["current"] is not None:
        _put(evidence, draft["current"])
        current = evidence.bundle()
        evidence.documents = []
    _put(evidence, draft["documents"])
    evidence.indexes = draft["indexes"]
    mixed(evidence.artifacts)
    rules = list(draft["config"]["rules"].items())
    mixed(rules)
    other = {"name": "other", "kind": "security", "config": {**draft["config"], "rules": {"reachable-cve": {}}}}
    gates = [{"name": "cve", "kind": "security", "config": {**draft["config"], "rules": dict(rules)}}]
    gates += [{"name": "checks", "kind": "schedule", "config": {"windows": [OPEN]}}]
    gates += [other] if draft.get("twice") else []
    mixed(gates)
    case = Case(gates_=gates, schedules={"checks": [OPEN]})
    target = {"currentReleaseId": "id-running" if draft["runs"] else None, "isProduction": draft["isProduction"]}
    case.given(instant=draft["instant"], target=target)
    case.facts["requirements"]["excludedPersons"] += draft["excluded"]
    mixed(case.facts["requirements"]["excludedPersons"])
    mixed(draft["keys"])
    kev, epss = list((draft["kev"] or {}).items()), list((draft["epss"] or {}).items())
    mixed(kev)
    mixed(epss)
    feeds = {
        "kev": evidence.kev(**{cve.replace("-", "_"): day for cve, day in kev}),
        "epss": evidence.epss(**{cve.replace("-", "_"): score for cve, score in epss}),
    }
    for name, feed in feeds.items():
        feed["digest"] = digest(name)
    return evidence.into(
        case,
        currentBundleDigest=current,
        trustedKeys=draft["keys"],
        readBy=draft["readBy"],
        **{name: None if draft[name] is None else feed for name, feed in feeds.items()},
    )


OPEN = {"start": "2026-11-01T00:00:00.000Z", "end": "2027-11-01T00:00:00.000Z"}


LACKING = {"SECURITY_REPORT_MISSING", "SECURITY_REPORT_UNTRUSTED", "SECURITY_REPORT_STALE"}
