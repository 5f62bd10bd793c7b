"""The answers of the calls of "Policies and gates", for the documentation; presenters make the dicts (contract.md)."""

from rest_framework import serializers

from policies.api.document_body import DocumentField
from policies.documents import APPROVAL_POLICY_SCHEMA, PROMOTION_POLICY_SCHEMA
from policies.models import Proposal
from stellapromote.api.declarations import Answer
from stellapromote.api.serializers import Resource

_APPROVAL = APPROVAL_POLICY_SCHEMA["properties"]


class EnvironmentReference(Resource):
    """An environment, named."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class FailingProductResource(Resource):
    """A product whose requests the policy refuses, or could never approve."""

    product = serializers.CharField()
    message = serializers.CharField()


class ApprovalPolicyResource(Resource):
    """An approval policy as its current version says."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    rules = DocumentField(_APPROVAL["rules"])
    comment_required = serializers.BooleanField()
    separation_of_duties = DocumentField(_APPROVAL["separationOfDuties"])
    require_subject_digest = serializers.BooleanField()
    blind = serializers.BooleanField()
    enabled = serializers.BooleanField()
    version = serializers.IntegerField()
    digest = serializers.CharField()
    used_by = EnvironmentReference(many=True, help_text="The environments that name it.")
    fails_for_products = FailingProductResource(
        many=True, help_text="The products of which too few people could approve a request, at most 100."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(allow_null=True)


class ApprovalPolicyVersionResource(Resource):
    """One immutable version of an approval policy."""

    version = serializers.IntegerField()
    digest = serializers.CharField()
    document = DocumentField(APPROVAL_POLICY_SCHEMA)
    created_by = serializers.UUIDField(allow_null=True)
    created_by_name = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class PersonResource(Resource):
    """Somebody who could approve."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    display_name = serializers.CharField()


class ReasonResource(Resource):
    """Why somebody may not approve, or why the rules cannot be satisfied."""

    code = serializers.CharField()
    message = serializers.CharField()
    username = serializers.CharField(allow_null=True)


class CheckResource(Resource):
    """Who could approve a promotion that this person would request."""

    satisfiable = serializers.BooleanField()
    minimal_approver_sets = serializers.ListField(
        child=PersonResource(many=True), help_text="At most ten of the smallest sets of people who together suffice."
    )
    reasons = ReasonResource(many=True)


class PromotionPolicyResource(Resource):
    """A promotion policy. `document` is what an edit changes: the draft if there is one, else what is published."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    document = DocumentField(PROMOTION_POLICY_SCHEMA)
    has_draft = serializers.BooleanField()
    version = serializers.IntegerField(allow_null=True, help_text="The published version; null before the first.")
    digest = serializers.CharField(allow_null=True)
    published_by = serializers.UUIDField(allow_null=True)
    published_by_name = serializers.CharField(allow_null=True)
    published_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class PromotionPolicyVersionResource(Resource):
    """One published version of a promotion policy."""

    version = serializers.IntegerField()
    digest = serializers.CharField()
    document = DocumentField(PROMOTION_POLICY_SCHEMA)
    published_by = serializers.UUIDField(allow_null=True)
    published_by_name = serializers.CharField(allow_null=True)
    published_at = serializers.DateTimeField()


class PolicyDifferenceResource(Resource):
    """One field. Null: it is not there on that side."""

    place = serializers.CharField(help_text="`gates / backup / config / text`")
    before = serializers.CharField(allow_null=True)
    after = serializers.CharField(allow_null=True)


class PolicyDiffResource(Resource):
    """What changed from one published version to another."""

    version = serializers.IntegerField()
    against = serializers.IntegerField()
    digest = serializers.CharField()
    against_digest = serializers.CharField()
    differences = PolicyDifferenceResource(many=True)


class HealthResource(Resource):
    """Whether gates of this kind can be judged now, as far as is known here; `reason` also says what is not."""

    status = serializers.ChoiceField(["ok", "unavailable"])
    reason = serializers.CharField(allow_null=True)


class GateKindResource(Resource):
    """One kind of gate."""

    kind = serializers.CharField()
    kind_version = serializers.IntegerField()
    rank = serializers.IntegerField(help_text="Gates are judged in this order, then by name.")
    summary = serializers.CharField()
    mandatory = serializers.BooleanField(help_text="In every evaluation: a policy configures it, not leaves it out.")
    config_schema = serializers.DictField(help_text="JSON Schema of config.")
    requires_policy = serializers.BooleanField()
    requires_attestation = serializers.BooleanField()
    requires_approval = serializers.BooleanField()
    health = HealthResource()


class NamedPolicyResource(Resource):
    """A version of a policy that a proposed edit takes away, puts in force, or both."""

    kind = serializers.ChoiceField(["approval_policy", "promotion_policy"])
    name = serializers.CharField()
    version = serializers.IntegerField()
    digest = serializers.CharField()
    before = serializers.BooleanField(help_text="It is in force there now.")
    after = serializers.BooleanField(help_text="It would be in force there.")
    asks = serializers.ListField(child=serializers.CharField(), help_text="What this version asks for, in sentences.")


class ProposalResource(Resource):
    """An edit that loosens a guard of a protected environment, and waits for a second person."""

    id = serializers.UUIDField()
    kind = serializers.CharField(help_text="The edit, such as environment.update.")
    resource = serializers.CharField(help_text="What it edits, such as environment.")
    resource_id = serializers.CharField(help_text="Empty for what is not there yet.")
    name = serializers.CharField()
    weakens = serializers.ListField(child=serializers.CharField(), help_text="What would be easier, in sentences.")
    environments = serializers.ListField(child=serializers.CharField(), help_text="The protected ones it concerns.")
    policies = NamedPolicyResource(
        many=True, help_text="The versions of policies that the edit names; once one has another, it is proposed again."
    )
    before = serializers.JSONField(help_text="What is in force of what the edit changes.")
    after = serializers.JSONField(help_text="What would be in force.")
    state = serializers.ChoiceField(Proposal.State.choices)
    proposed_at = serializers.DateTimeField()
    proposed_by = serializers.UUIDField()
    proposed_by_name = serializers.CharField()
    expires_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_by = serializers.UUIDField(allow_null=True, help_text="Null for a command of the platform owner.")
    ended_by_name = serializers.CharField(allow_null=True)


PROPOSED = Answer(
    ProposalResource,
    status=202,
    etag=True,
    description="The edit loosens a guard of a protected environment: it is stored as a proposal, and nothing changed.",
)
"""The other answer of an edit that may need a second person."""
