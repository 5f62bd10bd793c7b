"""The newest documents about artifacts, as the newest reader reads them: the content of a bundle composed now.

A document about the manifest of one platform counts for the image index that holds it, when the index itself was
uploaded: its bytes have its digest, so no uploader has to be believed (docs/adr/0153).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    ExpressionWrapper,
    F,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
    Window,
)
from django.db.models.functions import Cast, Least, Rank

from promotions.documents.blobs import blobs
from promotions.formats.document import READER
from promotions.models import DocumentReading, EvidenceDocument

_FIELDS: Final = ("artifact_digest", "kind", "format", "producer", "predicate_type", "said_by", "about", "scope")
IDENTITY: Final = (*_FIELDS, "said_for", "is_dated", "by_itself")
"""Of one identity the document that was made last stands, and all of the same time (docs/adr/0086)."""

_SAID_FOR: Final = Case(
    When(signer="", then=Cast("attributed", TextField())), default=Value(""), output_field=TextField()
)
"""Unsigned, it is said by the account for these people: who uses the machine of another replaces nothing of theirs."""

_IS_DATED: Final = Q(generated_at__isnull=False)
"""A document without a time of its own does not replace one that has a time: sent late, it would count as made late."""

_BY_ITSELF: Final = Case(
    When(~Q(signer="") & Q(generated_at=None), then=F("payload_digest")), default=Value(""), output_field=CharField()
)
"""A document that a key signed without a time replaces nothing: the holder of an older one could send it now."""

_MADE = Least("generated_at", "first_uploaded_at")


@dataclass(frozen=True, slots=True)
class NewestDocument:
    """A document that counts for ``artifact``. ``about``: the manifest of one platform that it speaks of, or empty.

    ``parsed``, ``summary``, ``generated_at`` and ``signer`` are what the newest reader made of it; ``reader`` is that
    reader's version. A document that the newest reader refuses counts as missing.
    """

    document: EvidenceDocument
    artifact: str
    about: str
    parsed: str
    summary: dict[str, Any]
    generated_at: datetime | None
    signer: str
    reader: int


@dataclass(frozen=True, slots=True)
class NewestDocuments:
    """``indexes``: the manifests of the artifacts that are known to be image indexes, by artifact."""

    documents: list[NewestDocument]
    indexes: dict[str, list[str]]

    @property
    def reader(self) -> int:
        """The oldest version of the readers by which any of the documents was read."""
        return min((each.reader for each in self.documents), default=READER)


def read_newest_documents(tenant_id: UUID, artifacts: Iterable[str]) -> NewestDocuments:
    """Cost: one statement; one more each where an artifact is an index, or an older reader read a document."""
    documents = newest(tenant_id, set(artifacts))
    manifests = _manifests(documents)
    indexes_of: dict[str, list[str]] = {}
    for index, parts in manifests.items():
        for part in parts:
            indexes_of.setdefault(part, []).append(index)
    about_parts = newest(tenant_id, indexes_of) if indexes_of else []
    readings = _readings([*documents, *about_parts], indexes=manifests)
    found = [_newest_document(each, each.artifact_digest, each.about, readings) for each in documents]
    for each in about_parts:
        found += [
            _newest_document(each, index, each.artifact_digest, readings) for index in indexes_of[each.artifact_digest]
        ]
    return NewestDocuments([each for each in found if each is not None], manifests)


def manifests_of(tenant_id: UUID, artifact: str) -> dict[str, list[str]]:
    """The manifests of the artifact with the platforms of each, where it is known to be an image index.

    Cost: one statement, and a blob.
    """
    found = EvidenceDocument.objects.filter(
        tenant_id=tenant_id, artifact_digest=artifact, kind=EvidenceDocument.Kind.INDEX
    )
    indexes = [each.parsed_id for each in found[:1]]
    contents = blobs(indexes) if indexes else {}
    return platforms_of(orjson.loads(contents[indexes[0]])) if indexes else {}


def platforms_of(index: Mapping[str, Any]) -> dict[str, list[str]]:
    """The platforms of each manifest of a parsed index."""
    platforms: dict[str, list[str]] = {}
    for each in index["manifests"]:
        said = platforms.setdefault(each["digest"], [])
        said += [each["platform"]] if each["platform"] else []
    return platforms


def apply_reading(document: EvidenceDocument, reading: DocumentReading | None) -> NewestDocument | None:
    """The document as its newest reading has it; None where that refused it. ``reading``: by the newest reader."""
    return _newest_document(
        document, document.artifact_digest, document.about, {} if reading is None else {document.pk: reading}
    )


def identity_of(document: EvidenceDocument) -> tuple[Any, ...]:
    """The values of IDENTITY for a document that may not be stored yet."""
    dated = document.generated_at is not None
    by_itself = document.payload_digest if document.signer and not dated else ""
    said_for = () if document.signer else tuple(each["id"] for each in document.attributed)
    return (*(getattr(document, name) for name in _FIELDS), said_for, dated, by_itself)


def made_at(document: EvidenceDocument) -> datetime:
    """The time of the document by itself, and never later than its first upload."""
    first = document.first_uploaded_at
    return first if document.generated_at is None else min(document.generated_at, first)


def newest(tenant_id: UUID, artifacts: Collection[str]) -> list[EvidenceDocument]:
    """The documents of each identity that were made last, each once, also after several uploads. One statement."""
    found = _identified(EvidenceDocument.objects.filter(tenant_id=tenant_id, artifact_digest__in=list(artifacts)))
    place = Window(Rank(), partition_by=[F(name) for name in IDENTITY], order_by=_MADE.desc())
    of_last = found.annotate(place=place).filter(place=1)
    once: dict[tuple[Any, ...], EvidenceDocument] = {}
    for document in of_last.order_by("-first_uploaded_at", "-uploaded_at", "-id"):
        once.setdefault((*identity_of(document), document.payload_digest or document.content_id), document)
    return list(once.values())


def _identified(documents: QuerySet[EvidenceDocument]) -> QuerySet[EvidenceDocument]:
    """With what IDENTITY names beside their fields."""
    is_dated = ExpressionWrapper(_IS_DATED, BooleanField())
    return documents.annotate(said_for=_SAID_FOR, is_dated=is_dated, by_itself=_BY_ITSELF)


def _manifests(documents: Iterable[EvidenceDocument]) -> dict[str, list[str]]:
    """By artifact. The bytes of an index have its digest, so all documents of one index say the same."""
    parsed = {each.artifact_digest: each.parsed_id for each in documents if each.kind == EvidenceDocument.Kind.INDEX}
    contents = blobs(parsed.values()) if parsed else {}
    return {
        artifact: sorted({each["digest"] for each in orjson.loads(contents[digest])["manifests"]})
        for artifact, digest in parsed.items()
    }


def _readings(documents: Iterable[EvidenceDocument], *, indexes: Collection[str]) -> dict[UUID, DocumentReading]:
    """The readings of the newest reader, so far, for documents that an older one had read, or that came before their
    index."""
    older = [each.pk for each in documents if each.reader < READER or each.artifact_digest in indexes]
    if not older:
        return {}
    found = DocumentReading.objects.filter(document__in=older, reader=READER)
    return {each.document_id: each for each in found}


def _newest_document(
    document: EvidenceDocument, artifact: str, about: str, readings: Mapping[UUID, DocumentReading]
) -> NewestDocument | None:
    if document.kind == EvidenceDocument.Kind.INDEX:
        return None
    reading = readings.get(document.pk)
    if reading is None:
        return NewestDocument(
            document,
            artifact,
            about,
            document.parsed_id,
            document.summary,
            document.generated_at,
            document.signer,
            document.reader,
        )
    if reading.parsed_id is None:
        return None
    signer = document.signer if reading.binds else ""
    return NewestDocument(
        document,
        artifact,
        about or reading.about,
        reading.parsed_id,
        reading.summary,
        reading.generated_at,
        signer,
        reading.reader,
    )
