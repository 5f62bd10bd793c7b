"""Teams, of which one that a policy names is not deleted (contract.md, Products, people)."""

from typing import Any

from promotions.actions.delete_team import delete_team
from stellapromote.accounts.models import Team
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING, QuerySetSource
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.create_team import create_team
from stellapromote.identity.actions.rename_team import rename_team
from stellapromote.identity.api.bodies import NewTeam, TeamChanges
from stellapromote.identity.api.resources import DeletedTeamResource, TeamResource, TeamRow
from stellapromote.identity.etags import tag_of
from stellapromote.identity.presenters import team_document, team_row
from stellapromote.identity.roster import grants_of_team, team_of, teams_of


class TeamViewSet(ApiViewSet):
    """Groups of people that approval rules name."""

    tag = "Teams"
    lookup_field = "slug"
    lookup_value_converter = "slug"
    scopes = dict.fromkeys(("list", "create", "retrieve", "update", "destroy"), TENANT_ADMIN)
    bodies = {"create": NewTeam, "update": TeamChanges}
    parameters = {"list": PAGING}
    answers = {
        "list": Answer(TeamRow, paged=True),
        "create": Answer(TeamResource, status=201, etag=True),
        "retrieve": Answer(TeamResource, etag=True),
        "update": Answer(TeamResource, etag=True),
        "destroy": Answer(DeletedTeamResource),
    }
    refusals = {"create": ("RES_DUPLICATE",), "destroy": ("RES_IN_USE",)}

    def list(self, request: ApiRequest) -> ApiResponse:
        """Teams by slug, each with the number of its members."""
        return self.page(QuerySetSource(teams_of(request.actor.tenant).values(), ("slug",)), present=team_row)

    def create(self, request: ApiRequest) -> ApiResponse:
        """Create a team

        Nobody is in it yet. The slug never changes.
        """
        name = self.body.get("display_name", "")
        team = create_team(by=request.actor, clock=DATABASE_CLOCK, slug=self.body["slug"], name=name)
        return _answer(team, status=201)

    def retrieve(self, request: ApiRequest, slug: str) -> ApiResponse:
        """One team with its members."""
        return _answer(self._team())

    def update(self, request: ApiRequest, slug: str) -> ApiResponse:
        """Change the displayed name of a team."""
        name = self.body.get("display_name")
        team = rename_team(by=request.actor, clock=DATABASE_CLOCK, slug=slug, name=name, if_match=self.if_match)
        return _answer(team)

    def destroy(self, request: ApiRequest, slug: str) -> ApiResponse:
        """Delete a team that was never used

        A team that had people, that owned a product, or that any version of a policy names, stays: records hold its
        name.
        """
        team = delete_team(by=request.actor, clock=DATABASE_CLOCK, slug=slug, if_match=self.if_match)
        return ApiResponse({"id": team.pk, "deleted": True})

    def resource(self) -> dict[str, Any]:
        team = self._team()
        return team_document(team, grants_of_team(team))

    def _team(self) -> Team:
        return team_of(self.request.actor.tenant, self.kwargs["slug"])


def _answer(team: Team, status: int = 200) -> ApiResponse:
    document = team_document(team, grants_of_team(team))
    return ApiResponse(document, status=status, etag=tag_of("team", document))
