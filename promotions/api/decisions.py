"""Decision records, byte for byte as they were stored (domain.md §7; contract.md, Promotions)."""

from typing import Any
from uuid import UUID

import orjson
from django.db.models import F
from django.shortcuts import get_object_or_404
from rest_framework.decorators import action

from promotions.actions.evaluate import evaluate
from promotions.api.judged_document_resources import EvidenceViewResource
from promotions.api.promotion_resources import DecisionRecordResource, ReplayResource
from promotions.models import DecisionRecord
from promotions.reading.judged_documents import judged_documents
from promotions.reading.queries import current_record, existing_promotion, record_of
from promotions.verification.replay import replay_stored
from promotions.voting.blindness import BlindToVotes, check_can_see_votes
from stellapromote.accounts.scopes import PROMOTION_APPROVE, PROMOTION_READ, PROMOTION_REQUEST, TENANT_ADMIN
from stellapromote.api.declarations import Answer
from stellapromote.api.etag import strong
from stellapromote.api.pagination import PAGING
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import NoBody
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK

_INPUT = "The stored canonical bytes (RFC 8785) of the gate input; their digest is the record's inputDigest."


class DecisionViewSet(ApiViewSet):
    """What was decided on which facts, and whether judging again gives the same."""

    tag = "Promotions"
    scopes = {
        "decision": PROMOTION_READ,
        "decision_evidence": PROMOTION_READ,
        "decision_input": PROMOTION_READ,
        "decisions": PROMOTION_READ,
        "evidence_of": PROMOTION_READ,
        "input_of": PROMOTION_READ,
        "replay": PROMOTION_READ,
        "evaluate": (PROMOTION_REQUEST, PROMOTION_APPROVE, TENANT_ADMIN),
    }
    bodies = {"replay": NoBody, "evaluate": NoBody}
    parameters = {"decisions": PAGING}
    answers = {
        "decision": Answer(DecisionRecordResource, etag=True, description="The stored canonical bytes (RFC 8785)."),
        "decision_evidence": Answer(EvidenceViewResource),
        "decision_input": Answer({"type": "object"}, etag=True, description=_INPUT),
        "decisions": Answer(DecisionRecordResource, paged=True),
        "evidence_of": Answer(EvidenceViewResource),
        "input_of": Answer({"type": "object"}, etag=True, description=_INPUT),
        "replay": Answer(ReplayResource),
        "evaluate": Answer(DecisionRecordResource, description="The decision record in force, new or not."),
    }
    refusals = {
        "decision": ("PERM_BLIND",),
        "decision_evidence": ("PERM_BLIND",),
        "decision_input": ("PERM_BLIND",),
        "decisions": ("PERM_BLIND",),
        "evidence_of": ("PERM_BLIND",),
        "input_of": ("PERM_BLIND",),
        "replay": ("PERM_BLIND",),
        "evaluate": ("RES_STATE_CONFLICT", "PERM_BLIND", "SYS_CLOCK_SKEW"),
    }

    @action(detail=True)
    def decision(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """The decision record in force."""
        record = self._record()
        return ApiResponse(bytes(record.document), etag=strong(record.pk))

    @action(detail=True, url_path="decision/input")
    def decision_input(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """The gate input of the decision record in force

        Everything that was judged: the facts, the votes, the people who could vote. `manage.py explain_policy` and a
        simulation take it.
        """
        record = self._record()
        return ApiResponse(bytes(record.input), etag=strong(record.pk))

    @action(detail=True, url_path="decisions/<int:number>/input")
    def input_of(self, request: ApiRequest, pk: Any, number: int) -> ApiResponse:
        """The gate input of one decision record

        By the record's `sequence`.
        """
        record = self._record_of(pk, number)
        return ApiResponse(bytes(record.input), etag=strong(record.pk))

    @action(detail=True, url_path="decision/input/evidence")
    def decision_evidence(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """The evidence of the gate input of the decision record in force, by artifact

        A view of the input and of the documents that it names by digest: SBOM, reports, attestations, VEX, in-toto
        statements.
        """
        return ApiResponse(judged_documents(self._record()))

    @action(detail=True, url_path="decisions/<int:number>/input/evidence")
    def evidence_of(self, request: ApiRequest, pk: Any, number: int) -> ApiResponse:
        """The evidence of the gate input of one decision record, by artifact

        By the record's `sequence`.
        """
        return ApiResponse(judged_documents(self._record_of(pk, number)))

    @action(detail=True)
    def decisions(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """All decision records, oldest first."""
        promotion = existing_promotion(request.actor.tenant, pk)
        check_can_see_votes(request.actor, promotion)
        rows = DecisionRecord.objects.filter(promotion=promotion).values("sequence", "document")
        return self.page(rows, present=lambda row: orjson.Fragment(bytes(row["document"])), order=("sequence",))

    @action(detail=True, methods=["post"], url_path="decision/replay")
    def replay(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Replay the decision in force

        Judges it again from the facts in its record and compares the two. Stores nothing.
        """
        return ApiResponse(replay_stored(self._record()).as_json())

    @action(detail=True, methods=["post"])
    def evaluate(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Judge an open promotion again, now

        `PERM_BLIND` when the record would contain votes that you cannot see: nothing is judged then.
        """
        check_can_see_votes(request.actor, existing_promotion(request.actor.tenant, pk))
        promotion = evaluate(pk, by=request.actor, clock=DATABASE_CLOCK)
        try:
            check_can_see_votes(request.actor, promotion)
        except BlindToVotes as refusal:  # an approval was taken back, so that it takes votes again
            refusal.changed_state = True
            raise
        return ApiResponse(bytes(current_record(promotion).document))

    def resource(self) -> dict[str, Any]:
        existing_promotion(self.request.actor.tenant, self.kwargs["pk"])
        return {}

    def _record_of(self, promotion_id: UUID, number: int) -> DecisionRecord:
        """The record of this sequence. Http404, BlindToVotes."""
        promotion = existing_promotion(self.request.actor.tenant, promotion_id)
        check_can_see_votes(self.request.actor, promotion)
        return record_of(promotion, number)

    def _record(self) -> DecisionRecord:
        """The record in force, with the columns by which the caller may see it; one statement. Http404,
        BlindToVotes."""
        by = self.request.actor
        own = (field.name for field in DecisionRecord._meta.concrete_fields)
        needed = (f"promotion__{name}" for name in ("number", "status", "blind"))
        record = get_object_or_404(
            DecisionRecord.objects.select_related("promotion").only(*own, *needed),
            promotion_id=self.kwargs["pk"],
            promotion__tenant_id=by.tenant,
            promotion__decision=F("pk"),
        )
        check_can_see_votes(by, record.promotion)
        return record
