"""What an older reader read is not believed, whatever it says (domain.md §6)."""

from typing import Any

import pytest

from policies.outcomes import GateResult
from tests.policies.cases import Case, verdict
from tests.policies.security.world import NIA, NO_CRITICAL, TRUSTING, Evidence, finding

UNREAD = ["EVIDENCE_UNREAD"]
GATES: dict[str, Any] = {
    "security": {"rules": {**NO_CRITICAL, "kev-blocker": {}}, **TRUSTING},
    "evidence": {},
    "policy": {"text": "true"},
}
ANSWER: Any = {"engine": "cel", "inputDigest": "sha256:" + "e" * 64, "revision": None, "error": None, "result": True}


def case_of(kind: str, on_error: str = "pending") -> Case:
    case = Case(gates_=[{"name": "looks", "kind": kind, "config": GATES[kind], "onError": on_error}])
    case.facts["policyAnswers"] = {"looks": ANSWER}
    return case


def judged(case: Case, evidence: Evidence, **facts: Any) -> GateResult:
    case = evidence.into(case, **facts)
    if facts.get("readBy", 1) == "absent":
        del case.facts["evidence"]["readBy"]  # type: ignore[index]
    return case.gate("looks")


def clean() -> Evidence:
    evidence = Evidence()
    evidence.report()
    evidence.sbom()
    return evidence


def bad() -> Evidence:
    evidence = Evidence()
    evidence.report(finding(), uploadedBy=[NIA], left_out=[("an entry", 1)])
    return evidence


@pytest.mark.parametrize("kind", sorted(GATES))
@pytest.mark.parametrize("read_by", [None, "absent"])
@pytest.mark.parametrize("evidence", [clean(), bad()])
def test_it_waits_for_the_worker_before_anything_else(kind: str, read_by: Any, evidence: Evidence) -> None:
    gate = judged(case_of(kind), evidence, readBy=read_by)
    assert verdict(gate) == ("pending", UNREAD)
    assert gate.details == {"bundle": evidence.bundle()}
    assert gate.message == (
        "An older version of StellaPromote has read some of the documents, and this version reads them more strictly: "
        "the worker reads them again, which takes seconds. There is nothing for you to do."
    )


@pytest.mark.parametrize("kind", sorted(GATES))
def test_on_error_fail_waits_too(kind: str) -> None:
    """What is rejected is not open, so nothing would read its documents again."""
    assert judged(case_of(kind, "fail"), clean(), readBy=None).status == "pending"


@pytest.mark.parametrize("kind", sorted(GATES))
@pytest.mark.parametrize("read_by", [1, 2, 7])
def test_whichever_reader_read_all_of_it_is_believed(kind: str, read_by: int) -> None:
    gate = judged(case_of(kind), clean(), readBy=read_by, kev=clean().kev())
    assert "EVIDENCE_UNREAD" not in gate.reason_codes


@pytest.mark.parametrize("kind", sorted(GATES))
def test_without_a_bundle_there_is_nothing_to_read(kind: str) -> None:
    assert "EVIDENCE_UNREAD" not in case_of(kind).gate("looks").reason_codes
