"""The age of a document, and the instant from which it is too old."""

from datetime import timedelta

from policies.document_facts import DocumentFact
from policies.windows import check_instant
from stellapromote.clock import parse_rfc3339, rfc3339


def made_at(document: DocumentFact) -> str:
    """The time of the document by itself, else that of its upload; never later than its upload.

    BadTime for a time in another form than the clock writes.
    """
    generated, uploaded = document["generatedAt"], document["uploadedAt"]
    check_instant(uploaded)
    if generated is None:
        return uploaded
    check_instant(generated)
    return min(generated, uploaded)


def later(at: str, seconds: int) -> str:
    """The instant that many seconds later. OverflowError beyond the calendar."""
    check_instant(at)
    return rfc3339(parse_rfc3339(at) + timedelta(seconds=seconds))


def too_old_at(document: DocumentFact, max_age: int | None) -> str | None:
    """The instant from which the document is too old; None: never."""
    if max_age is None:
        return None
    return later(made_at(document), max_age)
