from datetime import timedelta
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404

from stellapromote.accounts.models import ApiToken
from stellapromote.accounts.models.token import DEFAULT_LIFE
from stellapromote.api.declarations import MEMBER, Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.issue_token import issue_token
from stellapromote.identity.actions.revoke_token import revoke_token
from stellapromote.identity.api.bodies import NewToken
from stellapromote.identity.api.resources import IssuedTokenResource, TokenResource
from stellapromote.identity.presenters import token_document
from stellapromote.identity.roster import tokens_of


class TokenViewSet(ApiViewSet):
    """The tokens that act for the caller in the tenant."""

    tag = "Tokens"
    scopes = {"list": MEMBER, "create": MEMBER, "destroy": MEMBER}
    bodies = {"create": NewToken}
    parameters = {"list": PAGING}
    answers = {
        "list": Answer(TokenResource, paged=True),
        "create": Answer(IssuedTokenResource, status=201),
        "destroy": Answer(TokenResource),
    }
    refusals = {"create": ("PERM_DENIED",), "destroy": ("PERM_DENIED",)}
    conditional = frozenset()

    def list(self, request: ApiRequest) -> ApiResponse:
        """Your tokens in this tenant, newest first, those that are over too."""
        return self.page(tokens_of(request.actor.tenant, request.actor.account), present=token_document)

    def create(self, request: ApiRequest) -> ApiResponse:
        """Issue a token that acts for you

        Signed in only: a token issues no other one. With products it has rights about releases and promotions alone.
        The answer alone has the token, and is never stored: a second call with the same Idempotency-Key issues another.
        """
        days = self.body.get("expires_days", DEFAULT_LIFE.days)
        issued = issue_token(
            by=request.actor,
            clock=DATABASE_CLOCK,
            user_id=request.actor.account,
            name=self.body["name"],
            scopes=self.body["scopes"],
            life=timedelta(days=days),
            products=self.body.get("products", ()),
        )
        return ApiResponse({**token_document(issued.token), "token": issued.text}, status=201, secret=True)

    def destroy(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Revoke a token

        Your own, one of a service that you own, or as an administrator any of the tenant. With a token in hand that
        token alone, unless it has tenant:admin. One that is revoked stays as it is.
        """
        return ApiResponse(token_document(revoke_token(by=request.actor, clock=DATABASE_CLOCK, token_id=pk)))

    def resource(self) -> dict[str, Any]:
        return token_document(get_object_or_404(ApiToken, tenant_id=self.request.actor.tenant, pk=self.kwargs["pk"]))
