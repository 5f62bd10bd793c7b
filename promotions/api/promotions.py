"""Promotions: requests, their whole life, and what CI reports about them (domain.md §4; contract.md, Promotions)."""

from typing import Any

from rest_framework.decorators import action

from promotions.actions.cancel import cancel
from promotions.actions.report_deployment import Report, report_deployment
from promotions.actions.request_promotion import Preview, PromotionRequest, preview_promotion, request_promotion
from promotions.api.promotion_resources import (
    JudgedGateResource,
    PromotionDetail,
    PromotionEvent,
    PromotionResource,
)
from promotions.api.promotion_schema import PromotionSchema
from promotions.api.sequences import SequenceSource, in_place
from promotions.judging.electorate import approval_voters
from promotions.models import Promotion
from promotions.models.promotion_vocabulary import decides
from promotions.pages.bodies import Cancellation, DeploymentReport, NewPromotion, change_record
from promotions.reading import presenters
from promotions.reading.listing import PromotionRows, WaitingForPerson
from promotions.reading.promotion_columns import PromotionRow, row
from promotions.reading.promotion_filters import PARAMETERS, PRODUCT, read_filters
from promotions.reading.queries import (
    detail_of,
    environment_named,
    events_of,
    existing_promotion,
    gates_of,
    people_of,
    promotion_for_tag,
    promotion_of,
    release_named,
)
from promotions.voting.blindness import can_see_votes
from promotions.voting.etags import promotion_tag
from promotions.voting.session import SeenSubject
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import (
    PROMOTION_CANCEL,
    PROMOTION_DEPLOY,
    PROMOTION_READ,
    PROMOTION_REQUEST,
    TENANT_ADMIN,
)
from stellapromote.api.declarations import Answer
from stellapromote.api.etag import not_modified
from stellapromote.api.pagination import PAGING
from stellapromote.api.parameters import flag
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK

PRECONDITIONS = (
    "RES_NOT_FOUND",
    "RES_DUPLICATE",
    "RES_AMBIGUOUS",
    "ENV_ARCHIVED",
    "PROM_SEQUENCE_VIOLATION",
    "PROM_NOT_ON_PATH",
    "PROM_RELEASE_NOT_FINALIZED",
    "PROM_RELEASE_DEPRECATED",
    "PROM_BLOCKED",
    "POL_INVALID",
    "POL_NO_GUARD",
    "POL_UNSATISFIABLE",
    "REL_MANIFEST_MISMATCH",
    "REL_STATUS_MISMATCH",
    "REL_UNKNOWN_PRODUCT",
    "REL_PRODUCT_ARCHIVED",
    "REL_OTHER_PRODUCT",
    "SYS_CLOCK_SKEW",
)


class PromotionViewSet(ApiViewSet):
    """Requests to move a release into an environment."""

    tag = "Promotions"
    schema = PromotionSchema()
    scopes = {
        "list": PROMOTION_READ,
        "create": PROMOTION_REQUEST,
        "retrieve": PROMOTION_READ,
        "pending_approvals": PROMOTION_READ,
        "gates": PROMOTION_READ,
        "events": PROMOTION_READ,
        "cancel": (PROMOTION_CANCEL, TENANT_ADMIN),
        "deployment": PROMOTION_DEPLOY,
    }
    bodies = {"create": NewPromotion, "cancel": Cancellation, "deployment": DeploymentReport}
    parameters = {
        "list": (*PAGING, *PARAMETERS),
        "create": (flag("validate_only", "Check and judge, and store nothing: 200 with what a request would see."),),
        "pending_approvals": (*PAGING, PRODUCT),
        "gates": PAGING,
        "events": PAGING,
    }
    answers = {
        "list": Answer(PromotionRow, paged=True),
        "create": Answer(PromotionResource, status=201, etag=True, description="The promotion, judged already."),
        "retrieve": Answer(PromotionDetail, etag=True),
        "pending_approvals": Answer(PromotionRow, paged=True),
        "gates": Answer(JudgedGateResource, paged=True),
        "events": Answer(PromotionEvent, paged=True),
        "cancel": Answer(PromotionResource, etag=True),
        "deployment": Answer(PromotionResource, etag=True),
    }
    refusals = {
        "create": PRECONDITIONS,
        "cancel": ("RES_STATE_CONFLICT", "SYS_CLOCK_SKEW"),
        "deployment": (
            "PERM_SEPARATION_OF_DUTIES",
            "RES_STATE_CONFLICT",
            "RES_ENVIRONMENT_BUSY",
            "RES_PRECONDITION_FAILED",
            "GATE_FROZEN",
            "PROM_BLOCKED",
            "PROM_SEQUENCE_VIOLATION",
            "PROM_APPROVAL_EXPIRED",
            "EVD_DIGEST_MISMATCH",
            "REL_MANIFEST_MISMATCH",
            "SYS_CLOCK_SKEW",
        ),
    }
    conditional = frozenset({"cancel", "deployment"})

    def list(self, request: ApiRequest) -> ApiResponse:
        """Promotions, newest first."""
        rows = PromotionRows(request.actor.tenant, **read_filters(self.query))
        return self.page(rows, present=row)

    def create(self, request: ApiRequest) -> ApiResponse:
        """Request a promotion

        It is judged at once. A broken precondition stores nothing; failing gates store a rejected promotion with its
        decision record. With `validateOnly=true` nothing is stored.
        """
        promotion_request = self._promotion_request()
        if self.query.get("validate_only", False):
            return ApiResponse(_previewed(preview_promotion(promotion_request, by=request.actor, clock=DATABASE_CLOCK)))
        return promotion_answer(
            request_promotion(promotion_request, by=request.actor, clock=DATABASE_CLOCK), request.actor, status=201
        )

    def retrieve(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """One promotion with its decision, votes, difference and timeline

        With `votesHidden` an approval policy is blind and you have not voted: no decision record, and of votes and
        timeline only what is your own.
        """
        actor, held = request.actor, request.META.get("HTTP_IF_NONE_MATCH")
        if held:
            _, etag = _shown(promotion_for_tag(actor.tenant, pk), actor)
            if not_modified(held, etag):
                return ApiResponse(b"", etag=etag)  # answered 304: the rest need not be read
        promotion = promotion_of(actor.tenant, pk)
        blind, etag = _shown(promotion, actor)
        return ApiResponse(detail_of(promotion, actor, blind=blind), etag=etag)

    @action(detail=False, url_path="pending-approvals")
    def pending_approvals(self, request: ApiRequest) -> ApiResponse:
        """Promotions that you may vote on now, oldest first

        Empty for a service account, and without the right `promotion:approve`.
        """
        actor = request.actor
        if not decides(actor):
            return self.page(SequenceSource(()), present=row)
        return self.page(WaitingForPerson(actor.tenant, actor.account, self.query.get("product")), present=row)

    @action(detail=True)
    def gates(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Gates as last judged, in their order, with the people that each waits for

        The decision record is another object: it stays until a new one is written. A gate with `VOTES_HIDDEN` depends
        on votes that you cannot see yet.
        """
        promotion = promotion_of(request.actor.tenant, pk)
        blind = not can_see_votes(request.actor, promotion)
        return self.page(SequenceSource(gates_of(promotion, blind=blind)), present=in_place)

    @action(detail=True)
    def events(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """The audit events of this promotion, newest first

        While a blind approval policy hides votes from you, only its request and your own votes.
        """
        promotion = existing_promotion(request.actor.tenant, pk)
        events = events_of(promotion, request.actor, blind=not can_see_votes(request.actor, promotion))
        return self.page(events, present=presenters.event, order=("-timestamp", "-id"))

    @action(detail=True, methods=["post"])
    def cancel(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Cancel an open promotion

        By its requester, or by an administrator.
        """
        return promotion_answer(
            cancel(
                pk,
                by=request.actor,
                reason=self.body.get("reason", ""),
                seen=SeenSubject(if_match=self.if_match),
                clock=DATABASE_CLOCK,
            ),
            request.actor,
        )

    @action(detail=True, methods=["post"])
    def deployment(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Report a deployment

        `started` runs the start check under the lock; a start refused by gates or by another deployment says when it
        may pass in `details.mayPassAt`, null when no time is known. The same report of the same `runId` again changes
        nothing. With `If-Match` of the promotion that you saw approved, exactly one of several starts succeeds. With
        the same `Idempotency-Key` you get the answer of the first call, also where the promotion was stopped since:
        take another key for each attempt, and ask for the promotion before you deploy on an answer with
        `idempotency-replayed: true`.
        """
        report = Report(**self.body)
        reported = report_deployment(pk, report, by=request.actor, if_match=self.if_match, clock=DATABASE_CLOCK)
        return promotion_answer(reported, request.actor)

    def resource(self) -> dict[str, Any]:
        return presenters.request_answer(promotion_of(self.request.actor.tenant, self.kwargs["pk"]), blind=True)

    def _promotion_request(self) -> PromotionRequest:
        tenant_id, body = self.request.actor.tenant, self.body
        release_id = body.get("release_id") or release_named(
            tenant_id, body["release_name"], body.get("product"), field="releaseName"
        )
        target_id = body.get("target_environment_id") or environment_named(
            tenant_id, body["target_environment"], field="targetEnvironment"
        )
        return PromotionRequest(release_id, target_id, body["reason"], change_record(body.get("change")))


def promotion_answer(promotion: Promotion, by: Actor, status: int = 200) -> ApiResponse:
    """The answer of every call that changes a promotion; no statement, one where an open promotion is blind."""
    blind = not can_see_votes(by, promotion)
    answer = presenters.request_answer(promotion, blind=blind)
    return ApiResponse(answer, status=status, etag=promotion_tag(promotion, by, blind=blind))


def _shown(promotion: Promotion, to: Actor) -> tuple[bool, str]:
    """Whether its votes are hidden from the reader, and the ETag of what the reader is shown."""
    blind = not can_see_votes(to, promotion)
    return blind, promotion_tag(promotion, to, blind=blind)


def _previewed(preview: Preview) -> dict[str, Any]:
    voters = approval_voters(preview.context.facts.gate_input, preview.context.documents)
    return presenters.preview(preview.promotion, preview.gates, people_of(voters))
