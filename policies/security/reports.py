"""The artifacts of a release that have a report to be believed when it finds nothing (domain.md §6)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policies.document_facts import Bundle, DocumentFact
from policies.security import parts
from policies.security.ages import too_old_at
from policies.security.outcome import Outcome
from policies.security.trust import Doubt, Trust

Doubting = Callable[[Trust, Sequence[DocumentFact]], Doubt | None]
"""The doubt about all of the reports; None: the gate's version has no words for it."""

_MISSING: Final = "SECURITY_REPORT_MISSING"
_UNTRUSTED: Final = "SECURITY_REPORT_UNTRUSTED"
_STALE: Final = "SECURITY_REPORT_STALE"

_SENTENCES: Final = {
    _MISSING: "no scanner report",
    _UNTRUSTED: "no scanner report that a trusted key has signed or somebody trusted has uploaded",
    _STALE: "only scanner reports that are too old",
}
"""The codes in the order of their sentences."""


def no_bundle() -> Outcome:
    """There are no documents at all."""
    return Outcome(
        "missing",
        (_MISSING,),
        sentence="no documents of this release were there: upload its scanner reports, then take a new evidence bundle",
    )


@dataclass(frozen=True, slots=True)
class _ReportCheck:
    """The result for the reports about one artifact, or about one platform of it. `code`: the code against them;
    `ends_at`: from when on they will not do, None for never."""

    artifact: str
    about: str | None
    code: str | None
    ends_at: str | None = None
    doubt: Doubt | None = None
    strays: bool = False


def judge(
    found: Bundle,
    documents: Iterable[DocumentFact],
    trust: Trust,
    max_age: int | None,
    instant: str,
    doubting: Doubting,
) -> Outcome:
    """Whether each artifact has a report that is trusted and young enough; its next change is when one has not.

    An index has one where each of its platforms has. `lacking` in the details has the form of the evidence gate, so
    that an override names each artifact.

    `documents` are the vulnerability reports. Findings of untrusted or old reports count; their lack of findings does
    not.
    """
    by_artifact: dict[str, list[DocumentFact]] = {artifact: [] for artifact in found["artifacts"]}
    for document in documents:
        by_artifact.setdefault(document["artifactDigest"], []).append(document)

    def check(
        artifact: str, about: str | None, reports: Sequence[DocumentFact], *, strays: bool = False
    ) -> _ReportCheck:
        limits = [too_old_at(report, max_age) for report in reports if trust.holds_for(report)]
        young = [limit for limit in limits if limit is None or limit > instant]
        if not reports:
            return _ReportCheck(artifact, about, _MISSING, strays=strays)
        if not limits:
            return _ReportCheck(artifact, about, _UNTRUSTED, doubt=doubting(trust, reports))
        if not young:
            return _ReportCheck(artifact, about, _STALE)
        return _ReportCheck(
            artifact, about, None, None if None in young else max(each for each in young if each is not None)
        )

    checks: list[_ReportCheck] = []
    for artifact, reports in sorted(by_artifact.items()):
        own = parts.split_by_platform(found, artifact, reports)
        whole = check(artifact, None, own.whole, strays=own.strays)
        checks += parts.deciding_checks(
            whole, [check(artifact, about, those) for about, those in own.parts.items()], _MISSING
        )
    ends = [each.ends_at for each in checks if each.ends_at is not None]
    lacking = [each for each in checks if each.code is not None]
    if not lacking:
        return Outcome("pass", next_change_at=min(ends, default=None))
    codes = tuple(code for code in _SENTENCES if any(each.code == code for each in lacking))
    return Outcome(
        "missing",
        codes,
        {"lacking": [_details(each) for each in lacking]},
        sentence=_sentence([each for each in lacking if each.code == codes[0]]),
        next_change_at=min(ends, default=None),
    )


def _details(report_check: _ReportCheck) -> dict[str, Any]:
    return {
        "artifact": report_check.artifact,
        "what": "vulnerabilities",
        "code": report_check.code,
        "document": None,
        **({} if report_check.about is None else {"about": report_check.about}),
        **({} if report_check.doubt is None else {"because": report_check.doubt.because}),
    }


def _sentence(lacking: Sequence[_ReportCheck]) -> str:
    """About the first of them, which all have one code."""
    first, others = lacking[0], len(lacking) - 1
    which = f"{parts.in_words(first.artifact, first.about)}{f' and {others} more' if others else ''}"
    has = "have" if others else "has"
    if first.doubt is not None:
        return f"{which} {has} no scanner report that is believed: {_brought(first.doubt)}"
    hint = f" ({parts.HINT})" if first.strays else ""
    return f"{which} {has} {_SENTENCES[first.code or _MISSING]}{hint}: upload one, then take a new evidence bundle"


def _brought(doubt: Doubt) -> str:
    return (
        f"it was uploaded by {_BY[doubt.because].format(', '.join(doubt.usernames))}: have another identity that the "
        "policy trusts upload it, or sign it with a trusted key, then take a new evidence bundle"
    )


_BY: Final = {
    "requester": "the requester ({}) or for them",
    "excluded": "somebody who is excluded on this promotion ({}) or for them",
    "notNamed": "an identity that the policy does not trust",
}
