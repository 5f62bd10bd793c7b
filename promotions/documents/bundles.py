"""Bundles: the newest documents about some artifacts, named by digest (domain.md §5, §6).

A document replaces another only from the same producer identity: the same tool and format, and the same signing key or,
unsigned, the same uploader for the same people. So a report never disappears because another person uploads one
(docs/adr/0086, 0182). Of one identity the document that was made last stands, in any order of uploads: an older one
that is sent again replaces nothing (docs/adr/0086).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from policies.document_facts import BUNDLE_SCHEMA, Bundle, DocumentFact, DocumentKind
from promotions.documents import blobs
from promotions.documents.newest_documents import NewestDocument, identity_of, made_at, newest, read_newest_documents
from promotions.models import Component, EvidenceBundle, EvidenceDocument, Promotion
from promotions.models.document import people
from stellapromote.accounts.models import ApiToken
from stellapromote.clock import rfc3339
from stellapromote.signing.canonical_json import canonical_bytes, digest, digest_bytes

DOCUMENTS_SCHEMA: Final = "stella.bundle-documents/v1"

MOST_PRODUCERS: Final = 200
"""The most unsigned documents of one artifact in a bundle: each is read at every evaluation."""

MOST_OF_ONE: Final = 40
"""The most of these by one sender, with all machines of that person: invented tools fill no places of other senders
(docs/adr/0182)."""

MOST_OF_A_KEY: Final = 100
"""The most documents of one artifact by one trusted key, beside all others: its bad news always has room."""


@dataclass(frozen=True, slots=True)
class BundleContent:
    """A bundle that may not be stored yet: its digest and canonical bytes. ``reader``: the oldest version of the
    readers by which any of its documents was read."""

    digest: str
    content: bytes
    documents: int
    reader: int


def compose_bundle(tenant_id: UUID, artifacts: Iterable[str]) -> BundleContent | None:
    """The newest documents of these artifacts; None without one. Stores nothing. Cost: ``read_newest_documents``."""
    wanted = sorted(set(artifacts))
    newest = read_newest_documents(tenant_id, wanted)
    if not newest.documents:
        return None
    facts = sorted((document_fact(each) for each in newest.documents), key=place_in_order)
    bundle: Bundle = {
        "schema": BUNDLE_SCHEMA,
        "artifacts": wanted,
        # One that was sent for a platform and for the index is one document of the index.
        "documents": [fact for fact, before in zip(facts, [None, *facts], strict=False) if fact != before],
    }
    if newest.indexes:
        bundle["indexes"] = [
            {"artifact": artifact, "manifests": manifests} for artifact, manifests in sorted(newest.indexes.items())
        ]
    return bundle_content(bundle, newest.reader)


def bundle_content(bundle: Bundle, reader: int) -> BundleContent:
    """The bundle in canonical bytes, with their digest."""
    content = canonical_bytes(bundle)
    return BundleContent(digest_bytes(content), content, len(bundle["documents"]), reader)


def reached_limit(document: EvidenceDocument) -> int | None:
    """The limit for which a bundle cannot hold this document beside those there are about its artifact; None: it can.

    A document that takes the place of an older one always has room, and so has one that a newer one stands before.
    Cost: two statements.
    """
    counting = newest(document.tenant_id, [document.artifact_digest])
    alike = [each for each in counting if identity_of(each) == identity_of(document)]
    if alike and made_at(alike[0]) != made_at(document):
        return None
    beside = [each for each in counting if each.signer == document.signer]
    if document.signer:
        return MOST_OF_A_KEY if len(beside) >= MOST_OF_A_KEY else None
    by, *others = _senders([document, *beside])
    if others.count(by) >= MOST_OF_ONE:
        return MOST_OF_ONE
    return MOST_PRODUCERS if len(others) >= MOST_PRODUCERS else None


def _senders(documents: Collection[EvidenceDocument]) -> list[UUID]:
    """The sender of each document: the issuer of the token that was used, else the account. One statement.

    Owners do not count as senders: another person with a token for their machine would fill their places.
    """
    tokens = ApiToken.objects.filter(pk__in={each.token_id for each in documents}, issuer__isnull=False)
    issuers: dict[UUID | None, UUID] = dict(tokens.values_list("pk", "issuer_id"))
    return [issuers.get(each.token_id, each.uploaded_by_id) for each in documents]


def store_bundle(composed: BundleContent, *, tenant_id: UUID, at: datetime) -> EvidenceBundle:
    """The tenant's bundle of this digest, new or not."""
    blobs.store({composed.digest: composed.content})
    EvidenceBundle.objects.bulk_create(
        [EvidenceBundle(tenant_id=tenant_id, content_id=composed.digest, taken_at=at, reader=composed.reader)],
        ignore_conflicts=True,
    )
    return EvidenceBundle.objects.get(tenant_id=tenant_id, content_id=composed.digest)


def compose_release_bundle(tenant_id: UUID, release_id: UUID) -> BundleContent | None:
    """The bundle that a promotion of the release would be judged with if it were taken now."""
    digests = Component.objects.filter(release_id=release_id).values_list("digest", flat=True)
    return compose_bundle(tenant_id, (digest for digest in digests if digest))


def adopt_newest_bundle(promotion: Promotion, at: datetime) -> bool:
    """Binds the promotion, in memory, to the newest documents of its components; False when it had them already."""
    composed = compose_release_bundle(promotion.tenant_id, promotion.release_id)
    if composed is None or composed.digest == promotion.evidence_bundle_digest:
        return False
    promotion.evidence_bundle = store_bundle(composed, tenant_id=promotion.tenant_id, at=at)
    promotion.evidence_bundle_digest = composed.digest
    return True


def has_newer(promotion: Promotion) -> bool:
    """Whether documents came since the promotion's bundle was taken. Cost: two statements."""
    composed = compose_release_bundle(promotion.tenant_id, promotion.release_id)
    return composed is not None and composed.digest != promotion.evidence_bundle_digest


def documents_digest(bundle: Bundle) -> str:
    """The digest of the documents by artifact: the same for the same documents in every installation and tenant.

    Uploaders and times, on which bundleDigest also depends, are the facts by which gates judge trust and age.
    """
    spoken = {(each["artifactDigest"], each.get("about"), each["kind"], each["digest"]) for each in bundle["documents"]}
    return digest(
        {
            "schema": DOCUMENTS_SCHEMA,
            "artifacts": bundle["artifacts"],
            "documents": [
                {"artifactDigest": artifact, "about": about, "kind": kind, "digest": document}
                for artifact, about, kind, document in sorted(
                    spoken, key=lambda each: (each[0], each[1] or "", *each[2:])
                )
            ],
            "indexes": bundle.get("indexes", []),
        }
    )


def place_in_order(each: DocumentFact) -> tuple[str, ...]:
    return (
        each["artifactDigest"],
        each["kind"],
        each["digest"],
        each["signer"] or "",
        each["uploadedAt"],
        each.get("about", ""),
    )


def document_fact(newest: NewestDocument) -> DocumentFact:
    """The fact of a bundle about the document."""
    document = newest.document
    fact: DocumentFact = {
        "artifactDigest": newest.artifact,
        "kind": cast("DocumentKind", document.kind),
        "format": document.format,
        "digest": document.content_id,
        "parsed": newest.parsed,
        "producer": document.producer,
        "uploadedBy": people(document.attributed),
        "uploadedAt": rfc3339(document.first_uploaded_at),
        "generatedAt": None if newest.generated_at is None else rfc3339(newest.generated_at),
        "signer": newest.signer or None,
        "predicateType": document.predicate_type or None,
    }
    return with_reading(fact, about=newest.about, summary=newest.summary)


def with_reading(fact: DocumentFact, *, about: str, summary: Mapping[str, Any]) -> DocumentFact:
    """The fact with what is said only where there is something to say, so that other facts keep their bytes."""
    if about:
        fact["about"] = about
    if summary.get("schemaValid") is False:
        fact["schemaValid"] = False
    return fact
