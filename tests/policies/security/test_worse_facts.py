"""A worse fact never lets anything through, whatever the documents say."""

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.outcomes import Evaluation
from tests.drawing import drawn, one_of
from tests.examples import examples
from tests.policies.security.drafts import (
    CVES,
    LACKING,
    LATER,
    OPTIONAL,
    Draft,
    case_of,
    drafts,
    findings,
    reports,
    vex_documents,
)
from tests.policies.security.world import AMD64, ARM64, JOBS, MEI, NIA, WEB, band


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


@given(drawn(drafts()), st.sampled_from(sorted(WORSE)))
def test_a_worse_fact_never_lets_anything_through(draft: Draft, what: str) -> None:
    worse = copy.deepcopy(draft)
    WORSE[what](worse)
    if what == "nothing is known of what runs there" and not draft["runs"]:
        return
    not_let_through(draft, worse)


@settings(max_examples=examples(150))
@given(drawn(drafts()), drawn(findings()), st.integers(0, 3), st.booleans())
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


@given(drawn(drafts()), drawn(one_of(reports, vex_documents)))
def test_a_document_that_nobody_trusts_lets_nothing_through(draft: Draft, more: Draft) -> None:
    worse = copy.deepcopy(draft)
    worse["documents"].append({**more, "signer": None, "uploadedBy": [NIA]})
    no_better(draft, worse)


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
@given(drawn(drafts()), drawn(reports))
def test_one_more_report_of_anybody_takes_no_finding_away(draft: Draft, more: Draft) -> None:
    """It may show that an artifact or a platform is clean, if it is trusted."""
    worse = copy.deepcopy(draft)
    worse["documents"].append(more)
    let_through_only_where_a_report_was_lacking(draft, worse)
    assert_no_rule_better(case_of(draft).judged(), case_of(worse).judged())


@given(drawn(drafts()), st.sampled_from([WEB, JOBS]), st.lists(st.sampled_from([AMD64, ARM64]), unique=True))
def test_an_index_lets_through_only_what_lacked_a_report(draft: Draft, artifact: str, manifests: list[str]) -> None:
    draft["indexes"] = {each: those for each, those in draft["indexes"].items() if each != artifact}
    let_through_only_where_a_report_was_lacking(draft, {**draft, "indexes": {**draft["indexes"], artifact: manifests}})
