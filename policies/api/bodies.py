"""The bodies of the calls of "Policies and gates" (contract.md)."""

from collections.abc import Mapping
from typing import Any, Final

from policies.api.document_body import DocumentBody, DocumentField
from policies.documents import APPROVAL_POLICY_SCHEMA, PROMOTION_POLICY_SCHEMA
from stellapromote.api.fields import SlugField, StrictBooleanField, StrictUUIDField
from stellapromote.api.serializers import Body, camel

_APPROVAL: Final = APPROVAL_POLICY_SCHEMA["properties"]
_PROMOTION: Final = PROMOTION_POLICY_SCHEMA["properties"]


class ApprovalPolicyBody(DocumentBody):
    """An approval policy (domain.md §5). What is left out stays as it is."""

    description = DocumentField(_APPROVAL["description"], required=False)
    rules = DocumentField(_APPROVAL["rules"])
    comment_required = DocumentField(_APPROVAL["commentRequired"], required=False)
    separation_of_duties = DocumentField(_APPROVAL["separationOfDuties"], required=False)
    require_subject_digest = DocumentField(_APPROVAL["requireSubjectDigest"], required=False)
    blind = DocumentField(_APPROVAL["blind"], required=False)
    enabled = StrictBooleanField(required=False)


class NewApprovalPolicyBody(ApprovalPolicyBody):
    """An approval policy to create. What is left out has its default."""

    name = SlugField()


class CheckBody(Body):
    """Where, and for whose request."""

    environment_id = StrictUUIDField()
    requester_id = StrictUUIDField()
    product = SlugField(required=False, help_text="Needed where a rule names @owners: whose owners are meant.")


class PromotionPolicyBody(DocumentBody):
    """The draft of a promotion policy, as `document` or with the document's fields directly. What is left out stays."""

    document = DocumentField(PROMOTION_POLICY_SCHEMA, required=False)
    gates = DocumentField(_PROMOTION["gates"], required=False)
    pending_ttl = DocumentField(_PROMOTION["pendingTtl"], required=False)
    approval_ttl = DocumentField(_PROMOTION["approvalTtl"], required=False)
    supersede_older = DocumentField(_PROMOTION["supersedeOlder"], required=False)
    override_ttl = DocumentField(_PROMOTION["overrideTtl"], required=False)


class NewPromotionPolicyBody(PromotionPolicyBody):
    """A promotion policy to create, as a draft. What is left out has its default."""

    name = SlugField()


def in_wire_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Validated top-level fields as the document names them."""
    return {camel(name): value for name, value in values.items()}
