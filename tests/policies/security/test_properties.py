"""What holds whatever the documents say: order never matters, and a worse fact never lets anything through."""

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from packageurl import PackageURL

from policies.outcomes import Evaluation
from stellapromote.signing.canonical_json import canonical_bytes, digest
from tests.examples import examples
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
times = st.sampled_from([BEFORE, "2026-11-21T08:00:00.000Z", LATER])

Draft = dict[str, Any]


# Strategies stand outside of the functions that draw: one made inside is checked anew for every example.
names = st.sampled_from([CVES[0], CVES[0], *NAMES])
drawn_findings = st.fixed_dictionaries(
    {
        "name": names,
        "purl": st.sampled_from(PURLS),
        "aliases": st.sets(names, max_size=2),
        "cvss": st.sampled_from(SCORES),
        "word": st.sampled_from(["unknown", *WORDS]),
        "unscored": st.sampled_from([False, False, False, True]),
        "suppressed": st.sampled_from([None, None, ".trivyignore", "--vex"]),
        "reachable": st.sampled_from([None, True, False]),
        "fixedVersion": st.sampled_from([None, "1.2", "1.3"]),
    }
)


@st.composite
def findings(draw: st.DrawFn) -> Any:
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


statements = st.fixed_dictionaries(
    {
        "vulnerability": names,
        "aliases": st.sampled_from([[], [], ["GHSA-1"]]),
        "products": st.sampled_from(
            [
                *([], [MUSL], [BARE_MUSL], [OPENSSL], [WEB], [JOBS], [AMD64]),
                *(["pkg:apk/alpine/musl"], ["pkg:apk/alpine/musl?distro=3.10.2"]),
            ]
        ),
        "status": st.sampled_from(["not_affected", "not_affected", "fixed", "affected", "under_investigation"]),
        "justification": st.sampled_from([None, "component_not_present"]),
        "statedAt": st.one_of(st.none(), times),
    }
)


def document(kind: str, content: st.SearchStrategy[Any]) -> st.SearchStrategy[Draft]:
    return st.fixed_dictionaries(
        {
            "kind": st.just(kind),
            "content": st.lists(content, max_size=4),
            "artifactDigest": st.sampled_from([WEB, JOBS]),
            "uploadedBy": st.sampled_from([[MEI], [MEI], [NIA], [GRETA], [MEI, NIA]]),
            "signer": st.sampled_from([KEY, KEY, OTHER_KEY, None]),
            "generatedAt": st.one_of(st.none(), times),
            "uploadedAt": st.just(LATER),
            "about": st.sampled_from([None, None, None, AMD64, ARM64]),
            "left_out": st.sampled_from([(), (), (), (), (("an entry", 2),)]),
        }
    )


reports = document("vulnerabilities", findings())
vex_documents = document("vex", statements)
days = st.sampled_from(["2026-10-01", "2026-11-15", "2026-11-22"])
limits = st.sampled_from([None, 0, 1, 2, 5])
drawn_rules = st.fixed_dictionaries(
    {
        "kev-blocker": st.fixed_dictionaries({"graceDays": st.sampled_from([0, 14]), "warnDays": st.just(3)}),
        "epss-threshold": st.fixed_dictionaries(
            {
                "threshold": st.sampled_from([0.2, 0.5, 1]),
                "mode": st.sampled_from(["any", "all"]),
                "requireReachable": st.booleans(),
            }
        ),
        "reachable-cve": st.fixed_dictionaries({"severityThreshold": st.sampled_from(["medium", "critical"])}),
        "cve-delta": st.fixed_dictionaries(
            {"newCveSeverityThreshold": st.sampled_from(["low", "high"]), "allowFirstRelease": st.booleans()}
        ),
        "release-aggregate-cve": st.fixed_dictionaries(
            dict.fromkeys(("maxCritical", "maxHigh", "maxMedium", "maxLow", "maxTotal"), limits)
        ),
    }
)
drawn_drafts = st.fixed_dictionaries(
    {
        "sure": st.tuples(reports, reports),
        "rules": drawn_rules,
        "rule_names": st.lists(
            st.sampled_from(["cve-delta", "epss-threshold", "kev-blocker", "reachable-cve", "release-aggregate-cve"]),
            min_size=1,
            max_size=3,
            unique=True,
        ),
        "reports": st.lists(reports, max_size=2),
        "vex": st.lists(vex_documents, max_size=3),
        "current": st.one_of(st.none(), st.lists(reports, max_size=2)),
        "runs": st.booleans(),
        "kev": st.dictionaries(st.sampled_from(CVES), days, max_size=2),
        "epss": st.dictionaries(st.sampled_from(CVES), st.sampled_from([0.0, 0.1, 0.3, 0.6]), max_size=3),
        "maxReportAge": st.sampled_from([None, 3 * 24 * 60 * 60]),
        "maxFeedAge": st.sampled_from([None, 4 * 24 * 60 * 60]),
        "unknownSeverityAs": st.sampled_from(["critical", "medium"]),
        "severityFrom": st.sampled_from(["worst", "cvss", "scanner"]),
        "acceptSuppressed": st.booleans(),
        "isProduction": st.booleans(),
        "by_parts": st.booleans(),
        "spoil": st.sampled_from([*[None] * 4, "gone", "untrusted", "old"]),
        "indexes": st.sampled_from([{}, {}, {WEB: [AMD64]}, {WEB: [AMD64, ARM64]}, {JOBS: [ARM64]}, {WEB: []}]),
    }
)
SETTINGS = ("maxReportAge", "maxFeedAge", "unknownSeverityAs", "severityFrom", "acceptSuppressed")


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
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


@settings(max_examples=examples(150))
@given(drafts(), st.randoms(use_true_random=False))
def test_whatever_the_order_the_bytes_are_the_same(draft: Draft, order: random.Random) -> None:
    draft["twice"] = True
    before = canonical_bytes(case_of(draft).judged().as_json())
    assert canonical_bytes(case_of(draft, order).judged().as_json()) == before


def first(draft: Draft, kind: str, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
    """The first entry of the documents of a kind that is wanted, or None."""
    for each in draft["documents"]:
        if each["kind"] == kind:
            for entry in each["content"]:
                if wanted(entry):
                    return entry
    return None


def _raise_score(draft: Draft) -> None:
    found = first(draft, "vulnerabilities", lambda each: each["cvss"] is not None)
    if found is not None:
        found["cvss"] = 10.0
        found["severity"] = band(10.0)


def _reach(draft: Draft) -> None:
    found = first(draft, "vulnerabilities", lambda each: each["reachable"] is False)
    if found is not None:
        found["reachable"] = None


def _list_all(draft: Draft) -> None:
    draft["kev"] = dict.fromkeys(CVES, "2026-01-01")


def _list_first(draft: Draft) -> None:
    draft["kev"] = {**draft["kev"], CVES[0]: "2026-10-01"}


def _score_higher(draft: Draft) -> None:
    draft["epss"] = {cve: min(score + 0.3, 1.0) for cve, score in draft["epss"].items()}


def _drop_lifting(draft: Draft) -> None:
    """The first statement that lifts is withdrawn; one that says "affected" would be a better fact to lose."""
    for each in draft["documents"]:
        if each["kind"] == "vex":
            for entry in each["content"]:
                if entry["status"] in ("not_affected", "fixed"):
                    each["content"].remove(entry)
                    return


def _affect(draft: Draft) -> None:
    said = {
        "vulnerability": CVES[0],
        "aliases": [],
        "products": [],
        "status": "affected",
        "justification": None,
        "statedAt": LATER,
    }
    extra = {"kind": "vex", "content": [said], "artifactDigest": WEB, "uploadedBy": [NIA], "signer": None}
    draft["documents"].append({**extra, "generatedAt": None, "uploadedAt": LATER})


def _distrust(draft: Draft) -> None:
    for each in draft["documents"]:
        each["signer"] = None


def _age(draft: Draft) -> None:
    for each in draft["documents"]:
        if each["kind"] == "vulnerabilities":
            each["generatedAt"] = "2026-01-01T00:00:00.000Z"


def _forget_current(draft: Draft) -> None:
    draft["current"] = None


def _leave_out(draft: Draft) -> None:
    next(each for each in draft["documents"] if each["kind"] == "vulnerabilities")["left_out"] = (("an entry", 1),)


def _unscore(draft: Draft) -> None:
    found = first(draft, "vulnerabilities")
    if found is not None:
        found["unscored"] = True


def _ignore_no_more(draft: Draft) -> None:
    found = first(draft, "vulnerabilities", lambda each: "suppressed" in each)
    if found is not None:
        del found["suppressed"]


def _add_platforms(draft: Draft) -> None:
    draft["indexes"] = {each: [*manifests, "sha256:" + "9" * 64] for each, manifests in draft["indexes"].items()}


WORSE: dict[str, Callable[[Draft], Any]] = {
    "a score is higher": _raise_score,
    "it may be reachable": _reach,
    "all are known to be exploited": _list_all,
    "one is known to be exploited": _list_first,
    "exploitation is more likely": _score_higher,
    "a statement is withdrawn": _drop_lifting,
    "somebody says that it affects": _affect,
    "the key is revoked": lambda draft: draft.update(keys=[]),
    "nothing is signed": _distrust,
    "the uploader is excluded": lambda draft: draft.update(excluded=[{**MEI, "reasons": ["RELEASE_CREATOR"]}]),
    "reports are older": _age,
    "time passes": lambda draft: draft.update(instant="2026-12-24T08:00:00.000Z"),
    "the KEV feed is gone": lambda draft: draft.update(kev=None),
    "the EPSS feed is gone": lambda draft: draft.update(epss=None),
    "nothing is known of what runs there": _forget_current,
    "something could not be read": _leave_out,
    "another entry knows no severity": _unscore,
    "the scanner is not told to ignore it": _ignore_no_more,
    "an index has one more platform": _add_platforms,
    "it goes into production": lambda draft: draft.update(isProduction=True),
    "an older reader read the documents": lambda draft: draft.update(readBy=None),
}


def not_let_through(before: Draft, after: Draft) -> None:
    """Neither by the decision nor by any rule that blocked; a gate that waits for a reading has no rules."""
    old, new = (case_of(each).judged() for each in (before, after))
    if old.decision != "allow":
        assert new.decision != "allow"
    rules, rules_now = (_rules(each) for each in (old, new))
    still = [name for name, status in rules.items() if status in BLOCKING and rules_now]
    assert all(rules_now[name] in BLOCKING for name in still)


def no_better(before: Draft, after: Draft) -> None:
    """Not for any rule, nor by the number of findings. A warning lets through as a pass does."""
    old, new = (case_of(each).judged() for each in (before, after))
    if old.decision != "allow":
        assert new.decision != "allow"
    assert_no_rule_better(old, new)
    details, details_now = (_details(each) for each in (old, new))
    assert details_now["counts"]["total"] >= details["counts"]["total"]
    assert details_now["incompleteCount"] >= details["incompleteCount"]


def assert_no_rule_better(old: Evaluation, new: Evaluation) -> None:
    rules, rules_now = (_rules(each) for each in (old, new))
    assert all(HOW_BAD[rules_now[name]] >= HOW_BAD[status] for name, status in rules.items())


HOW_BAD = {"pass": 0, "warn": 0, "pending": 1, "fail": 2}
BLOCKING = ("pending", "fail")


def _details(judged: Evaluation) -> dict[str, Any]:
    return next(each.details for each in judged.gates if each.name == "cve")


def _rules(judged: Evaluation) -> dict[str, str]:
    return {name: rule["status"] for name, rule in _details(judged).get("rules", {}).items()}


@given(drafts(), st.sampled_from(sorted(WORSE)))
def test_a_worse_fact_never_lets_anything_through(draft: Draft, what: str) -> None:
    worse = copy.deepcopy(draft)
    WORSE[what](worse)
    if what == "nothing is known of what runs there" and not draft["runs"]:
        return
    not_let_through(draft, worse)


@settings(max_examples=examples(150))
@given(drafts(), findings(), st.integers(0, 3), st.booleans())
def test_one_more_finding_never_lets_anything_through(draft: Draft, more: Any, where: int, known: bool) -> None:
    """In any report, by whatever names: no report can make two findings of others one, or milder."""
    worse = copy.deepcopy(draft)
    listed = [each for each in worse["documents"] if each["kind"] == "vulnerabilities"]
    there = first(worse, "vulnerabilities")
    if known and there is not None:
        kept = {name: each for name, each in there.items() if name not in OPTIONAL}
        said = {name: more[name] for name in ("cvss", "severity", "reachable", "aliases", *OPTIONAL) if name in more}
        more = {**kept, **said}
    listed[where % len(listed)]["content"].append(more)
    no_better(draft, worse)


@given(drafts(), st.one_of(reports, vex_documents))
def test_a_document_that_nobody_trusts_lets_nothing_through(draft: Draft, more: Draft) -> None:
    worse = copy.deepcopy(draft)
    worse["documents"].append({**more, "signer": None, "uploadedBy": [NIA]})
    no_better(draft, worse)


LACKING = {"SECURITY_REPORT_MISSING", "SECURITY_REPORT_UNTRUSTED", "SECURITY_REPORT_STALE"}


def let_through_only_where_a_report_was_lacking(before: Draft, after: Draft) -> None:
    """Nothing else that a gate says against the release goes away."""
    old, new = (case_of(each).gate("cve") for each in (before, after))
    if old.status == "fail":
        assert new.status == "fail"
    if old.status == "pending" and new.status in ("pass", "warn"):
        assert LACKING & set(old.reason_codes)
        assert set(old.reason_codes) - LACKING <= MILD


MILD = {"SECURITY_REPORT_INCOMPLETE", "KEV_DUE_SOON", "EPSS_SCORE_MISSING", "CVE_LIMIT_NEAR"}


@settings(max_examples=examples(150))
@given(drafts(), reports)
def test_one_more_report_of_anybody_takes_no_finding_away(draft: Draft, more: Draft) -> None:
    """It may show that an artifact or a platform is clean, if it is trusted."""
    worse = copy.deepcopy(draft)
    worse["documents"].append(more)
    let_through_only_where_a_report_was_lacking(draft, worse)
    assert_no_rule_better(case_of(draft).judged(), case_of(worse).judged())


@given(drafts(), st.sampled_from([WEB, JOBS]), st.lists(st.sampled_from([AMD64, ARM64]), unique=True))
def test_an_index_lets_through_only_what_lacked_a_report(draft: Draft, artifact: str, manifests: list[str]) -> None:
    draft["indexes"] = {each: those for each, those in draft["indexes"].items() if each != artifact}
    let_through_only_where_a_report_was_lacking(draft, {**draft, "indexes": {**draft["indexes"], artifact: manifests}})


@settings(max_examples=examples(300))
@given(drafts(), statements, st.sampled_from([WEB, JOBS]), st.sampled_from([None, None, AMD64]))
def test_a_statement_lifts_exactly_what_it_names(
    draft: Draft, statement: Any, artifact: str, about: str | None
) -> None:
    """Told by another program: with nothing else stated and without aliases, what goes is what is named."""
    draft["documents"] = [each for each in draft["documents"] if each["kind"] == "vulnerabilities"]
    draft["config"]["rules"] = {"release-aggregate-cve": {"maxTotal": 0, "maxCritical": None, "maxHigh": None}}
    draft["config"]["acceptSuppressed"] = False
    for each in draft["documents"]:
        for entry in each["content"]:
            entry["aliases"] = []
    statement["aliases"] = []
    extra = {"kind": "vex", "content": [statement], "artifactDigest": artifact, "uploadedBy": [MEI], "signer": None}
    extra = {**extra, "generatedAt": None, "uploadedAt": LATER, "about": about}
    after = {**draft, "documents": [*draft["documents"], extra]}
    left = {
        (entry["id"], _place(entry))
        for each in draft["documents"]
        for entry in each["content"]
        if not (
            statement["status"] in ("not_affected", "fixed")
            and each["artifactDigest"] == artifact
            and about in (None, each["about"])
            and entry["id"] == statement["vulnerability"]
            and _is_product(entry["purl"], statement["products"], {artifact, each["about"]})
        )
    }
    assert set(case_of(after).gate("cve").details["findings"]) == {"@".join(each) for each in left}


def _place(entry: Any) -> str:
    if entry["purl"] is None:
        return f"{entry['component']}@{entry['version']}".removesuffix("@None")
    return PackageURL.from_string(entry["purl"])._replace(qualifiers={}).to_string()


def _is_product(purl: str | None, products: list[str], about: set[str | None]) -> bool:
    return (
        not products
        or not about.isdisjoint(products)
        or (purl is not None and any(_covers(product, purl) for product in products if product.startswith("pkg:")))
    )


def _covers(product: str, purl: str) -> bool:
    wanted, found = PackageURL.from_string(product), PackageURL.from_string(purl)
    if (wanted.type, wanted.namespace, wanted.name) != (found.type, found.namespace, found.name):
        return False
    if wanted.version:
        return wanted.version == found.version
    both = {**found.qualifiers, **wanted.qualifiers}
    return both == {**wanted.qualifiers, **found.qualifiers}


@pytest.mark.slow
def test_the_drafts_reach_every_verdict_and_every_new_fact() -> None:
    """Else these properties would hold of nothing."""
    seen: set[str] = set()

    @settings(max_examples=400, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(drafts())
    def look(draft: Draft) -> None:
        gate = case_of(draft).gate("cve")
        details = gate.details
        seen.update((gate.status, *gate.reason_codes))
        seen.update(name for name in ("suppressedCount", "incompleteCount", "liftedCount") if details.get(name))
        seen.update("accepted" for _ in [0] if details["suppressedAccepted"] and details["suppressedCount"])
        seen.update("by parts" for each in details["lacking"] if "about" in each)

    look()
    wanted = {"pass", "warn", "pending", "fail", *LACKING, "SECURITY_REPORT_INCOMPLETE"}
    assert wanted | {"suppressedCount", "incompleteCount", "liftedCount", "accepted", "by parts"} <= seen
