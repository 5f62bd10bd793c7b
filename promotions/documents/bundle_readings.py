"""The facts of a bundle once its documents were read again (docs/adr/0152)."""

from uuid import UUID

from django.db.models import Case, When

from policies.document_facts import DocumentFact
from promotions.documents import bundles
from promotions.documents.newest_documents import NewestDocument
from promotions.models import EvidenceDocument
from stellapromote.clock import rfc3339


def document_of(tenant_id: UUID, fact: DocumentFact) -> EvidenceDocument | None:
    """The document that is read for a fact of a bundle, with its content.

    The same bytes may have come before their key was trusted, and after: the fact is about those of its own signer.
    """
    return (
        EvidenceDocument.objects.select_related("content")
        .filter(
            tenant_id=tenant_id,
            artifact_digest__in=[fact["artifactDigest"], fact.get("about", "")],
            kind=fact["kind"],
            content_id=fact["digest"],
        )
        .order_by(Case(When(signer=fact["signer"] or "", then=0), default=1), "uploaded_at", "id")
        .first()
    )


def renew_fact(fact: DocumentFact, newest: NewestDocument) -> DocumentFact:
    """The fact with the new reading; its people and its upload stay as they were."""
    fact = fact.copy()
    fact.pop("schemaValid", None)
    binds = bool(newest.signer) or not newest.document.signer
    now: DocumentFact = {
        **fact,
        "parsed": newest.parsed,
        "generatedAt": None if newest.generated_at is None else rfc3339(newest.generated_at),
        "signer": fact["signer"] if binds else None,
    }
    return bundles.with_reading(now, about=newest.about, summary=newest.summary)
