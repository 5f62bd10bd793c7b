"""Image repositories: to which product their images belong (domain.md §1b; contract.md, Products)."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework import serializers

from policies.api.proposed import proposed
from policies.api.resources import PROPOSED
from policies.models import Proposal
from promotions.actions.image_repositories import free_repository, share_repository
from promotions.pages.bodies import SharedRepository
from promotions.reading.products import repository_document
from stellapromote.accounts.models import ImageRepository
from stellapromote.accounts.scopes import PRODUCT_WRITE, RELEASE_READ
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import Resource
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK


class ImageRepositoryResource(Resource):
    """A repository, or all below one, in its one spelling. Without a product it is shared, or not decided yet."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    product = serializers.CharField(allow_null=True)
    shared = serializers.BooleanField(
        help_text="Releases of every product may have its images, beside one of their own."
    )
    created_at = serializers.DateTimeField()


class ImageRepositoryViewSet(ApiViewSet):
    """To which product images belong. A product claims repositories by its own list."""

    tag = "Products"
    scopes = {"list": RELEASE_READ, "create": PRODUCT_WRITE, "retrieve": RELEASE_READ, "destroy": PRODUCT_WRITE}
    bodies = {"create": SharedRepository}
    parameters = {"list": PAGING}
    answers = {
        "list": Answer(ImageRepositoryResource, paged=True),
        "create": Answer(ImageRepositoryResource, status=201),
        "retrieve": Answer(ImageRepositoryResource),
        "destroy": Answer(ImageRepositoryResource, description="The repository as it was."),
    }
    refusals = {"create": ("RES_DUPLICATE",), "destroy": ("RES_STATE_CONFLICT",)}
    alternatives = {"create": PROPOSED, "destroy": PROPOSED}
    conditional = frozenset()

    def list(self, request: ApiRequest) -> ApiResponse:
        """Image repositories, newest first."""
        rows = ImageRepository.objects.filter(tenant_id=request.actor.tenant).select_related("product")
        return self.page(rows, present=repository_document)

    def create(self, request: ApiRequest) -> ApiResponse:
        """Share a repository

        Releases of every product may have its images then, beside at least one image of their own product. It is stored
        as a proposal where owners of products guard a protected environment.
        """
        shared = share_repository(by=request.actor, clock=DATABASE_CLOCK, name=self.body["name"])
        if isinstance(shared, Proposal):
            return proposed(shared)
        return ApiResponse(repository_document(shared), status=201)

    def retrieve(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """One image repository."""
        return ApiResponse(self.resource())

    def destroy(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """End the sharing of a repository

        The first product that finalizes a release with its images has it then. One of a product is taken from the list
        of the product instead. It is stored as a proposal where owners of products guard a protected environment.
        """
        freed = free_repository(by=request.actor, clock=DATABASE_CLOCK, repository_id=pk)
        return proposed(freed) if isinstance(freed, Proposal) else ApiResponse(repository_document(freed))

    def resource(self) -> dict[str, Any]:
        rows = ImageRepository.objects.select_related("product")
        return repository_document(get_object_or_404(rows, tenant_id=self.request.actor.tenant, pk=self.kwargs["pk"]))
