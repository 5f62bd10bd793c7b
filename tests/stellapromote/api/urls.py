"""A small API on teams, to test the conventions without any product endpoint."""

import threading
from typing import Any, ClassVar

from django.db import connection
from django.http import Http404
from django.urls import include, path, re_path
from rest_framework.decorators import action

from stellapromote.accounts.models import Team
from stellapromote.api import parameters
from stellapromote.api.declarations import MEMBER, PUBLIC, Answer
from stellapromote.api.docs import DocsView, SchemaView
from stellapromote.api.etag import strong
from stellapromote.api.fields import JsonObjectField, LineField, SlugField, StrictIntegerField, StrictUUIDField
from stellapromote.api.pagination import PAGING
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.routers import ApiRouter
from stellapromote.api.serializers import Body, NoBody, Resource
from stellapromote.api.views import ApiRequest, ApiView, ApiViewSet, UnknownPath
from stellapromote.errors import Conflict, RuleViolation
from stellapromote.transactions import transactional

#: Handlers of `slow` wait here until the test lets them go.
may_finish = threading.Event()
has_begun = threading.Event()


class TeamBody(Body):
    slug = SlugField()
    display_name = LineField(max_length=200)
    order_index = StrictIntegerField(min_value=0, max_value=1000, required=False)
    labels = JsonObjectField(max_bytes=1000, required=False)


class TeamChanges(Body):
    display_name = LineField(max_length=200)


class TeamResource(Resource):
    id = StrictUUIDField()
    slug = SlugField()
    display_name = LineField(max_length=200)


class Expired(RuleViolation):
    code = "PROM_APPROVAL_EXPIRED"
    changed_state = True


def present(team: Team) -> dict[str, Any]:
    return {"id": team.id, "slug": team.slug, "displayName": team.name}


@transactional
def rename(team_id: Any, tenant_id: Any, name: str) -> Team:
    team = Team.objects.select_for_update().get(pk=team_id, tenant_id=tenant_id)
    team.name = name
    team.save()
    return team


@transactional
def create(tenant_id: Any, slug: str, name: str) -> Team:
    return Team.objects.create(tenant_id=tenant_id, slug=slug, name=name)


class TeamViewSet(ApiViewSet):
    """Teams, for the tests of the conventions."""

    tag = "Teams"
    scopes: ClassVar = {
        "list": "policy:read",
        "create": "policy:write",
        "retrieve": ("policy:read", "audit:read"),
        "update": "policy:write",
        "destroy": "policy:write",
        "rename_then_refuse": "policy:write",
        "rename_then_fail": "policy:write",
        "reveal": "policy:write",
        "slow": "policy:write",
        "conflict": "policy:write",
    }
    bodies: ClassVar = {
        "create": TeamBody,
        "update": TeamChanges,
        "rename_then_refuse": NoBody,
        "rename_then_fail": NoBody,
        "reveal": NoBody,
        "slow": NoBody,
        "conflict": NoBody,
    }
    parameters: ClassVar = {
        "list": [
            *PAGING,
            parameters.line("slug"),
            parameters.choice("kind", ["red", "blue"], repeatable=True),
            parameters.uuid("team_id"),
            parameters.timestamp("since"),
            parameters.flag("active"),
        ],
        "create": [parameters.flag("validate_only")],
    }
    answers: ClassVar = {
        "list": Answer(TeamResource, paged=True),
        "create": Answer(TeamResource, 201),
        "retrieve": Answer(TeamResource, etag=True),
        "update": Answer(TeamResource, etag=True),
        "destroy": Answer({"type": "object"}),
        "rename_then_refuse": Answer(TeamResource),
        "rename_then_fail": Answer(TeamResource),
        "reveal": Answer({"type": "object"}),
        "slow": Answer({"type": "object"}),
        "conflict": Answer({"type": "object"}),
    }
    refusals: ClassVar = {"conflict": ["RES_STATE_CONFLICT"], "rename_then_refuse": ["PROM_APPROVAL_EXPIRED"]}

    def team(self) -> Team:
        found = Team.objects.filter(tenant_id=self.request.actor.tenant_id, pk=self.kwargs["pk"]).first()
        if found is None:
            raise Http404
        return found

    def resource(self) -> dict[str, Any]:
        return present(self.team()) if self.kwargs else {}

    def list(self, request: ApiRequest) -> ApiResponse:
        """Teams of the tenant.

        In the order of their slugs, backwards.
        """
        teams = Team.objects.filter(tenant_id=request.actor.tenant_id)
        if "slug" in self.query:
            teams = teams.filter(slug=self.query["slug"])
        return self.page(teams, present=present, order=("-slug", "-id"))

    def create(self, request: ApiRequest) -> ApiResponse:
        """Create a team."""
        if self.query.get("validate_only"):
            return ApiResponse({"valid": True})
        team = create(request.actor.tenant_id, self.body["slug"], self.body["display_name"])
        return ApiResponse(present(team), 201, headers={"Location": f"/api/v1/teams/{team.id}"})

    def retrieve(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """One team."""
        team = self.team()
        return ApiResponse(present(team), etag=strong(team.name))

    def update(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Change a team."""
        team = self.team()
        if self.if_match is not None:
            self.if_match.check(strong(team.name))
        team = rename(pk, request.actor.tenant_id, self.body.get("display_name", team.name))
        return ApiResponse(present(team), etag=strong(team.name))

    def destroy(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Forgets If-Match, as no endpoint should."""
        self.team().delete()
        return ApiResponse({"deleted": True})

    @action(detail=True, methods=["post"])
    def rename_then_refuse(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """The outcome is a refusal, and it changed state."""
        rename(pk, request.actor.tenant_id, "expired")
        raise Expired()

    @action(detail=True, methods=["post"])
    def rename_then_fail(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Fails after it wrote."""
        rename(pk, request.actor.tenant_id, "half done")
        raise RuntimeError("the secret of the machine room")

    @action(detail=True, methods=["post"])
    def reveal(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """An answer with a secret."""
        return ApiResponse({"secret": str(rename(pk, request.actor.tenant_id, "revealed").id)}, secret=True)

    @action(detail=True, methods=["post"])
    def slow(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Waits for the test."""
        rename(pk, request.actor.tenant_id, "slow")
        has_begun.set()
        may_finish.wait(20)
        return ApiResponse({"done": True})

    @action(detail=True, methods=["post"])
    def conflict(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Refuses without a change."""
        raise Conflict("Not now.")


class WhoView(ApiView):
    scopes: ClassVar = {"get": MEMBER}
    answers: ClassVar = {"get": Answer({"type": "object"})}

    def get(self, request: ApiRequest) -> ApiResponse:
        """Who am I?"""
        actor = request.actor
        return ApiResponse(
            {
                "username": actor.username,
                "tenant": actor.tenant_slug,
                "method": actor.auth_method,
                "user": str(request.user.pk),
                "scopes": sorted(actor.scopes),
            }
        )


class OpenView(ApiView):
    scopes: ClassVar = {"get": PUBLIC, "post": PUBLIC}
    bodies: ClassVar = {"post": NoBody}
    answers: ClassVar = {"get": Answer({"type": "object"}), "post": Answer({"type": "object"})}

    def get(self, request: ApiRequest) -> ApiResponse:
        """Says hello."""
        return ApiResponse({"hello": "world"})

    def post(self, request: ApiRequest) -> ApiResponse:
        """Asks the database something impossible."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        return ApiResponse({})


router = ApiRouter()
router.register("teams", TeamViewSet, "team")

urlpatterns = [
    path("api/v1/", include(router.urls)),
    path("api/v1/who", WhoView.as_view()),
    path("api/v1/open", OpenView.as_view()),
    path("api/v1/schema", SchemaView.as_view(), name="api-schema"),
    path("api/docs", DocsView.as_view(), name="api-docs"),
    re_path(r"^api(?:/.*)?$", UnknownPath.as_view()),
]
