"""The newest documents about the components of a release, for its page."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from promotions.documents.newest_documents import read_newest_documents
from promotions.models import TrustedKey

SEVERITIES = ("critical", "high", "medium", "low", "none", "unknown")
SHOWN_FINDINGS = 500


def documents_of_components(tenant_id: UUID, components: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The newest documents of each component, by its name. Cost: two statements."""
    digests = {each["digest"]: each["name"] for each in components if each["digest"]}
    trusted = trusted_names(tenant_id)
    rows = [
        {
            "component": digests[each.artifact],
            "document": each.document,
            "about": each.about,
            "summary": summary_with_counts(each.summary),
            "key": trusted.get(each.signer),
        }
        for each in read_newest_documents(tenant_id, digests).documents
    ]
    return sorted(rows, key=lambda row: (row["component"], row["document"].kind, row["document"].pk))


def trusted_names(tenant_id: UUID) -> dict[str, str]:
    """Names of the keys that are trusted now, by key id."""
    keys = TrustedKey.objects.filter(tenant_id=tenant_id, revoked_at=None)
    return dict(keys.values_list("key_id", "name"))


def summary_with_counts(summary: dict[str, Any]) -> dict[str, Any]:
    """The summary of a document, ready to be shown: counts by severity in their order."""
    by_severity = summary.get("bySeverity", {})
    counts = [(name, by_severity[name]) for name in SEVERITIES if by_severity.get(name)]
    return {**summary, "counts": counts}
