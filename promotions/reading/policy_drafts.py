"""The document of a promotion policy to try: one that is sent, a version or the draft (contract.md, simulate)."""

import orjson
from django.http import Http404

from policies import documents
from policies.models import PromotionPolicy, PromotionPolicyVersion
from promotions.reading.simulation import Draft
from stellapromote.errors import FieldError, Invalid


def draft_document(policy: PromotionPolicy, *, document: object = None, version: int | None = None) -> Draft:
    """The text to try. Without a choice: the draft, or the published text where there is none.

    Raises Invalid, with places below `document`, for a document that cannot be used; Http404 for no such version.
    """
    if document is not None:
        try:
            return Draft(policy.name, 0, documents.promotion_policy(document))
        except Invalid as refusal:
            fields = [FieldError(f"document.{each.field}", each.message, each.code) for each in refusal.fields]
            raise Invalid(fields=fields, code=refusal.code) from refusal
    if version is None and policy.draft is not None:
        return Draft(policy.name, 0, documents.promotion_policy(policy.draft))
    versions = policy.versions.all()
    found = versions.filter(version=version).first() if version is not None else policy.current
    if found is None:
        raise Http404("The policy has no such version.")
    return Draft(policy.name, found.version, _stored(found))


def _stored(version: PromotionPolicyVersion) -> documents.Document:
    """A version as it stands: it keeps its digest, also where this program would make another normal form of its
    text."""
    canonical = bytes(version.canonical)
    return documents.Document(orjson.loads(canonical), canonical, version.digest)
