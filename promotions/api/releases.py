"""Releases: named sets of digests (domain.md §3; contract.md, Releases)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from rest_framework.decorators import action

from promotions.actions.releases import (
    ComponentSpec,
    ReleaseSpec,
    archive_release,
    create_release,
    deprecate_release,
    finalize_release,
    update_release,
)
from promotions.api.release_resources import DiffResource, ReleaseResource, ReleaseRow
from promotions.models import Component, Promotion, Release
from promotions.pages.bodies import DeprecationReason, NewRelease, ReleaseChanges, source_reference
from promotions.reading import presenters
from promotions.reading.promotion_filters import PRODUCT
from promotions.reading.queries import diff_of_releases, release_detail_of, release_of
from promotions.voting.etags import release_tag
from stellapromote.accounts.scopes import RELEASE_READ, RELEASE_WRITE
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.parameters import choice, digest, line, uuid
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import NoBody
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK

_OF_REPOSITORIES = ("REL_OTHER_PRODUCT", "REL_TOO_MANY_REPOSITORIES")


class ReleaseViewSet(ApiViewSet):
    """What can be promoted."""

    tag = "Releases"
    scopes = {
        "list": RELEASE_READ,
        "create": RELEASE_WRITE,
        "retrieve": RELEASE_READ,
        "update": RELEASE_WRITE,
        "finalize": RELEASE_WRITE,
        "deprecate": RELEASE_WRITE,
        "archive": RELEASE_WRITE,
        "diff": RELEASE_READ,
    }
    bodies = {
        "create": NewRelease,
        "update": ReleaseChanges,
        "finalize": NoBody,
        "deprecate": DeprecationReason,
        "archive": NoBody,
    }
    parameters = {
        "list": (
            *PAGING,
            choice("status", Release.Status.values, repeatable=True),
            line("name", "The one of this name.", max_length=128),
            PRODUCT,
            digest("digest", "Releases of this manifestDigest, or with a component of this digest."),
            uuid("environment_id", "Deployed in this environment, and not rolled back there."),
        ),
        "diff": (uuid("against", "Id of the other release; without it everything is added."),),
    }
    answers = {
        "list": Answer(ReleaseRow, paged=True),
        "create": Answer(ReleaseResource, status=201, etag=True),
        "retrieve": Answer(ReleaseResource, etag=True),
        "update": Answer(ReleaseResource, etag=True),
        "finalize": Answer(ReleaseResource, etag=True),
        "deprecate": Answer(ReleaseResource, etag=True),
        "archive": Answer(ReleaseResource, etag=True),
        "diff": Answer(DiffResource),
    }
    refusals = {
        "create": ("RES_DUPLICATE", "REL_INCOMPLETE", "REL_PRODUCT_ARCHIVED", *_OF_REPOSITORIES),
        "update": ("RES_DUPLICATE", "REL_NOT_DRAFT", "REL_PRODUCT_ARCHIVED"),
        "finalize": ("REL_NOT_DRAFT", "REL_INCOMPLETE", "REL_PRODUCT_ARCHIVED", *_OF_REPOSITORIES),
        "deprecate": ("RES_STATE_CONFLICT",),
        "archive": ("RES_STATE_CONFLICT", "RES_IN_USE"),
    }
    conditional = frozenset({"update", "finalize", "deprecate", "archive"})

    def list(self, request: ApiRequest) -> ApiResponse:
        """Releases, newest first."""
        return self.page(_filtered(request.actor.tenant, self.query), present=presenters.release_row)

    def create(self, request: ApiRequest) -> ApiResponse:
        """Create a release

        It is a draft until it is finalized; `finalize` does that at once. A product that does not exist yet is created.
        """
        fields = {name: value for name, value in self.body.items() if name != "finalize"}
        spec = ReleaseSpec(**_in_action_terms(fields))
        finalize = self.body.get("finalize", False)
        release = create_release(spec, by=request.actor, finalize=finalize, clock=DATABASE_CLOCK)
        return _answer(release, status=201)

    def retrieve(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """One release, with its components and where it is deployed."""
        # The tag is about the release; where it is deployed changes without it, so a held copy may be out of date.
        request.META.pop("HTTP_IF_NONE_MATCH", None)
        return _answer(release_of(request.actor.tenant, pk))

    def update(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Change a draft

        What is left out stays; components and sourceRef are replaced as a whole.
        """
        changes = _in_action_terms(self.body)
        release = update_release(pk, changes, by=request.actor, if_match=self.if_match, clock=DATABASE_CLOCK)
        return _answer(release)

    @action(detail=True, methods=["post"])
    def finalize(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Finalize a draft

        Its components are fixed from now on, and it can be promoted.
        """
        return _answer(finalize_release(pk, by=request.actor, if_match=self.if_match, clock=DATABASE_CLOCK))

    @action(detail=True, methods=["post"])
    def deprecate(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Deprecate a release

        No new promotions but rollbacks; open ones are rejected when they are judged again.
        """
        reason = self.body["reason"]
        release = deprecate_release(pk, by=request.actor, reason=reason, if_match=self.if_match, clock=DATABASE_CLOCK)
        return _answer(release)

    @action(detail=True, methods=["post"])
    def archive(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Archive a release without active promotions."""
        return _answer(archive_release(pk, by=request.actor, if_match=self.if_match, clock=DATABASE_CLOCK))

    @action(detail=True)
    def diff(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Differences from the components of another release."""
        release = release_of(request.actor.tenant, pk)
        against = self.query.get("against")
        other = None if against is None else release_of(request.actor.tenant, against)
        return ApiResponse(diff_of_releases(release, other))

    def resource(self) -> dict[str, Any]:
        return release_detail_of(release_of(self.request.actor.tenant, self.kwargs["pk"]))


def _filtered(tenant_id: UUID, query: Mapping[str, Any]) -> QuerySet[Release]:
    found = Release.objects.filter(tenant_id=tenant_id).defer("description", "source_ref")
    if "status" in query:
        found = found.filter(status__in=query["status"])
    if "name" in query:
        found = found.filter(name=query["name"])
    if "product" in query:
        found = found.filter(product=query["product"])
    if "digest" in query:
        has_component = Exists(Component.objects.filter(release=OuterRef("pk"), digest=query["digest"]))
        found = found.filter(Q(manifest_digest=query["digest"]) | has_component)
    if "environment_id" in query:
        deployed = Promotion.objects.deployed_in(query["environment_id"]).filter(release=OuterRef("pk"))
        found = found.filter(Exists(deployed))
    return found


def _in_action_terms(given: Mapping[str, Any]) -> dict[str, Any]:
    """A validated body as fields of ReleaseSpec; only those that were given."""
    values = dict(given)
    if "components" in values:
        values["components"] = [ComponentSpec(**_given(component)) for component in values["components"]]
    if "source_ref" in values:
        values["source_ref"] = source_reference(values["source_ref"])
    return values


def _given(component: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in component.items() if value is not None}


def _answer(release: Release, status: int = 200) -> ApiResponse:
    return ApiResponse(release_detail_of(release), status=status, etag=release_tag(release))
