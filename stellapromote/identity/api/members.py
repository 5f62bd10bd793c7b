from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from rest_framework.decorators import action

from stellapromote.accounts.vouching import CONFIRMING_SCOPES
from stellapromote.api.cursors import Position
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING, QuerySetSource
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import NoBody
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.confirm_grant import confirm_grant, live_grant
from stellapromote.identity.api.resources import GrantResource, MemberResource
from stellapromote.identity.presenters import grant_document, member_document
from stellapromote.identity.roster import Member, live_memberships, with_grants


class MemberViewSet(ApiViewSet):
    """The people of the tenant."""

    tag = "Members"
    scopes = {"list": CONFIRMING_SCOPES}
    parameters = {"list": PAGING}
    answers = {"list": Answer(MemberResource, paged=True)}

    def list(self, request: ApiRequest) -> ApiResponse:
        """Members by username, each with what they hold and who vouched for it"""
        memberships = live_memberships(request.actor.tenant)
        return self.page(_Members(QuerySetSource(memberships, ("username",))), present=member_document)


class MemberGrantViewSet(ApiViewSet):
    """What one member holds."""

    tag = "Members"
    scopes = {"confirm": CONFIRMING_SCOPES}
    bodies = {"confirm": NoBody}
    answers = {"confirm": Answer(GrantResource)}
    refusals = {"confirm": ("PERM_NOT_VOUCHED_FOR", "PERM_SEPARATION_OF_DUTIES")}

    @action(detail=True, methods=["post"])
    def confirm(self, request: ApiRequest, pk: UUID, user_id: UUID) -> ApiResponse:
        """Confirm a role, team or right

        You confirm it if you neither gave it nor hold it, and your own role is confirmed. It counts from now on, for
        open promotions too, no matter who gave it. A grant that is confirmed already stays as it is.
        """
        confirm_grant(by=request.actor, clock=DATABASE_CLOCK, user_id=user_id, grant_id=pk)
        return ApiResponse(self.resource())

    def resource(self) -> dict[str, Any]:
        return grant_document(live_grant(self.request.actor.tenant, self.kwargs["user_id"], self.kwargs["pk"]))


@dataclass(frozen=True, slots=True)
class _Members:
    """Memberships in pages, as members with their grants: three queries more for each page."""

    memberships: QuerySetSource

    @property
    def columns(self) -> int:
        return self.memberships.columns

    def after(self, position: Position | None, limit: int) -> Sequence[Member]:
        return with_grants(self.memberships.after(position, limit))

    def numbered(self, offset: int, limit: int) -> Sequence[Member]:
        return with_grants(self.memberships.numbered(offset, limit))

    def count(self) -> int:
        return self.memberships.count()

    def order_values(self, row: Member) -> tuple[Any, ...]:
        return self.memberships.order_values(row.membership)
