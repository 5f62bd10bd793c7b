"""The parts of rows that their audit events repeat, so that a changed or added row is found: votes, confirmations and
overrides, releases, documents (domain.md §9)."""

from collections.abc import Iterable, Mapping
from typing import Any

from promotions.models import Component, EvidenceDocument, Release
from promotions.models.vote import ACT_TEXTS
from stellapromote.clock import rfc3339


def audited_act(act: Mapping[str, Any]) -> dict[str, Any]:
    """The decision of an act and the subject that the person saw. The event itself has the person, the instant and the
    sign-in."""
    told = {"subjectDigest": act["subject_digest"], "roles": list(act["roles"]), "teams": list(act["teams"])}
    binding, review_due_at = act.get("subject_binding"), act.get("review_due_at")
    if binding is not None:
        told["subjectBinding"] = binding
    if review_due_at is not None:
        told["reviewDueAt"] = rfc3339(review_due_at)
    return told


def audited_texts(act: Mapping[str, Any], *, comment: str = "comment") -> dict[str, Any]:
    """The texts that the person wrote with a vote or a confirmation. The comment of a reject is its reason."""
    return {comment if name == "comment" else name: act[name] for name in ACT_TEXTS}


def audited_release(release: Release, components: Iterable[Component]) -> dict[str, Any]:
    """The components and the origin of a release. Components in the order of their names, each with its names for
    versions, which events of earlier versions do not have."""
    components = sorted(components, key=lambda each: each.name)
    return {
        "name": release.name,
        "displayName": release.display_name,
        "description": release.description,
        "product": release.product,
        "status": release.status,
        "manifestDigest": release.manifest_digest,
        "createdAt": rfc3339(release.created_at),
        "finalizedAt": None if release.finalized_at is None else rfc3339(release.finalized_at),
        "sourceRef": release.source_ref,
        "createdBy": str(release.created_by_id),
        "createdByName": release.created_by_name,
        "createdWithTokenIssuer": release.created_with_token_issuer_id and str(release.created_with_token_issuer_id),
        "contributors": sorted(str(each) for each in release.contributors),
        "components": [
            {
                "name": each.name,
                "imageRepository": each.image_repository,
                "digest": each.digest,
                "tag": each.tag,
                "role": each.role,
            }
            for each in components
        ],
        "semvers": {each.name: each.semver for each in components},
    }


def audited_document(document: EvidenceDocument) -> dict[str, Any]:
    """Everything in a document that decides whether it counts, and for which people."""
    return {
        "artifactDigest": document.artifact_digest,
        "kind": document.kind,
        "format": document.format,
        "documentDigest": document.content_id,
        "parsedDigest": document.parsed_id,
        "producer": document.producer,
        "generatedAt": None if document.generated_at is None else rfc3339(document.generated_at),
        "firstUploadedAt": rfc3339(document.first_uploaded_at),
        "predicateType": document.predicate_type or None,
        "payloadDigest": document.payload_digest or None,
        "signer": document.signer or None,
        "saidBy": document.said_by,
        "about": document.about or None,
        "scope": document.scope or None,
        "mediaType": document.media_type,
        "size": document.size,
        "reader": document.reader,
        "attributed": document.attributed,
        "summary": document.summary,
    }
