from typing import Any

from django.http import Http404

from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.api.declarations import Answer
from stellapromote.api.parameters import line
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.end_team import end_team
from stellapromote.identity.actions.grant_team import grant_team
from stellapromote.identity.api.bodies import OptionalReason
from stellapromote.identity.api.resources import GrantResource
from stellapromote.identity.presenters import grant_document
from stellapromote.identity.roster import grants_of_team, member_called, team_of
from stellapromote.identity.rules import LONGEST_REASON


class TeamMemberViewSet(ApiViewSet):
    """The people of one team."""

    tag = "Teams"
    lookup_field = "username"
    lookup_value_converter = "slug"
    scopes = {"update": TENANT_ADMIN, "destroy": TENANT_ADMIN}
    bodies = {"update": OptionalReason}
    parameters = {"destroy": (line("reason", "Why, for the readers of the audit log.", max_length=LONGEST_REASON),)}
    answers = {"update": Answer(GrantResource), "destroy": Answer(GrantResource)}
    conditional = frozenset()

    def update(self, request: ApiRequest, slug: str, username: str) -> ApiResponse:
        """Put a member into a team

        A member who is in it keeps the grant that they have. A new one does not count for promotions requested before,
        and where you are excluded only once another person confirms it. You cannot put yourself into a team.
        """
        person = member_called(request.actor.tenant, username)
        grant = grant_team(by=request.actor, clock=DATABASE_CLOCK, user_id=person.pk, team=slug, **self.body)
        return ApiResponse(grant_document(grant))

    def destroy(self, request: ApiRequest, slug: str, username: str) -> ApiResponse:
        """Take a member out of a team

        You cannot take yourself out of a team.
        """
        person = member_called(request.actor.tenant, username)
        grant = end_team(by=request.actor, clock=DATABASE_CLOCK, user_id=person.pk, team=slug, **self.query)
        return ApiResponse(grant_document(grant))

    def resource(self) -> dict[str, Any]:
        """Of a member who is not in the team: nothing, for PUT takes them in."""
        tenant_id = self.request.actor.tenant
        team = team_of(tenant_id, self.kwargs["slug"])
        person = member_called(tenant_id, self.kwargs["username"])
        grant = grants_of_team(team).filter(user=person).first()
        if grant is None and self.action == "destroy":
            raise Http404("They are not in this team.")
        return {} if grant is None else grant_document(grant)
