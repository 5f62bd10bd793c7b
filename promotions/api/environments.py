"""Environments, whose answers need facts from above: what runs there, what waits, what was promoted (contract.md)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.decorators import action

from environments.actions.create_environment import create_environment
from environments.actions.unarchive_environment import unarchive_environment
from environments.actions.update_environment import update_environment
from environments.api.bodies import ChangedEnvironmentBody, NewEnvironmentBody, OrderIndexBody
from environments.api.resources import EnvironmentResource, FreezeResource
from environments.etags import environment_tag
from environments.models import Environment
from environments.presenters import environment_document
from policies.api.proposed import proposed
from policies.api.resources import PROPOSED
from policies.models import Proposal
from promotions.actions.archive_environment import archive_environment
from promotions.actions.delete_environment import delete_environment
from promotions.reading.environment_state import deployment_document, deployments_into, environment_states
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import ENVIRONMENT_READ, ENVIRONMENT_WRITE
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.parameters import flag
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import NoBody, Resource
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK

_INCLUDE_STATE = flag("include_state", "Also what runs there, what waits and whether it is frozen; without an ETag.")


class CurrentReleaseResource(Resource):
    id = serializers.UUIDField()
    name = serializers.CharField()
    product = serializers.CharField()
    manifest_digest = serializers.CharField()
    deployed_at = serializers.DateTimeField()
    promotion_id = serializers.UUIDField()


class EnvironmentStateResource(EnvironmentResource):
    """An environment; with includeState also how things are there now."""

    current_release = CurrentReleaseResource(required=False, allow_null=True, help_text="The newest of all products.")
    current_releases = CurrentReleaseResource(many=True, required=False, help_text="One for each product.")
    freeze = FreezeResource(required=False)
    open_promotions = serializers.IntegerField(required=False)


class DeletedResource(Resource):
    id = serializers.UUIDField()
    deleted = serializers.BooleanField()


class DeploymentRow(Resource):
    """A promotion into the environment whose deployment was started."""

    promotion_id = serializers.UUIDField()
    number = serializers.IntegerField()
    release_id = serializers.UUIDField()
    release_name = serializers.CharField()
    product = serializers.CharField()
    manifest_digest = serializers.CharField()
    status = serializers.CharField()
    status_reason = serializers.CharField(allow_null=True)
    is_rollback = serializers.BooleanField()
    attempt = serializers.IntegerField()
    requested_by = serializers.UUIDField()
    requested_by_name = serializers.CharField()
    started_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)


class EnvironmentViewSet(ApiViewSet):
    """The places that releases enter, in promotion order (domain.md §1)."""

    tag = "Environments"
    scopes = {
        "list": ENVIRONMENT_READ,
        "create": ENVIRONMENT_WRITE,
        "retrieve": ENVIRONMENT_READ,
        "update": ENVIRONMENT_WRITE,
        "destroy": ENVIRONMENT_WRITE,
        "archive": ENVIRONMENT_WRITE,
        "unarchive": ENVIRONMENT_WRITE,
        "history": ENVIRONMENT_READ,
    }
    bodies = {
        "create": NewEnvironmentBody,
        "update": ChangedEnvironmentBody,
        "archive": NoBody,
        "unarchive": OrderIndexBody,
    }
    parameters = {
        "list": (_INCLUDE_STATE, flag("include_archived", "Also archived ones, after the others.")),
        "retrieve": (_INCLUDE_STATE,),
        "history": PAGING,
    }
    answers = {
        "list": Answer(EnvironmentStateResource, many=True),
        "create": Answer(EnvironmentResource, status=201, etag=True),
        "retrieve": Answer(EnvironmentStateResource, etag=True),
        "update": Answer(EnvironmentResource, etag=True),
        "destroy": Answer(DeletedResource),
        "archive": Answer(EnvironmentResource, etag=True),
        "unarchive": Answer(EnvironmentResource, etag=True),
        "history": Answer(DeploymentRow, paged=True),
    }
    alternatives = dict.fromkeys(("update", "destroy", "archive", "unarchive"), PROPOSED)
    refusals = {
        "create": ("RES_DUPLICATE", "RES_NAME_USED", "ENV_INVALID_AUTO_PROMOTE", "POL_INVALID", "SYS_CLOCK_SKEW"),
        "update": ("RES_STATE_CONFLICT", "ENV_INVALID_AUTO_PROMOTE", "POL_INVALID", "SYS_CLOCK_SKEW"),
        "destroy": ("RES_IN_USE", "ENV_INVALID_AUTO_PROMOTE", "POL_INVALID", "SYS_CLOCK_SKEW"),
        "archive": ("RES_STATE_CONFLICT", "ENV_INVALID_AUTO_PROMOTE", "SYS_CLOCK_SKEW"),
        "unarchive": (
            "RES_DUPLICATE",
            "RES_STATE_CONFLICT",
            "ENV_INVALID_AUTO_PROMOTE",
            "POL_INVALID",
            "SYS_CLOCK_SKEW",
        ),
    }
    conditional = frozenset({"update", "destroy", "archive", "unarchive"})

    def list(self, request: ApiRequest) -> ApiResponse:
        """All environments in promotion order, as a bare array."""
        environments = Environment.objects.of(request.actor.tenant).in_order().with_settings()
        if not self.query.get("include_archived", False):
            environments = environments.live()
        return ApiResponse(_documents([*environments], request.actor, self.query.get("include_state", False)))

    def create(self, request: ApiRequest) -> ApiResponse:
        """Create an environment

        Its place in the order must be free. `isProduction` is true by default for the names prod and production.
        """
        return _answer(create_environment(by=request.actor, clock=DATABASE_CLOCK, **self.body), status=201)

    def retrieve(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """One environment, archived or not."""
        environment = self._environment()
        if self.query.get("include_state", False):
            return ApiResponse(_documents([environment], request.actor, True)[0])
        return _answer(environment)

    def update(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Change an environment

        What is left out stays. A new orderIndex moves it and shifts the others. Later edits apply to new promotions;
        what makes entering easier is listed as a weakening edit, and of a protected environment stored as a proposal.
        """
        environment = update_environment(
            by=request.actor, clock=DATABASE_CLOCK, environment_id=pk, changes=self.body, if_match=self.if_match
        )
        return _answer(environment)

    def destroy(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Delete an environment that was never used

        With any promotion history it is refused: archive it instead.
        """
        gone = delete_environment(by=request.actor, clock=DATABASE_CLOCK, environment_id=pk, if_match=self.if_match)
        if gone is not None:
            return proposed(gone)
        return ApiResponse({"id": str(pk), "deleted": True})

    @action(detail=True, methods=["post"])
    def archive(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Take an environment out of the order

        Its history stays. Refused while promotions into or out of it are active.
        """
        return _answer(
            archive_environment(by=request.actor, clock=DATABASE_CLOCK, environment_id=pk, if_match=self.if_match)
        )

    @action(detail=True, methods=["post"])
    def unarchive(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Put an archived environment back at a free place in the order."""
        environment = unarchive_environment(
            by=request.actor, clock=DATABASE_CLOCK, environment_id=pk, if_match=self.if_match, **self.body
        )
        return _answer(environment)

    @action(detail=True)
    def history(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Deployments into the environment, newest first."""
        deployments = deployments_into(request.actor.tenant, self._environment().pk)
        return self.page(deployments, present=deployment_document, order=("-started_at", "-id"))

    def resource(self) -> dict[str, Any]:
        return environment_document(self._environment())

    def _environment(self) -> Environment:
        environments = Environment.objects.of(self.request.actor.tenant).with_settings()
        return get_object_or_404(environments, pk=self.kwargs["pk"])


def _documents(environments: Sequence[Environment], by: Actor, include_state: bool) -> list[dict[str, Any]]:
    documents = [environment_document(each) for each in environments]
    if not include_state:
        return documents
    states = environment_states(by.tenant, [each.pk for each in environments], DATABASE_CLOCK.now())
    return [{**document, **states[each.pk]} for document, each in zip(documents, environments, strict=True)]


def _answer(environment: Environment | Proposal, status: int = 200) -> ApiResponse:
    if isinstance(environment, Proposal):
        return proposed(environment)
    return ApiResponse(
        environment_document(environment), status=status, etag=environment_tag(environment.pk, environment.version)
    )
