"""Reports of which something could not be read: what they leave out may be a finding (domain.md §6)."""

from collections.abc import Iterable
from typing import Final

from policies.document_facts import DocumentFact, LeftOut
from policies.security.findings import Report
from policies.security.outcome import Outcome, clipped

NAME: Final = "incomplete reports"
"""The name of the outcome in a sentence, beside the names of rules."""

CODE: Final = "SECURITY_REPORT_INCOMPLETE"
MOST_REASONS: Final = 10
"""The most reasons of one report in the details; the number of all left-out parts stands beside them."""


def judge(read: Iterable[tuple[DocumentFact, Report]], *, is_production: bool) -> Outcome:
    """Warns of each report, trusted or not, that leaves something out; in production it is as if facts were missing."""
    found = sorted(
        (
            (document["artifactDigest"], document["digest"], document["producer"], report.left_out)
            for document, report in read
            if report.left_out
        ),
        key=lambda each: each[:3],
    )
    if not found:
        return Outcome("pass")
    told = [
        {
            "artifact": artifact,
            "document": document,
            "number": total(left_out),
            "reasons": [{"reason": clipped(each["reason"]), "number": each["number"]} for each in left_out][
                :MOST_REASONS
            ],
        }
        for artifact, document, _, left_out in found
    ]
    artifact, _, producer, left_out = found[0]
    reasons = ", ".join(f"{clipped(each['reason'])} ({each['number']})" for each in left_out[:MOST_REASONS])
    others = f", as {len(found) - 1} more do" if len(found) > 1 else ""
    what = f"the {clipped(producer)} report of artifact {artifact[:19]}… leaves something out: {reasons}{others}"
    return Outcome(
        "missing" if is_production else "warn",
        (CODE,),
        {"incomplete": told},
        sentence=f"{what}; look at the document, and upload a newer report of that scanner that leaves nothing out",
    )


def total(left_out: Iterable[LeftOut]) -> int:
    """The number of left-out parts."""
    return sum(each["number"] for each in left_out)
