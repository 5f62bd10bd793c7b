"""POST /promotion-policies/{name}/simulate: what a policy would do (contract.md, Policies and gates)."""

from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.decorators import action

from environments.models import Environment
from policies.api.document_body import DocumentBody, DocumentField
from policies.documents import PROMOTION_POLICY_SCHEMA
from policies.facts import InvalidGateInput, check_gate_input
from policies.models import PromotionPolicy
from promotions.api.promotion_resources import GateResource
from promotions.models import Promotion
from promotions.reading.policy_drafts import draft_document
from promotions.reading.simulation import MOST_DECISIONS, Draft, Trials, try_on_input, try_on_last, try_on_promotion
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import POLICY_WRITE
from stellapromote.api.declarations import Answer
from stellapromote.api.fields import JsonObjectField, StrictIntegerField, StrictUUIDField
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import Resource, camel
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.errors import FieldError, Invalid

MOST_INPUT_BYTES = 512 * 1024
_FACTS = ("promotion_id", "gate_input", "last")


class SimulationBody(DocumentBody):
    """The draft, or `version`, or `document`; on exactly one of `promotionId`, `gateInput` and `last`."""

    document = DocumentField(PROMOTION_POLICY_SCHEMA, required=False)
    version = StrictIntegerField(required=False, min_value=1, max_value=1_000_000)
    promotion_id = StrictUUIDField(required=False, help_text="On the facts of its decision in force.")
    gate_input = JsonObjectField(required=False, max_bytes=MOST_INPUT_BYTES, help_text="On these facts.")
    last = StrictIntegerField(
        required=False,
        min_value=1,
        max_value=MOST_DECISIONS,
        help_text="On those of the last promotions into the environments it guards; into all, where it guards none.",
    )
    environment_id = StrictUUIDField(required=False, help_text="With `last`: into this environment.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        problems: dict[str, Any] = {}
        if "document" in attrs and "version" in attrs:
            problems["version"] = [serializers.ErrorDetail("Give document or version, not both.", code="invalid")]
        given = [name for name in _FACTS if name in attrs]
        if len(given) != 1:
            message = f"Give exactly one of {', '.join(camel(each) for each in _FACTS)}."
            problems[camel(given[1] if given else _FACTS[0])] = [serializers.ErrorDetail(message, code="required")]
        if "environment_id" in attrs and "last" not in attrs:
            problems["environmentId"] = [serializers.ErrorDetail("This goes with last.", code="invalid")]
        if problems:
            raise serializers.ValidationError(problems)
        return attrs


class TriedPolicy(Resource):
    name = serializers.CharField()
    version = serializers.IntegerField(allow_null=True, help_text="Null for a draft.")
    digest = serializers.CharField()


class RecordedDecision(Resource):
    id = serializers.UUIDField()
    sequence = serializers.IntegerField()
    decision = serializers.ChoiceField(["allow", "deny", "pending"])
    reason_codes = serializers.ListField(child=serializers.CharField())
    evaluated_at_utc = serializers.DateTimeField()
    policy_name = serializers.CharField()
    policy_version = serializers.IntegerField()
    policy_digest = serializers.CharField()


class GateInShort(Resource):
    type = serializers.CharField()
    status = serializers.ChoiceField(["fail", "pass", "pending", "warn"])
    reason_codes = serializers.ListField(child=serializers.CharField())


class GateDifferenceResource(Resource):
    gate = serializers.CharField()
    before = GateInShort(allow_null=True)
    after = GateInShort(allow_null=True)


class TrialResource(Resource):
    """The policy on one set of facts. `differs`: the decision itself would be another."""

    promotion_id = serializers.UUIDField(allow_null=True)
    number = serializers.IntegerField(allow_null=True)
    release_name = serializers.CharField(allow_null=True)
    target_environment_name = serializers.CharField(allow_null=True)
    decision = serializers.ChoiceField(["allow", "deny", "pending"])
    reason_codes = serializers.ListField(child=serializers.CharField())
    gates = GateResource(many=True, required=False, help_text="Not with `last`.")
    recorded = RecordedDecision(allow_null=True)
    differs = serializers.BooleanField()
    differences = GateDifferenceResource(many=True)


class SimulationResource(Resource):
    policy = TriedPolicy()
    count = serializers.IntegerField()
    differing = serializers.IntegerField(help_text="How many decisions would be others.")
    complete = serializers.BooleanField(help_text="False: time ran out before all were judged, or some are hidden.")
    hidden = serializers.IntegerField(help_text="Left out of the last ones: their votes are hidden from you.")
    results = TrialResource(many=True)


class SimulationViewSet(ApiViewSet):
    """A promotion policy, tried on facts that are there."""

    tag = "Policies and gates"
    lookup_field = "name"
    lookup_value_converter = "slug"
    scopes = {"simulate": POLICY_WRITE}
    bodies = {"simulate": SimulationBody}
    answers = {"simulate": Answer(SimulationResource)}
    refusals = {"simulate": ("PERM_BLIND",)}

    @action(detail=True, methods=["post"])
    def simulate(self, request: ApiRequest, name: str) -> ApiResponse:
        """Simulate the policy

        Judges recorded facts, or facts that you send, with the draft, a version or a document. Gathers nothing and
        stores nothing: a gate that needs facts which the record does not hold is `GATE_FACTS_MISSING`. A promotion
        whose votes a blind approval policy hides from you is `PERM_BLIND`; among the last promotions it is left out,
        and counted in `hidden`.
        """
        body = self.body
        draft = draft_document(self._policy(), document=body.get("document"), version=body.get("version"))
        trials = self._trials(draft, request.actor)
        results = [each.as_json() for each in trials.tried]
        if "last" in body:
            for each in results:
                del each["gates"]
        policy = {"name": draft.name, "version": draft.version or None, "digest": draft.document.digest}
        differing = sum(each.differs for each in trials.tried)
        return ApiResponse(
            {
                "policy": policy,
                "count": len(results),
                "differing": differing,
                "complete": trials.in_time and not trials.hidden,
                "hidden": trials.hidden,
                "results": results,
            }
        )

    def resource(self) -> dict[str, Any]:
        self._policy()
        return {}

    def _trials(self, draft: Draft, by: Actor) -> Trials:
        body, tenant_id = self.body, by.tenant
        if "promotion_id" in body:
            promotions = Promotion.objects.select_related("decision", "release", "target_environment")
            found = get_object_or_404(promotions, tenant_id=tenant_id, pk=body["promotion_id"])
            return Trials([try_on_promotion(draft, found, by=by)])
        if "last" in body:
            environment_id = body.get("environment_id")
            if environment_id is not None:
                get_object_or_404(Environment.objects.of(tenant_id), pk=environment_id)
            return try_on_last(draft, body["last"], by=by, environment_id=environment_id)
        try:
            return Trials([try_on_input(draft, tenant_id, check_gate_input(body["gate_input"]))])
        except InvalidGateInput as error:
            fields = [FieldError(f"gateInput.{each.field}", each.message, each.code) for each in error.fields]
            raise Invalid(fields=fields) from error

    def _policy(self) -> PromotionPolicy:
        return get_object_or_404(PromotionPolicy.objects.of(self.request.actor.tenant), name=self.kwargs["name"])
