"""The subject to which a vote is bound (domain.md §5, subjectDigest): pure."""

from typing import TypedDict

from stellapromote.signing.canonical_json import digest

SUBJECT_SCHEMA = "stella.subject/v1"


class Subject(TypedDict):
    schema: str
    promotionId: str
    releaseId: str
    manifestDigest: str
    sourceEnvironmentId: str | None
    targetEnvironmentId: str
    isRollback: bool
    currentReleaseId: str | None
    requirementsDigest: str
    evidenceBundleDigest: str | None


def subject_digest(subject: Subject) -> str:
    """`sha256:…` over the canonical subject."""
    return digest(subject)


def changed_fields(before: Subject, now: Subject) -> list[str]:
    """Names of the parts of the subject that differ, in the order of the subject."""
    return [name for name in Subject.__annotations__ if before.get(name) != now.get(name)]
