"""What a scanner was told to ignore counts, unless the policy says that it does not (docs/security-gate.md)."""

from typing import Any

import pytest

from policies.outcomes import GateResult
from tests.policies.cases import verdict
from tests.policies.security.world import (
    JOBS,
    KEY,
    MUSL,
    MUSL_ITSELF,
    NIA,
    NO_CRITICAL,
    OPENSSL,
    WEB,
    Evidence,
    finding,
    guarded,
    not_affected,
)

IGNORED: Any = {"suppressed": ".trivyignore"}
ACCEPTED: Any = {"acceptSuppressed": True}


def judged(evidence: Evidence, rules: Any = NO_CRITICAL, **config: Any) -> GateResult:
    return evidence.into(guarded(rules, **config)).gate("cve")


def test_a_suppressed_finding_counts_and_is_shown() -> None:
    evidence = Evidence()
    evidence.report(finding(**IGNORED))
    gate = judged(evidence)
    assert verdict(gate) == ("fail", ["TOO_MANY_CRITICAL"])
    assert (gate.details["counts"]["suppressed"], gate.details["counts"]["total"]) == (1, 1)
    assert gate.details["suppressed"] == [{"id": f"CVE-2019-14697@{MUSL_ITSELF}", "by": ".trivyignore"}]
    assert (gate.details["suppressedCount"], gate.details["suppressedAccepted"]) == (1, False)
    assert gate.details["worst"][0]["suppressed"] == ".trivyignore"


def test_a_policy_may_accept_it_and_the_message_says_so() -> None:
    evidence = Evidence()
    evidence.report(finding(**IGNORED), finding("CVE-2024-1", **IGNORED), finding("CVE-2024-2", cvss=3.0))
    gate = judged(evidence, **ACCEPTED)
    assert (verdict(gate), gate.message) == (
        ("pass", []),
        "1 finding, and no rule is broken; 2 findings that the scanner was told to ignore are accepted.",
    )
    assert (gate.details["counts"]["suppressed"], gate.details["counts"]["total"]) == (2, 1)
    assert (gate.details["suppressedCount"], gate.details["suppressedAccepted"]) == (2, True)


def test_a_warning_lets_through_and_so_says_it_too() -> None:
    evidence = Evidence()
    evidence.report(finding(**IGNORED), finding("CVE-2024-2"))
    gate = judged(evidence, {"release-aggregate-cve": {"maxCritical": 1}}, **ACCEPTED)
    assert gate.status == "warn"
    assert gate.message.endswith("; 1 finding that the scanner was told to ignore is accepted.")


REPORTS: list[tuple[list[tuple[dict[str, Any], dict[str, Any]]], int]] = [
    # every report that has it was told to ignore it
    ([(IGNORED, {}), ({"suppressed": "--vex"}, {})], 0),
    # one was not
    ([(IGNORED, {}), ({}, {})], 1),
    ([({}, {}), (IGNORED, {})], 1),
    # and it does not matter who uploaded that one
    ([(IGNORED, {}), ({}, {"uploadedBy": [NIA]})], 1),
    # nor which artifact it is about
    ([(IGNORED, {}), ({}, {"artifactDigest": JOBS})], 1),
    # nor what its scanner writes into the package URL
    ([(IGNORED, {}), ({"purl": f"{MUSL_ITSELF}?arch=arm64"}, {})], 1),
    # one that is not believed was told to ignore it: anybody could say so
    ([(IGNORED, {"uploadedBy": [NIA]})], 1),
    # signed by a trusted key, whoever uploaded it
    ([(IGNORED, {"uploadedBy": [NIA], "signer": KEY})], 0),
]


@pytest.mark.parametrize(("reports", "counted"), REPORTS)
def test_it_counts_as_soon_as_one_report_says_so(
    reports: list[tuple[dict[str, Any], dict[str, Any]]], counted: int
) -> None:
    evidence = Evidence(WEB, JOBS)
    evidence.report()
    evidence.report(artifactDigest=JOBS)
    for entry, document in reports:
        evidence.report(finding("CVE-2019-14697", **{"purl": MUSL, **entry}), **document)
    assert judged(evidence, **ACCEPTED).details["counts"]["total"] == counted


def test_of_several_ways_to_ignore_it_the_first_is_told() -> None:
    evidence = Evidence()
    evidence.report(finding(suppressed="b"))
    evidence.report(finding(suppressed="a"))
    assert judged(evidence).details["suppressed"] == [{"id": f"CVE-2019-14697@{MUSL_ITSELF}", "by": "a"}]


def test_what_vex_lifts_is_lifted_and_not_suppressed() -> None:
    evidence = Evidence()
    evidence.report(finding(**IGNORED), finding("CVE-2024-1", OPENSSL, cvss=3.0))
    evidence.vex(not_affected())
    details = judged(evidence, **ACCEPTED).details
    assert (details["liftedCount"], details["suppressedCount"], details["counts"]["total"]) == (1, 0, 1)


def test_beyond_fifty_their_number_is_told() -> None:
    evidence = Evidence()
    evidence.report(*(finding(f"CVE-2024-{each:04}", **IGNORED) for each in range(60)))
    details = judged(evidence).details
    assert (len(details["suppressed"]), details["suppressedCount"]) == (50, 60)
    assert max(len(each["by"]) for each in details["suppressed"]) < 100
