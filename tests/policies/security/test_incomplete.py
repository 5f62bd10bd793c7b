"""A report of which something could not be read is never silently a pass (docs/security-gate.md)."""

from typing import Any

import pytest

from policies.outcomes import GateResult
from tests.policies.cases import verdict
from tests.policies.security.world import NIA, NO_CRITICAL, WEB, Evidence, finding, guarded

LEFT_OUT = [("an entry that cannot be read", 2), ("packages without a name", 1)]
CODE = "SECURITY_REPORT_INCOMPLETE"
NEAR: Any = {"release-aggregate-cve": {"maxCritical": 1}}


def judged(
    evidence: Evidence, rules: Any = NO_CRITICAL, *, production: bool = True, on_error: str = "pending"
) -> GateResult:
    case = guarded(rules, onError=on_error).given(target={"isProduction": production})
    return evidence.into(case).gate("cve")


def incomplete(*findings: Any, **document: Any) -> Evidence:
    evidence = Evidence()
    evidence.report(*findings, left_out=LEFT_OUT, **document)
    return evidence


# (what there is, rules, production, onError, the verdict)
COMBINED: list[tuple[Evidence, Any, bool, str, tuple[str, list[str]]]] = [
    # nothing else is wrong
    (incomplete(), NO_CRITICAL, False, "pending", ("warn", [CODE])),
    (incomplete(), NO_CRITICAL, True, "pending", ("pending", [CODE])),
    (incomplete(), NO_CRITICAL, True, "fail", ("fail", [CODE])),
    # onError is about what is missing, and elsewhere nothing is
    (incomplete(), NO_CRITICAL, False, "fail", ("warn", [CODE])),
    # a rule warns
    (incomplete(finding()), NEAR, False, "pending", ("warn", ["CVE_LIMIT_NEAR", CODE])),
    (incomplete(finding()), NEAR, True, "pending", ("pending", ["CVE_LIMIT_NEAR", CODE])),
    # a rule is broken
    (incomplete(finding()), NO_CRITICAL, False, "pending", ("fail", [CODE, "TOO_MANY_CRITICAL"])),
    (incomplete(finding()), NO_CRITICAL, True, "pending", ("fail", [CODE, "TOO_MANY_CRITICAL"])),
    # a feed is missing
    (incomplete(), {"kev-blocker": {}}, False, "pending", ("pending", ["KEV_FEED_MISSING", CODE])),
    (incomplete(), {"kev-blocker": {}}, True, "fail", ("fail", ["KEV_FEED_MISSING", CODE])),
    # the report is not believed either
    (incomplete(uploadedBy=[NIA]), NO_CRITICAL, False, "pending", ("pending", [CODE, "SECURITY_REPORT_UNTRUSTED"])),
    (incomplete(uploadedBy=[NIA]), NO_CRITICAL, True, "pending", ("pending", [CODE, "SECURITY_REPORT_UNTRUSTED"])),
]


@pytest.mark.parametrize(("evidence", "rules", "production", "on_error", "expected"), COMBINED)
def test_the_worst_decides_and_every_code_is_told(
    evidence: Evidence, rules: Any, production: bool, on_error: str, expected: tuple[str, list[str]]
) -> None:
    assert verdict(judged(evidence, rules, production=production, on_error=on_error)) == expected


def test_a_report_that_nobody_believes_is_told_beside_a_complete_one() -> None:
    evidence = incomplete(uploadedBy=[NIA])
    evidence.report()
    assert verdict(judged(evidence)) == ("pending", [CODE])


def test_the_report_is_named_with_what_it_leaves_out() -> None:
    evidence = incomplete(producer="grype")
    evidence.report(producer="trivy")
    gate = judged(evidence)
    assert gate.details["incomplete"] == [
        {
            "artifact": WEB,
            "document": evidence.documents[0]["digest"],
            "number": 3,
            "reasons": [{"reason": reason, "number": number} for reason, number in LEFT_OUT],
        }
    ]
    assert sorted(each.get("leftOut", 0) for each in gate.details["documents"]) == [0, 3]
    assert gate.message == (
        f"The grype report of artifact {WEB[:19]}… leaves something out: an entry that cannot be read (2), packages "
        "without a name (1); look at the document, and upload a newer report of that scanner that leaves nothing out."
    )


def test_what_a_vex_document_leaves_out_is_shown_only() -> None:
    evidence = Evidence()
    evidence.report()
    evidence.vex(left_out=[("statements about other images", 4)])
    gate = judged(evidence)
    assert verdict(gate) == ("pass", [])
    assert [(each["kind"], each.get("leftOut")) for each in gate.details["documents"]] == [
        ("vex", 4),
        ("vulnerabilities", None),
    ]


def test_many_documents_and_reasons_leave_the_record_small() -> None:
    evidence = Evidence()
    for _ in range(60):
        evidence.report(left_out=[(f"{each:03} {'x' * 400}", 1) for each in range(30)])
    details = judged(evidence).details
    assert (len(details["incomplete"]), details["incompleteCount"]) == (50, 60)
    assert {len(each["reasons"]) for each in details["incomplete"]} == {10}
    assert {each["number"] for each in details["incomplete"]} == {30}
    assert max(len(each["reason"]) for each in details["incomplete"][0]["reasons"]) == 100
