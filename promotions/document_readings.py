"""Reading a stored document again, by the newest reader: what an older one read, and what was read before the index of
its image was known (docs/adr/0152, 0153)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from promotions import blobs
from promotions.actions.uploading import DocumentUnread, InvalidDocument, UploadsBusy, read_in_isolation
from promotions.formats.document import READER
from promotions.models import DocumentReading, EvidenceDocument
from stellapromote.clock import parse_rfc3339
from stellapromote.errors import ProductError
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes

Answer = dict[str, Any] | InvalidDocument
"""What the child read, or why it does not take the document any more."""


def read_again(document: EvidenceDocument, artifact: str, parts: Mapping[str, Sequence[str]]) -> Answer:
    """Reads it for the artifact, outside any transaction. ``document`` has its content selected.

    Raises DocumentUnread, UploadsBusy.
    """
    try:
        return read_in_isolation(document.kind, artifact, bytes(document.content.content), parts=parts)
    except (DocumentUnread, UploadsBusy):
        raise
    except ProductError as refused:
        return InvalidDocument(refused.message)


def store_reading(document: EvidenceDocument, answer: Answer, at: datetime) -> DocumentReading:
    """Adds the reading in the caller's transaction; the one that is there, if there is one."""
    row = DocumentReading(document=document, reader=READER, read_at=at, summary={}, binds=False)
    if isinstance(answer, InvalidDocument):
        row.refused = answer.message[:1000]
    else:
        parsed = canonical_bytes(answer["parsed"])
        row.parsed_id = digest_bytes(parsed)
        row.summary, row.about = answer["summary"], answer["about"]
        row.binds = answer["namesArtifact"] and (answer["payloadDigest"] or "") == document.payload_digest
        row.generated_at = None if answer["generatedAt"] is None else parse_rfc3339(answer["generatedAt"])
        blobs.store({row.parsed_id: parsed})
    DocumentReading.objects.bulk_create([row], ignore_conflicts=True)
    return DocumentReading.objects.get(document=document, reader=READER)
