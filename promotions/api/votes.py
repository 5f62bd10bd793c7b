"""The votes of people on a promotion: approve, reject, withdraw, confirm (domain.md §5; contract.md, Promotions)."""

from typing import Any, cast

from django.http import Http404
from rest_framework.decorators import action

from promotions.actions.approve import approve
from promotions.actions.confirm import confirm, unconfirm
from promotions.actions.reject import reject
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.api.promotion_resources import PromotionResource
from promotions.api.promotions import promotion_answer
from promotions.api.sequences import SequenceSource, in_place
from promotions.models import Promotion
from promotions.models.vote import ACT_TEXTS, ActTexts
from promotions.pages.bodies import Approval, Rejection
from promotions.reading.acts import ActResource, act_document
from promotions.reading.queries import acts_of, existing_promotion, took_part, voters_of
from promotions.voting.at_once import read_ahead
from promotions.voting.blindness import check_can_see_votes
from promotions.voting.session import SeenSubject
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import PROMOTION_APPROVE, PROMOTION_READ
from stellapromote.api.declarations import Answer, Scopes
from stellapromote.api.pagination import PAGING
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import NoBody
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.fastpath.prepared import Ahead

_ANSWER = Answer(PromotionResource, etag=True)
_STANDING = ("RES_STATE_CONFLICT", "PERM_SERVICE_ACCOUNT_CANNOT_VOTE", "PERM_SEPARATION_OF_DUTIES")
_VOTING = (*_STANDING, "PERM_NOT_ELIGIBLE", "PERM_SECOND_FACTOR", "RES_SUBJECT_CHANGED", "SYS_CLOCK_SKEW")


class VoteViewSet(ApiViewSet):
    """Votes and confirmations. `subjectDigest` or `If-Match` binds them to what you looked at."""

    tag = "Promotions"
    scopes = {
        "approvals": PROMOTION_READ,
        "approve": PROMOTION_APPROVE,
        "reject": PROMOTION_APPROVE,
        "withdraw_approval": PROMOTION_APPROVE,
        "confirm": PROMOTION_APPROVE,
        "unconfirm": PROMOTION_APPROVE,
    }
    bodies = {
        "approve": Approval,
        "reject": Rejection,
        "withdraw_approval": NoBody,
        "confirm": Approval,
        "unconfirm": NoBody,
    }
    parameters = {"approvals": PAGING}
    answers = {
        "approvals": Answer(ActResource, paged=True),
        "approve": _ANSWER,
        "reject": _ANSWER,
        "withdraw_approval": _ANSWER,
        "confirm": _ANSWER,
        "unconfirm": _ANSWER,
    }
    refusals = {
        "approvals": ("PERM_BLIND",),
        "approve": (*_VOTING, "RES_ALREADY_VOTED"),
        "reject": _VOTING,
        "withdraw_approval": ("RES_STATE_CONFLICT", "SYS_CLOCK_SKEW"),
        "confirm": (*_VOTING, "RES_ALREADY_VOTED"),
        "unconfirm": ("RES_STATE_CONFLICT", "SYS_CLOCK_SKEW"),
    }
    conditional = frozenset({"approve", "reject", "withdraw_approval", "confirm", "unconfirm"})

    def check_scope(self, actor: Actor, scopes: Scopes) -> None:
        """Lets machines, and people who took part in the promotion, go on to the rule that refuses them and says why; a
        missing scope would hide the reason (docs/adr/0131)."""
        if self.action in ("approve", "reject", "confirm") and (
            actor.kind != "person" or (not actor.has(PROMOTION_APPROVE) and took_part(actor, self.kwargs["pk"]))
        ):
            return
        super().check_scope(actor, scopes)

    def read_ahead(self) -> Ahead | None:
        """Of an approval that acts without lock (docs/adr/0133): a condition and a key are checked in a transaction."""
        meta = self.request.META
        if self.action != "approve" or "HTTP_IF_MATCH" in meta or "HTTP_IDEMPOTENCY_KEY" in meta:
            return None
        return read_ahead(self.kwargs["pk"], DATABASE_CLOCK)

    @action(detail=True)
    def approvals(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Votes and confirmations in the order they were given, withdrawn and void ones marked."""
        promotion = existing_promotion(request.actor.tenant, pk)
        acts = acts_of(promotion)
        check_can_see_votes(request.actor, promotion, voted=str(request.actor.user_id) in voters_of(acts))
        return self.page(SequenceSource([act_document(act) for act in acts]), present=in_place)

    @action(detail=True, methods=["post"])
    def approve(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Approve

        The last approval needed decides: the answer is then `approved`, with decision record and signed evidence.
        """
        promotion = approve(
            pk, by=request.actor, seen=self._seen(), clock=DATABASE_CLOCK, ahead=request.ahead, **self._texts()
        )
        return promotion_answer(promotion, request.actor)

    @action(detail=True, methods=["post"])
    def reject(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Reject

        Ends the request, also one that is approved and has not started. One that failed stays failed and takes no
        further attempt (`retryClosed`). It replaces your own approval. You need no place in a rule, only the right;
        who asked, and who stands behind the request, cancels instead.
        """
        reason = self.body["reason"]
        promotion = reject(pk, by=request.actor, reason=reason, seen=self._seen(), clock=DATABASE_CLOCK)
        return promotion_answer(promotion, request.actor)

    @action(detail=True, methods=["post"], url_path="withdraw-approval")
    def withdraw_approval(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Take your approval back

        Possible while the promotion is open; it is judged again.
        """
        promotion = withdraw_approval(pk, by=request.actor, seen=self._seen(), clock=DATABASE_CLOCK)
        return promotion_answer(promotion, request.actor)

    @action(detail=True, methods=["post"], url_path="gates/<slug:gate>/confirm")
    def confirm(self, request: ApiRequest, pk: Any, gate: str) -> ApiResponse:
        """Confirm a manual gate."""
        promotion = confirm(pk, gate, by=request.actor, seen=self._seen(), clock=DATABASE_CLOCK, **self._texts())
        return promotion_answer(promotion, request.actor)

    @action(detail=True, methods=["post"], url_path="gates/<slug:gate>/unconfirm")
    def unconfirm(self, request: ApiRequest, pk: Any, gate: str) -> ApiResponse:
        """Take your confirmation of a manual gate back."""
        promotion = unconfirm(pk, gate, by=request.actor, seen=self._seen(), clock=DATABASE_CLOCK)
        return promotion_answer(promotion, request.actor)

    def resource(self) -> dict[str, Any]:
        promotion = existing_promotion(self.request.actor.tenant, self.kwargs["pk"])
        if "gate" in self.kwargs:
            _check_manual(promotion, self.kwargs["gate"])
        return {}

    def _seen(self) -> SeenSubject:
        return SeenSubject(self.body.get("subject_digest"), self.if_match)

    def _texts(self) -> ActTexts:
        return cast("ActTexts", {name: self.body[name] for name in ACT_TEXTS if name in self.body})


def _check_manual(promotion: Promotion, gate: str) -> None:
    if not any(each["name"] == gate and each["type"] == "manual" for each in promotion.gates):
        raise Http404("This promotion has no manual gate of that name.")
