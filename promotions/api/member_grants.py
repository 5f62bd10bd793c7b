"""What a member is given; a right by name may need a second person (contract.md, Products, people)."""

from typing import Any
from uuid import UUID

from policies.api.proposed import proposed
from policies.api.resources import PROPOSED
from policies.models import Proposal
from promotions.actions.give_right import give_right
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.api.declarations import Answer
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.api.bodies import NewGrant
from stellapromote.identity.api.resources import GrantResource
from stellapromote.identity.presenters import grant_document, member_document
from stellapromote.identity.roster import member_of


class NewMemberGrantViewSet(ApiViewSet):
    """What one member is given."""

    tag = "Members"
    scopes = {"create": TENANT_ADMIN}
    bodies = {"create": NewGrant}
    answers = {"create": Answer(GrantResource, status=201)}
    alternatives = {"create": PROPOSED}
    refusals = {"create": ("RES_DUPLICATE", "POL_INVALID")}

    def create(self, request: ApiRequest, user_id: UUID) -> ApiResponse:
        """Give a member a role, a team or a right by name

        It does not count for promotions requested before, and where you are excluded only once another person confirms
        it. A right by name is a proposal where a gate of a protected environment may be overridden. You cannot give
        yourself anything.
        """
        given = give_right(by=request.actor, clock=DATABASE_CLOCK, user_id=user_id, **self.body)
        return proposed(given) if isinstance(given, Proposal) else ApiResponse(grant_document(given), status=201)

    def resource(self) -> dict[str, Any]:
        return member_document(member_of(self.request.actor.tenant, self.kwargs["user_id"]))
