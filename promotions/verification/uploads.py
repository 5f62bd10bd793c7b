"""Compares documents with their uploads: with the audit log, with the signature of the key that they count for, and
with the bytes that are stored (domain.md §6, §9)."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Final

from promotions.documents.document_readings import Answer, read_as_sent, read_without_index, reading_of
from promotions.documents.trusted_signatures import key_id, public_key, signer_of
from promotions.documents.uploading import DocumentUnread, InvalidDocument, UploadsBusy
from promotions.formats import envelopes
from promotions.formats.document import READER
from promotions.judging.audited_rows import audited_document
from promotions.models import DocumentReading, EvidenceDocument, Feed, TrustedKey
from promotions.verification.audited import AuditedEvent, all_events_of_rows, differs
from promotions.verification.mismatch import Mismatch, MismatchKind
from stellapromote.clock import rfc3339
from stellapromote.isolation import TaskRefused
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes

UNKNOWN: Final = "No event of the audit log tells of it: nobody uploaded it here."
TWICE: Final = "The audit log tells of its upload more than once."
MEANWHILE: Final = timedelta(minutes=1)
"""An index that came so shortly before a document was read may not have been seen by who read it."""


def check_uploads(documents: Iterable[EvidenceDocument]) -> list[Mismatch]:
    """One finding for each document at most. They are of one tenant and have their contents selected.

    Signed documents, indexes, and documents that were read again are read in the isolated child: outside any
    transaction. A document that cannot be read in time is left to the next verification.
    """
    documents = list(documents)
    if not documents:
        return []
    ids = [each.pk for each in documents]
    events = all_events_of_rows(documents[0].tenant_id, "evidence_document", ids, ["evidence.uploaded"])
    readings = {each.document_id: each for each in DocumentReading.objects.filter(document__in=ids, reader=READER)}
    found = []
    for document in documents:
        wrong = (
            _differs_from_events(document, events.get(str(document.pk), []))
            or _signed_otherwise(document)
            or _read_otherwise(document, readings.get(document.pk))
        )
        if wrong is not None:
            found.append(Mismatch(MismatchKind.DOCUMENT_CHANGED, f"document {document.pk}", wrong))
    return found


def upload_difference(upload: EvidenceDocument | Feed, event: AuditedEvent) -> str | None:
    """The first place where the uploader, the time or the token differs from the event."""
    uploader = {
        "uploadedBy": (upload.uploaded_by_id, event.actor_id),
        "uploadedByName": (f"{upload.uploaded_by_name} ({upload.uploaded_by_username})", event.actor_name),
        "uploadedAt": (rfc3339(upload.uploaded_at), rfc3339(event.at)),
        "tokenId": (upload.token_id and str(upload.token_id), event.metadata.get("tokenId")),
    }
    return next((name for name, (row, recorded) in uploader.items() if row != recorded), None)


def _differs_from_events(document: EvidenceDocument, events: list[AuditedEvent]) -> str | None:
    if len(events) != 1:
        return TWICE if events else UNKNOWN
    [event] = events
    row = audited_document(document)
    place = upload_difference(document, event) or differs(row, event.metadata) or differs(row, event.after)
    return None if place is None else f"{place} is not what the audit log tells of its upload."


def _signed_otherwise(document: EvidenceDocument) -> str | None:
    if document.signer and not _signs(document):
        return f"It counts as signed by {document.signer}, and no signature by that key is under it."
    return None


def _signs(document: EvidenceDocument) -> bool:
    """Whether the key signed the bytes. A key counts that was trusted then, also if it was revoked later."""
    trusted = TrustedKey.objects.filter(tenant_id=document.tenant_id, key_id=document.signer)
    try:
        keys = {key_id(key): key for key in map(public_key, trusted.values_list("pem", flat=True))}
        signed = [each.envelope for each in envelopes.signed_items(bytes(document.content.content)) if each.envelope]
        return any(
            each.payload_digest == document.payload_digest and signer_of(each, keys) == document.signer
            for each in signed
        )
    except (TaskRefused, ValueError):
        return False


def _read_otherwise(document: EvidenceDocument, reading: DocumentReading | None) -> str | None:
    """Compares the newest reading with that of the newest reader; without one, a signed document or an index with its
    stored reading. A reading of an older reader is made again before it counts."""
    is_index = document.kind == EvidenceDocument.Kind.INDEX
    if is_index and document.content_id != document.artifact_digest:
        return "Its bytes do not have the digest of the index."
    try:
        if reading is not None:
            again = (reading_of(document, answer, reading.read_at)[0] for answer in _answers_then(document, reading))
            fits = any(_same(reading, each) for each in again)
        elif (document.signer or is_index) and document.reader == READER:
            fits = any(_parsed(answer) == document.parsed_id for answer in _answers(document))
        else:
            fits = True
    except (DocumentUnread, UploadsBusy):
        return None
    return None if fits else "What was read of it is not what its bytes say."


def _answers_then(document: EvidenceDocument, reading: DocumentReading) -> Iterator[Answer]:
    """The reading of the newest reader, and its reading before the index of the image was there, where that may have
    been."""
    yield read_as_sent(document)
    index = EvidenceDocument.objects.filter(
        tenant_id=document.tenant_id, artifact_digest=document.artifact_digest, kind=EvidenceDocument.Kind.INDEX
    )
    came = index.order_by("uploaded_at").values_list("uploaded_at", flat=True).first()
    if came is not None and document.reader < READER and reading.read_at < came + MEANWHILE:
        yield read_without_index(document)


def _answers(document: EvidenceDocument) -> Iterator[Answer]:
    """For what it was sent for, which for a platform of an index is one of two."""
    reads: tuple[Callable[[EvidenceDocument], Answer], ...] = (read_as_sent, read_without_index)
    for read in reads if document.about else reads[:1]:
        yield read(document)


def _same(reading: DocumentReading, again: DocumentReading) -> bool:
    if reading.refused or again.refused:
        return bool(reading.refused and again.refused)
    return _reading_values(reading) == _reading_values(again)


def _reading_values(reading: DocumentReading) -> tuple[object, ...]:
    return reading.parsed_id, reading.summary, reading.about, reading.binds, reading.generated_at


def _parsed(answer: Answer) -> str | None:
    return None if isinstance(answer, InvalidDocument) else digest_bytes(canonical_bytes(answer["parsed"]))
