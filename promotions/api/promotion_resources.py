"""The answers of the calls of promotions, for the documentation; presenters make the dicts (contract.md,
Promotions)."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from policies.api.resources import PersonResource
from policies.outcomes import STATUSES
from promotions.api.release_resources import DiffResource
from promotions.models import Override, OverrideReview
from promotions.models.promotion import CHANGE_TYPES
from promotions.reading.acts import ActResource, CountedVote
from promotions.reading.promotion_columns import ApprovalCount
from promotions.states import Status
from stellapromote.api.serializers import Resource

_STATUSES = [status.value for status in Status]
_GATE_STATUSES = sorted(STATUSES)
_DECISIONS = ["allow", "deny", "pending"]


@extend_schema_field({"type": "object", "additionalProperties": True})
class JsonField(serializers.Field[Any, Any, Any, Any]):
    """An object whose form depends on its own schema, kind or event."""


@extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
class NullableJsonField(serializers.Field[Any, Any, Any, Any]):
    """As JsonField, or null."""


class ChangeResource(Resource):
    ref = serializers.CharField(allow_null=True)
    url = serializers.CharField(allow_null=True)
    type = serializers.ChoiceField(CHANGE_TYPES, allow_null=True)
    backout = serializers.CharField(allow_null=True)


class GateSummary(Resource):
    name = serializers.CharField()
    type = serializers.CharField()
    status = serializers.ChoiceField(_GATE_STATUSES)
    message = serializers.CharField()


class DecisionSummary(Resource):
    id = serializers.UUIDField(allow_null=True)
    sequence = serializers.IntegerField()
    decision = serializers.ChoiceField(_DECISIONS, help_text="What the gates as last judged make.")
    gates = GateSummary(many=True)
    next_change_at = serializers.DateTimeField(allow_null=True)


class BundleReference(Resource):
    id = serializers.UUIDField()
    digest = serializers.CharField()


class PromotionResource(Resource):
    """A promotion as its calls answer with it; GET adds what PromotionDetail shows."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    release_id = serializers.UUIDField()
    release_name = serializers.CharField()
    product = serializers.CharField()
    source_environment_id = serializers.UUIDField(allow_null=True)
    source_environment_name = serializers.CharField(allow_null=True)
    target_environment_id = serializers.UUIDField()
    target_environment_name = serializers.CharField()
    status = serializers.ChoiceField(_STATUSES)
    status_reason = serializers.CharField(allow_null=True)
    status_detail = serializers.CharField(allow_null=True)
    retry_closed = serializers.BooleanField(
        help_text="It failed and was rejected: it takes no further attempt, request again."
    )
    requested_by = serializers.UUIDField()
    requested_by_name = serializers.CharField()
    requested_at = serializers.DateTimeField()
    reason = serializers.CharField()
    change = ChangeResource(allow_null=True)
    is_rollback = serializers.BooleanField()
    subject_digest = serializers.CharField()
    manifest_digest = serializers.CharField()
    evidence_bundle = BundleReference(allow_null=True, help_text="The documents it is judged with.")
    approval_count = ApprovalCount()
    votes_hidden = serializers.BooleanField(
        help_text="An approval policy is blind and you have not voted: nothing here tells who has, or how."
    )
    blocked_by = serializers.ListField(child=serializers.CharField())
    decision = DecisionSummary()
    evidence_packet_id = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True, help_text="Of the newest attempt.")
    completed_at = serializers.DateTimeField(allow_null=True)
    attempt = serializers.IntegerField(help_text="How often its deployment has started.")


class OverrideReviewResource(Resource):
    reviewer_id = serializers.UUIDField()
    username = serializers.CharField()
    display_name = serializers.CharField()
    verdict = serializers.ChoiceField(OverrideReview.Verdict.values)
    comment = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()


class OverrideResource(Resource):
    """One gate, overridden by a named person. `envelope` is the signed human_decision: a DSSE envelope."""

    id = serializers.UUIDField(help_text="Named by humanDecisionEnvelopeIds of the records that rest on it.")
    gate = serializers.CharField()
    gate_type = serializers.CharField()
    actor_id = serializers.UUIDField()
    username = serializers.CharField()
    display_name = serializers.CharField()
    authority = serializers.ChoiceField(Override.Authority.values)
    auth_method = serializers.CharField()
    reason = serializers.CharField()
    ticket = serializers.CharField()
    decision_id = serializers.UUIDField(help_text="The record whose gate result was overridden.")
    subject_digest = serializers.CharField()
    reason_codes = serializers.ListField(child=serializers.CharField())
    findings = serializers.ListField(child=serializers.CharField())
    recorded_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    review_due_at = serializers.DateTimeField()
    review = OverrideReviewResource(allow_null=True)
    envelope = JsonField()


class PromotionEvent(Resource):
    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    action = serializers.CharField()
    actor_id = serializers.UUIDField(allow_null=True)
    actor_name = serializers.CharField()
    before = NullableJsonField()
    after = NullableJsonField()
    metadata = JsonField()


class GateResource(Resource):
    sequence = serializers.IntegerField()
    type = serializers.CharField()
    kind_version = serializers.IntegerField()
    name = serializers.CharField()
    status = serializers.ChoiceField(_GATE_STATUSES)
    reason_codes = serializers.ListField(child=serializers.CharField())
    details = JsonField(help_text="Data about the verdict, by kind of gate.")
    message = serializers.CharField()
    next_change_at = serializers.DateTimeField(allow_null=True)


class GateFact(Resource):
    """Something the gate looked at. `digest` or `id` names it: documents, bundles, feeds, policies, votes, freezes."""

    kind = serializers.CharField()
    title = serializers.CharField()
    digest = serializers.CharField(allow_null=True)
    id = serializers.CharField(allow_null=True)


class GateChange(Resource):
    """Who or what can change the verdict. `at`: when by itself, or until when somebody may override it."""

    by = serializers.ChoiceField(["time", "people", "override", "events"])
    text = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)
    people = serializers.ListField(child=serializers.UUIDField())


class JudgedGateResource(GateResource):
    who_can_act = PersonResource(many=True, help_text="Whose vote or confirmation the gate waits for.")
    facts = GateFact(many=True, help_text="What it looked at.")
    changes = GateChange(many=True, help_text="What can change it; empty when the promotion is not open any more.")


class PolicyReference(Resource):
    name = serializers.CharField()
    version = serializers.IntegerField()
    digest = serializers.CharField()


class EngineResource(Resource):
    name = serializers.CharField()
    version = serializers.CharField()


class RecordEvidence(Resource):
    bundle_id = serializers.UUIDField(allow_null=True)
    bundle_digest = serializers.CharField(allow_null=True)
    sbom_digest = serializers.CharField(allow_null=True)
    attestation_digests = serializers.ListField(child=serializers.CharField())
    packet_id = serializers.UUIDField(allow_null=True)


class DecisionRecordResource(Resource):
    """The outcome of one evaluation; the bytes of one record never change."""

    schema = serializers.CharField()
    id = serializers.UUIDField()
    promotion_id = serializers.UUIDField()
    sequence = serializers.IntegerField()
    decision = serializers.ChoiceField(_DECISIONS)
    reason_codes = serializers.ListField(child=serializers.CharField())
    policy_digest = serializers.CharField()
    policy_name = serializers.CharField()
    policy_version = serializers.IntegerField()
    approval_policies = PolicyReference(many=True)
    requirements_digest = serializers.CharField()
    input_digest = serializers.CharField()
    determinism_hash = serializers.CharField()
    engine = EngineResource()
    evaluated_at_utc = serializers.DateTimeField()
    gates = GateResource(many=True)
    approvals = CountedVote(many=True)
    evidence = RecordEvidence()
    human_decision_envelope_ids = serializers.ListField(child=serializers.UUIDField())
    subject_digest = serializers.CharField()
    previous_decision_id = serializers.UUIDField(allow_null=True)


class PromotionDetail(PromotionResource):
    """Everything about one promotion. `approvals` are the votes; `approvalCount` counts them."""

    pending_expires_at = serializers.DateTimeField()
    approval_expires_at = serializers.DateTimeField(allow_null=True)
    overdue_at = serializers.DateTimeField(allow_null=True)
    run_id = serializers.CharField(
        allow_null=True, help_text="The run that started the newest attempt; null where none was named."
    )
    decision_record = DecisionRecordResource(allow_null=True, help_text="Null with `votesHidden`.")
    approvals = ActResource(many=True, help_text="With `votesHidden` only your own.")
    eligible_approvers = PersonResource(many=True, help_text="Empty with `votesHidden`: it tells who is missing.")
    diff = DiffResource()
    timeline = PromotionEvent(many=True)


class PreviewResource(Resource):
    """What a request would lead to now; nothing of it is stored."""

    release_id = serializers.UUIDField()
    release_name = serializers.CharField()
    source_environment_id = serializers.UUIDField(allow_null=True)
    source_environment_name = serializers.CharField(allow_null=True)
    target_environment_id = serializers.UUIDField()
    target_environment_name = serializers.CharField()
    is_rollback = serializers.BooleanField()
    status = serializers.ChoiceField(_STATUSES)
    decision = serializers.ChoiceField(_DECISIONS)
    gates = GateResource(many=True)
    approval_count = ApprovalCount()
    eligible_approvers = PersonResource(many=True)


class ReplayResource(Resource):
    """`equal` is missing when this version cannot judge the record: `notReplayable` says why."""

    equal = serializers.BooleanField(required=False)
    recorded = JsonField()
    recomputed = JsonField(required=False)
    first_difference = serializers.CharField(
        required=False, help_text="Place of the first difference, as in `validationErrors`: `gates[0].status`."
    )
    not_replayable = serializers.CharField(required=False)
