"""Decision records, byte for byte as they were stored (domain.md §7; api.md, Promotions)."""

from typing import Any

import orjson
from django.db.models import F
from django.shortcuts import get_object_or_404
from rest_framework.decorators import action

from promotions.actions.evaluate import evaluate
from promotions.api.promotion_resources import DecisionRecordResource, ReplayResource
from promotions.models import DecisionRecord
from promotions.queries import current_record, existing_promotion
from promotions.replay import replay
from stellapromote.accounts.scopes import PROMOTION_APPROVE, PROMOTION_READ, PROMOTION_REQUEST, TENANT_ADMIN
from stellapromote.api.declarations import Answer
from stellapromote.api.etag import strong
from stellapromote.api.pagination import PAGING
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import NoBody
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.clock import SYSTEM_CLOCK


class DecisionViewSet(ApiViewSet):
    """What was decided on which facts, and whether judging again gives the same."""

    tag = "Promotions"
    scopes = {
        "decision": PROMOTION_READ,
        "decisions": PROMOTION_READ,
        "replay": PROMOTION_READ,
        "evaluate": (PROMOTION_REQUEST, PROMOTION_APPROVE, TENANT_ADMIN),
    }
    bodies = {"replay": NoBody, "evaluate": NoBody}
    parameters = {"decisions": PAGING}
    answers = {
        "decision": Answer(DecisionRecordResource, etag=True, description="The stored canonical bytes (RFC 8785)."),
        "decisions": Answer(DecisionRecordResource, paged=True),
        "replay": Answer(ReplayResource),
        "evaluate": Answer(DecisionRecordResource, description="The decision record in force, new or not."),
    }
    refusals = {"evaluate": ("RES_STATE_CONFLICT",)}

    @action(detail=True)
    def decision(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """The decision record in force."""
        record = self._record()
        return ApiResponse(bytes(record.document), etag=strong(record.pk))

    @action(detail=True)
    def decisions(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """All decision records, oldest first."""
        promotion = existing_promotion(request.actor.tenant, pk)
        rows = DecisionRecord.objects.filter(promotion=promotion).values("sequence", "document")
        return self.page(rows, present=lambda row: orjson.Fragment(bytes(row["document"])), order=("sequence",))

    @action(detail=True, methods=["post"], url_path="decision/replay")
    def replay(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Judge the decision in force again

        From what its record holds, and compare. Stores nothing.
        """
        return ApiResponse(replay(self._record()).as_json())

    @action(detail=True, methods=["post"])
    def evaluate(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Judge an open promotion again, now."""
        promotion = evaluate(pk, by=request.actor, clock=SYSTEM_CLOCK)
        return ApiResponse(bytes(current_record(promotion).document))

    def resource(self) -> dict[str, Any]:
        existing_promotion(self.request.actor.tenant, self.kwargs["pk"])
        return {}

    def _record(self) -> DecisionRecord:
        return get_object_or_404(
            DecisionRecord,
            promotion_id=self.kwargs["pk"],
            promotion__tenant_id=self.request.actor.tenant,
            promotion__decision=F("pk"),
        )
