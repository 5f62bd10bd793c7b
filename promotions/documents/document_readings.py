"""Reading a stored document again, by the newest reader: one that an older reader read, or that was read before the
index of its image was known (docs/adr/0152, 0153)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from promotions.documents import blobs
from promotions.documents.newest_documents import manifests_of
from promotions.documents.uploading import NO_PARTS, DocumentUnread, InvalidDocument, UploadsBusy, read_in_isolation
from promotions.formats.document import READER
from promotions.models import DocumentReading, EvidenceDocument
from stellapromote.clock import parse_rfc3339
from stellapromote.errors import ProductError
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes

Answer = dict[str, Any] | InvalidDocument
"""The child's reading, or the reason why it does not take the document any more."""


def read_again(document: EvidenceDocument, artifact: str, parts: Mapping[str, Sequence[str]]) -> Answer:
    """Reads it for the artifact, outside any transaction. ``document`` has its content selected.

    A report that is refused for the index of its image alone keeps its findings, and shows nothing else: it has no
    signer, and is about no platform of the index (docs/adr/0153). Raises DocumentUnread, UploadsBusy.
    """
    answer = _read(document, artifact, parts)
    if not isinstance(answer, InvalidDocument) or not parts or document.kind != EvidenceDocument.Kind.VULNERABILITIES:
        return answer
    before = _read(document, artifact, NO_PARTS)
    if isinstance(before, InvalidDocument):
        return answer
    return {**before, "about": document.content_id, "namesArtifact": False}


def _read(document: EvidenceDocument, artifact: str, parts: Mapping[str, Sequence[str]]) -> Answer:
    try:
        return read_in_isolation(document.kind, artifact, bytes(document.content.content), parts=parts)
    except (DocumentUnread, UploadsBusy):
        raise
    except ProductError as refused:
        return InvalidDocument(refused.message)


def read_as_sent(document: EvidenceDocument) -> Answer:
    """For the artifact that it was sent for; for the platform that it was only claimed to be about.

    Raises as ``read_again``.
    """
    parts = manifests_of(document.tenant_id, document.artifact_digest)
    if document.about and document.about not in parts:
        return read_without_index(document)
    return read_again(document, document.artifact_digest, parts)


def read_without_index(document: EvidenceDocument) -> Answer:
    """As before the index of its image was known: for the platform that it was claimed to be about, else for the
    artifact alone. Raises as ``read_again``."""
    if document.about:
        return read_again(document, document.about, manifests_of(document.tenant_id, document.about))
    return read_again(document, document.artifact_digest, NO_PARTS)


def reading_of(document: EvidenceDocument, answer: Answer, at: datetime) -> tuple[DocumentReading, bytes | None]:
    """The reading, not stored, and what it parsed; None where it refuses the document."""
    row = DocumentReading(document=document, reader=READER, read_at=at, summary={}, binds=False)
    if isinstance(answer, InvalidDocument):
        row.refused = answer.message[:1000]
        return row, None
    parsed = canonical_bytes(answer["parsed"])
    row.parsed_id = digest_bytes(parsed)
    row.summary, row.about = answer["summary"], answer["about"]
    row.binds = answer["namesArtifact"] and (answer["payloadDigest"] or "") == document.payload_digest
    row.generated_at = None if answer["generatedAt"] is None else parse_rfc3339(answer["generatedAt"])
    return row, parsed


def store_reading(document: EvidenceDocument, answer: Answer, at: datetime) -> DocumentReading:
    """Adds the reading in the caller's transaction; the one that is there, if there is one."""
    row, parsed = reading_of(document, answer, at)
    if row.parsed_id is not None and parsed is not None:
        blobs.store({row.parsed_id: parsed})
    DocumentReading.objects.bulk_create([row], ignore_conflicts=True)
    return DocumentReading.objects.get(document=document, reader=READER)
