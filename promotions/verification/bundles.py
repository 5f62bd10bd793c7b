"""Compares a bundle with the uploaded and read documents, and a bundle that was read again with a new reading
(domain.md §6, docs/adr/0152)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db.models import Q

from policies.document_facts import Bundle, DocumentFact
from promotions.documents.blobs import blobs
from promotions.documents.bundle_readings import document_of, renew_fact
from promotions.documents.bundles import document_fact
from promotions.documents.newest_documents import NewestDocument, apply_reading, manifests_of
from promotions.formats.document import READER
from promotions.models import BundleReading, DocumentReading, EvidenceBundle, EvidenceDocument
from promotions.verification.differences import first_difference
from promotions.verification.mismatch import Mismatch, MismatchKind
from promotions.verification.records import UNREADABLE
from promotions.verification.uploads import MEANWHILE


@dataclass(frozen=True, slots=True)
class _Read:
    """The reading of a document by one version of the reader. ``binds``: a signature over it counts."""

    of: EvidenceDocument
    about: str
    parsed: str
    summary: dict[str, Any]
    generated_at: datetime | None
    binds: bool


@dataclass(frozen=True, slots=True)
class BundleComparison:
    """``documents``: those that the bundle rests on, with their contents; whether they are what was uploaded is
    `check_uploads`."""

    found: list[Mismatch]
    documents: list[EvidenceDocument]


def compare_bundle(tenant_id: UUID, digest: str) -> BundleComparison:
    """The parts of a bundle that differ from the uploaded and read documents. Its digest fits. About five
    statements."""
    row = EvidenceBundle.objects.filter(tenant_id=tenant_id, content_id=digest).first()
    if row is None:
        return BundleComparison([_changed(f"bundle {digest}", "No bundle of the tenant has this digest.")], [])
    try:
        return _compared(tenant_id, row, orjson.loads(blobs([digest])[digest]))
    except UNREADABLE:
        return BundleComparison(
            [_changed(f"bundle {digest}", "This is no bundle, or something that it names is gone.")], []
        )


def _compared(tenant_id: UUID, row: EvidenceBundle, bundle: Bundle) -> BundleComparison:
    uploads = _uploads(tenant_id, bundle)
    # A reading of an older reader counts only in a bundle that is itself read again before it counts.
    reads = _reads([each for alike in uploads.values() for each in alike], min(row.reader, READER))
    manifests = {each["artifact"]: each["manifests"] for each in bundle.get("indexes", ())}
    found = list(_check_artifacts(tenant_id, row.content_id, bundle, manifests))
    documents = {each.pk: each for (_, kind), alike in uploads.items() for each in alike if kind == "index"}
    for fact in bundle["documents"]:
        artifact = fact["artifactDigest"]
        alike = [
            each
            for each in uploads.get((fact["digest"], fact["kind"]), ())
            if each.artifact_digest == artifact or each.artifact_digest in manifests.get(artifact, ())
        ]
        fitting = [each for each in alike if fact in _facts(fact, each, _of_signer(alike, each, reads))]
        documents |= {each.pk: each for each in fitting or alike}
        if not fitting:
            found.append(_changed(f"document {fact['digest']}", _difference(fact, alike, reads)))
    for reading in BundleReading.objects.filter(bundle=row, reader=READER).select_related("bundle", "read_as"):
        found += check_bundle_reading(reading)
    return BundleComparison(found, list(documents.values()))


def check_bundle_reading(reading: BundleReading) -> list[Mismatch]:
    """Whether a bundle, read again by the newest reader, is what its documents' readings give. One finding at most."""
    bundle, place = reading.bundle, f"bundle {reading.bundle.content_id} read again"
    if bundle.reader >= READER:
        return [_changed(place, "The newest reader had read this bundle, so nothing else counts for it.")]
    try:
        contents = blobs([bundle.content_id, reading.read_as.content_id])
        before: Bundle = orjson.loads(contents[bundle.content_id])
        after: Bundle = orjson.loads(contents[reading.read_as.content_id])
        wrong = _read_otherwise(bundle.tenant_id, before, after, reading.read_at)
    except UNREADABLE:
        wrong = "It is no bundle, or something that it names is gone."
    return [] if wrong is None else [_changed(place, wrong)]


def _read_otherwise(tenant_id: UUID, before: Bundle, after: Bundle, at: datetime) -> str | None:
    left = list(after["documents"])
    for fact in before["documents"]:
        now = _renewed(tenant_id, fact, at)
        if not now:
            return f"The newest reader has not read document {fact['digest']}."
        if None in now:
            continue
        said = next((each for each in left if each in now), None)
        if said is None:
            return f"Document {fact['digest']} stands in it otherwise than it was read."
        left.remove(said)
    if left or {**before, "documents": []} != {**after, "documents": []}:
        return "It holds something else than the bundle that was read."
    return None


def _renewed(tenant_id: UUID, fact: DocumentFact, at: datetime) -> list[DocumentFact | None]:
    """The facts that the fact may have become; None: the document counts no more. Empty where nothing read it again."""
    document = document_of(tenant_id, fact)
    reading = None if document is None else DocumentReading.objects.filter(document=document, reader=READER).first()
    if document is None or (reading is None and document.reader < READER):
        return []
    readings = [reading]
    if reading is not None and document.reader >= READER and reading.read_at > at - MEANWHILE:
        readings.append(None)  # it was read once more for an index that came after
    held = [apply_reading(document, each) for each in readings]
    return [None if each is None else renew_fact(fact, each) for each in held]


def _check_artifacts(
    tenant_id: UUID, digest: str, bundle: Bundle, manifests: Mapping[str, list[str]]
) -> Iterator[Mismatch]:
    if not {fact["artifactDigest"] for fact in bundle["documents"]} <= set(bundle["artifacts"]):
        yield _changed(f"bundle {digest}", "It names documents of an artifact that it is not about.")
    for artifact, named in manifests.items():
        if named != sorted(manifests_of(tenant_id, artifact)):
            yield _changed(f"bundle {digest}", f"The manifests of {artifact} are not those of its index.")


def _uploads(tenant_id: UUID, bundle: Bundle) -> dict[tuple[str, str], list[EvidenceDocument]]:
    """The documents that the bundle names, by digest and kind, and the indexes of its artifacts."""
    digests = {fact["digest"] for fact in bundle["documents"]}
    indexes = {each["artifact"] for each in bundle.get("indexes", ())}
    named = EvidenceDocument.objects.filter(
        Q(content_id__in=digests) | Q(kind=EvidenceDocument.Kind.INDEX, artifact_digest__in=indexes),
        tenant_id=tenant_id,
    )
    found: dict[tuple[str, str], list[EvidenceDocument]] = {}
    for each in named.select_related("content").order_by("pk"):
        found.setdefault((each.content_id, each.kind), []).append(each)
    return found


def _reads(documents: Collection[EvidenceDocument], reader: int) -> dict[UUID, list[_Read]]:
    """The readings of the versions from ``reader`` to this one, by document. This version cannot repeat a newer
    reading, so such a row proves nothing."""
    found = {
        each.pk: [_Read(each, each.about, each.parsed_id, each.summary, each.generated_at, True)]
        if each.reader >= reader
        else []
        for each in documents
    }
    by_id = {each.pk: each for each in documents}
    for each in DocumentReading.objects.filter(document__in=by_id, reader__range=(reader, READER), refused=""):
        document = by_id[each.document_id]
        about = document.about or each.about
        read = _Read(document, about, each.parsed_id or "", each.summary, each.generated_at, each.binds)
        found[document.pk].append(read)
    return found


def _of_signer(
    alike: Iterable[EvidenceDocument], document: EvidenceDocument, reads: Mapping[UUID, list[_Read]]
) -> list[_Read]:
    """The readings of the documents alike that have this signer: equal bytes are read once for all senders."""
    return [read for each in alike if each.signer == document.signer for read in reads[each.pk]]


def _facts(fact: DocumentFact, document: EvidenceDocument, reads: Iterable[_Read]) -> Iterator[DocumentFact]:
    """The facts that a bundle may have of the document where this one has `fact`."""
    artifact = fact["artifactDigest"]
    for read in reads:
        about = read.about if read.of.artifact_digest == artifact else read.of.artifact_digest
        signer = document.signer if read.binds else ""
        held = NewestDocument(document, artifact, about, read.parsed, read.summary, read.generated_at, signer, READER)
        yield document_fact(held)


def _difference(fact: DocumentFact, alike: Sequence[EvidenceDocument], reads: Mapping[UUID, list[_Read]]) -> str:
    of_signer = [each for each in alike if fact["signer"] in (None, each.signer)]
    known = [said for each in of_signer for said in _facts(fact, each, _of_signer(alike, each, reads))]
    if not known:
        return "A bundle names this document, and it was not uploaded here, or is gone."
    return f"A bundle says of this document what was not uploaded: {first_difference(fact, known[0])}."


def _changed(place: str, message: str) -> Mismatch:
    return Mismatch(MismatchKind.DOCUMENT_CHANGED, place, message)
