"""Overrides of gates and their reviews (domain.md §6; contract.md, Promotions)."""

from typing import Any

from django.http import Http404
from rest_framework.decorators import action

from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.actions.review_override import review_override
from promotions.api.promotion_resources import OverrideResource
from promotions.models import Override
from promotions.pages.bodies import OverrideBody, ReviewBody
from promotions.reading import presenters
from promotions.reading.queries import existing_promotion
from promotions.voting.session import SeenSubject
from stellapromote.accounts.scopes import PROMOTION_READ
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK

_PEOPLE = (
    "RES_STATE_CONFLICT",
    "PERM_SERVICE_ACCOUNT_CANNOT_VOTE",
    "PERM_SEPARATION_OF_DUTIES",
    "PERM_SECOND_FACTOR",
    "SYS_CLOCK_SKEW",
)


class OverrideViewSet(ApiViewSet):
    """One gate of one promotion, passed over by a named person. No role may: the action says who."""

    tag = "Promotions"
    scopes = {"overrides": PROMOTION_READ, "override": PROMOTION_READ, "review": PROMOTION_READ}
    bodies = {"override": OverrideBody, "review": ReviewBody}
    parameters = {"overrides": PAGING}
    answers = {
        "overrides": Answer(OverrideResource, paged=True),
        "override": Answer(OverrideResource, status=201, description="The signed human_decision."),
        "review": Answer(OverrideResource),
    }
    refusals = {
        "override": (*_PEOPLE, "PERM_NOT_ELIGIBLE", "RES_SUBJECT_CHANGED", "REL_MANIFEST_MISMATCH", "SYS_UNAVAILABLE"),
        "review": _PEOPLE,
    }
    conditional = frozenset({"override"})

    @action(detail=True)
    def overrides(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Overrides of the promotion's gates, oldest first, those that are over too."""
        promotion = existing_promotion(request.actor.tenant, pk)
        rows = Override.objects.filter(promotion=promotion).select_related("review")
        return self.page(rows, present=presenters.override_document, order=("recorded_at", "id"))

    @action(detail=True, methods=["post"], url_path="gates/<slug:gate>/override")
    def override(self, request: ApiRequest, pk: Any, gate: str) -> ApiResponse:
        """Override a gate

        For people who hold `promotion:override` by name and whom the policy names, and, signed in, for those in
        `exceptions` of every active freeze. Never the requester or anybody excluded; never approval or preconditions.
        """
        override_request = OverrideRequest(
            gate,
            reason=self.body["reason"],
            ticket=self.body["ticket"],
            expires_at=self.body["expires_at"],
            decision_id=self.body.get("decision_id"),
        )
        seen = SeenSubject(self.body.get("subject_digest"), self.if_match)
        given = override_gate(pk, override_request, by=request.actor, seen=seen, clock=DATABASE_CLOCK)
        return ApiResponse(presenters.override_document(given), status=201)

    @action(detail=True, methods=["post"], url_path="overrides/<uuid:override_id>/review")
    def review(self, request: ApiRequest, pk: Any, override_id: Any) -> ApiResponse:
        """Review an override

        By another person, within the policy's time. It changes no decision.
        """
        reviewed = review_override(
            pk,
            override_id,
            by=request.actor,
            verdict=self.body["verdict"],
            comment=self.body.get("comment", ""),
            clock=DATABASE_CLOCK,
        )
        return ApiResponse(presenters.override_document(reviewed))

    def resource(self) -> dict[str, Any]:
        promotion = existing_promotion(self.request.actor.tenant, self.kwargs["pk"])
        gate = self.kwargs.get("gate")
        if gate is not None and not any(each["name"] == gate for each in promotion.gates):
            raise Http404("This promotion has no gate of that name.")
        wanted = self.kwargs.get("override_id")
        if wanted is not None and not Override.objects.filter(pk=wanted, promotion=promotion).exists():
            raise Http404("This promotion has no such override.")
        return {}
