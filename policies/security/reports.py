"""Which artifacts of a release have a report that may be believed when it finds nothing (domain.md §6)."""

from collections.abc import Iterable, Sequence

from policies.evidence_facts import DocumentFact
from policies.security.ages import too_old_at
from policies.security.outcome import Outcome
from policies.security.trust import Trust

_SENTENCES = {
    "SECURITY_REPORT_MISSING": "no scanner report",
    "SECURITY_REPORT_UNTRUSTED": "no scanner report that a trusted key has signed or somebody trusted has uploaded",
    "SECURITY_REPORT_STALE": "only scanner reports that are too old",
}


def no_bundle() -> Outcome:
    """There are no documents at all."""
    return Outcome(
        "missing",
        ("SECURITY_REPORT_MISSING",),
        sentence="no documents of this release were there: upload its scanner reports, then take a new evidence bundle",
    )


def judge(
    artifacts: Sequence[str], documents: Iterable[DocumentFact], trust: Trust, max_age: int | None, instant: str
) -> Outcome:
    """Whether each artifact has a report that is trusted and young enough; its next change is when one has not.

    `lacking` in the details is told as the evidence gate tells it, so that an override names each artifact.

    `documents` are the vulnerability reports. What untrusted or old ones find counts; that they find nothing does not.
    """
    by_artifact: dict[str, list[DocumentFact]] = {artifact: [] for artifact in artifacts}
    for document in documents:
        by_artifact.setdefault(document["artifactDigest"], []).append(document)
    lacking: dict[str, list[str]] = {}
    ends: list[str] = []
    for artifact, reports in sorted(by_artifact.items()):
        limits = [too_old_at(report, max_age) for report in reports if trust.holds_for(report)]
        young = [limit for limit in limits if limit is None or limit > instant]
        if not reports:
            lacking.setdefault("SECURITY_REPORT_MISSING", []).append(artifact)
        elif not limits:
            lacking.setdefault("SECURITY_REPORT_UNTRUSTED", []).append(artifact)
        elif not young:
            lacking.setdefault("SECURITY_REPORT_STALE", []).append(artifact)
        elif None not in young:
            ends.append(max(limit for limit in young if limit is not None))
    if not lacking:
        return Outcome("pass", next_change_at=min(ends, default=None))
    code = next(each for each in _SENTENCES if each in lacking)
    listed = [
        {"artifact": each, "what": "vulnerabilities", "code": which, "document": None}
        for which, those in lacking.items()
        for each in those
    ]
    number = len(lacking[code])
    which = f"artifact {lacking[code][0][:19]}…{f' and {number - 1} more' if number > 1 else ''}"
    return Outcome(
        "missing",
        tuple(lacking),
        {"lacking": sorted(listed, key=lambda each: each["artifact"])},
        sentence=f"{which} has {_SENTENCES[code]}: upload one, then take a new evidence bundle",
        next_change_at=min(ends, default=None),
    )
