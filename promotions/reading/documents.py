"""Reads uploaded documents for calls and pages."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404

from promotions.documents.newest_documents import read_newest_documents
from promotions.formats.document import READER
from promotions.models import DocumentReading, EvidenceBundle, EvidenceDocument, Feed, TrustedKey

POINTS = 25


def documents_of_tenant(tenant_id: UUID) -> QuerySet[EvidenceDocument]:
    """Without their contents."""
    return EvidenceDocument.objects.filter(tenant_id=tenant_id)


def reading_of(document: EvidenceDocument) -> DocumentReading | None:
    """The reading of the newest reader since the upload; None without one."""
    return DocumentReading.objects.select_related("parsed").filter(document=document, reader=READER).first()


def document_of(tenant_id: UUID, document_id: UUID) -> EvidenceDocument:
    """With its parsed form, as it was uploaded. Http404."""
    found = documents_of_tenant(tenant_id).select_related("parsed").filter(pk=document_id).first()
    if found is None:
        raise Http404("No such document.")
    return found


def bundle_of(tenant_id: UUID, bundle_id: UUID) -> EvidenceBundle:
    """With its content. Http404."""
    found = EvidenceBundle.objects.select_related("content").filter(tenant_id=tenant_id, pk=bundle_id).first()
    if found is None:
        raise Http404("No such bundle.")
    return found


def names_of_trusted_keys(tenant_id: UUID) -> set[str]:
    """The names that a policy may use for the keys that the tenant trusts now: names and key ids. One statement."""
    keys = TrustedKey.objects.filter(tenant_id=tenant_id, revoked_at=None).values_list("name", "key_id")
    return {name for key in keys for name in key}


def kinds_of_feeds(tenant_id: UUID) -> set[str]:
    """The kinds of which the tenant has a feed. One statement."""
    return set(Feed.objects.filter(tenant_id=tenant_id).order_by().values_list("kind", flat=True).distinct())


def score(tenant_id: UUID, artifact: str) -> dict[str, Any]:
    """The score of an artifact now: points for its documents, not for their content."""
    documents = read_newest_documents(tenant_id, [artifact]).documents
    kinds = {each.document.kind for each in documents}
    trusted = set(TrustedKey.objects.filter(tenant_id=tenant_id, revoked_at=None).values_list("key_id", flat=True))
    parts = {
        "hasSbom": EvidenceDocument.Kind.SBOM in kinds,
        "hasVulnerabilities": EvidenceDocument.Kind.VULNERABILITIES in kinds,
        "hasAttestation": EvidenceDocument.Kind.ATTESTATION in kinds,
        "hasTrustedSignature": any(each.signer in trusted for each in documents),
    }
    return {"artifactId": artifact, "evidenceScore": POINTS * sum(parts.values()), **parts}
