"""Edits that wait for a second person (domain.md §5, loosening takes two people; contract.md, Proposals)."""

from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework.decorators import action

from policies.api.proposed import proposed
from policies.api.resources import ProposalResource
from policies.models import Proposal
from policies.presenters import proposal_document
from promotions.actions.proposals import confirm_proposal, withdraw_proposal
from stellapromote.accounts.scopes import POLICY_READ
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.parameters import choice
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import NoBody
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK


class ProposalViewSet(ApiViewSet):
    """Edits that loosen a guard of a protected environment, until a second person confirms them."""

    tag = "Policies and gates"
    scopes = {"list": POLICY_READ, "retrieve": POLICY_READ, "confirm": POLICY_READ, "withdraw": POLICY_READ}
    bodies = {"confirm": NoBody, "withdraw": NoBody}
    parameters = {"list": (*PAGING, choice("state", Proposal.State.values, repeatable=True))}
    answers = {
        "list": Answer(ProposalResource, paged=True),
        "retrieve": Answer(ProposalResource, etag=True),
        "confirm": Answer(ProposalResource, etag=True),
        "withdraw": Answer(ProposalResource, etag=True),
    }
    refusals = {
        "confirm": (
            "RES_STATE_CONFLICT",
            "PERM_SERVICE_ACCOUNT_CANNOT_VOTE",
            "PERM_SEPARATION_OF_DUTIES",
            "PERM_NOT_VOUCHED_FOR",
            "PERM_SECOND_FACTOR",
            "POL_INVALID",
            "SYS_CLOCK_SKEW",
        ),
        "withdraw": ("RES_STATE_CONFLICT",),
    }
    conditional = frozenset({"confirm", "withdraw"})

    def list(self, request: ApiRequest) -> ApiResponse:
        """Proposals, newest first."""
        found = Proposal.objects.of(request.actor.tenant)
        if "state" in self.query:
            found = found.filter(state__in=self.query["state"])
        return self.page(found, present=proposal_document, order=("-proposed_at", "-id"))

    def retrieve(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """One proposal, ended or not."""
        return proposed(self._proposal(), status=200)

    @action(detail=True, methods=["post"])
    def confirm(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Confirm a proposal

        As a second person who administers, or could approve where it loosens; with `If-Match` and the one ETag of what
        you read. It is judged against what is in force now: what changed meanwhile is 412, and what its edit refuses is
        answered as the edit would.
        """
        return proposed(
            confirm_proposal(pk, by=request.actor, if_match=self.if_match, clock=DATABASE_CLOCK), status=200
        )

    @action(detail=True, methods=["post"])
    def withdraw(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Withdraw a proposal

        Its author takes it back, or an administrator turns it down. Nothing changes.
        """
        return proposed(
            withdraw_proposal(pk, by=request.actor, if_match=self.if_match, clock=DATABASE_CLOCK), status=200
        )

    def resource(self) -> dict[str, Any]:
        return proposal_document(self._proposal())

    def _proposal(self) -> Proposal:
        return get_object_or_404(Proposal.objects.of(self.request.actor.tenant), pk=self.kwargs["pk"])
