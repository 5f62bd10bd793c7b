"""Products: what is released (domain.md §1b; contract.md, Products)."""

from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.decorators import action

from policies.api.proposed import proposed
from policies.api.resources import PROPOSED
from policies.models import Proposal
from promotions.actions.products import archive_product, create_product, product_tag, update_product
from promotions.pages.bodies import NewProduct, ProductChanges
from promotions.reading.products import product_document, with_repositories
from stellapromote.accounts.models import Product
from stellapromote.accounts.scopes import PRODUCT_WRITE, RELEASE_READ
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.parameters import flag
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import NoBody, Resource
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK


class ProductResource(Resource):
    """What is released. An archived product takes no new release and no new request."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    display_name = serializers.CharField()
    description = serializers.CharField()
    image_repositories = serializers.ListField(
        child=serializers.CharField(), help_text="Whose images belong to this product alone."
    )
    owner_teams = serializers.ListField(child=serializers.CharField(), help_text="The teams that own it.")
    path = serializers.ListField(
        child=serializers.CharField(), allow_null=True, help_text="As it was given; null: all environments."
    )
    archived_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField()


class ProductViewSet(ApiViewSet):
    """What is released: a tenant has many, and every reader reads all of them."""

    tag = "Products"
    lookup_field = "slug"
    lookup_value_converter = "slug"
    scopes = {
        "list": RELEASE_READ,
        "create": PRODUCT_WRITE,
        "retrieve": RELEASE_READ,
        "update": PRODUCT_WRITE,
        "archive": PRODUCT_WRITE,
    }
    bodies = {"create": NewProduct, "update": ProductChanges, "archive": NoBody}
    parameters = {"list": (*PAGING, flag("include_archived", "Also those that were archived; false if not given."))}
    answers = {
        "list": Answer(ProductResource, paged=True),
        "create": Answer(ProductResource, status=201, etag=True),
        "retrieve": Answer(ProductResource, etag=True),
        "update": Answer(ProductResource, etag=True),
        "archive": Answer(ProductResource, etag=True),
    }
    refusals = {
        "create": ("RES_DUPLICATE", "RES_NAME_USED", "SYS_CLOCK_SKEW", "SYS_UNAVAILABLE"),
        "update": ("RES_DUPLICATE", "RES_STATE_CONFLICT", "SYS_CLOCK_SKEW", "SYS_UNAVAILABLE"),
        "archive": ("RES_STATE_CONFLICT",),
    }
    alternatives = {"create": PROPOSED, "update": PROPOSED}
    conditional = frozenset({"update", "archive"})

    def list(self, request: ApiRequest) -> ApiResponse:
        """Products, newest first."""
        products = with_repositories(Product.objects.filter(tenant_id=request.actor.tenant))
        if not self.query.get("include_archived", False):
            products = products.filter(archived_at=None)
        return self.page(products, present=product_document)

    def create(self, request: ApiRequest) -> ApiResponse:
        """Create a product

        A release that names a product which does not exist yet creates it too. The slug never changes, and that of an
        archived product is never used again. With owner teams or repositories it is stored as a
        proposal where owners of products guard a protected environment, and so it is with a path that leads into one
        without passing all before it.
        """
        return _answer(create_product(by=request.actor, clock=DATABASE_CLOCK, **self.body), status=201)

    def retrieve(self, request: ApiRequest, slug: str) -> ApiResponse:
        """One product, archived or not."""
        return _answer(self._product())

    def update(self, request: ApiRequest, slug: str) -> ApiResponse:
        """Change a product

        What is left out stays. An archived product does not change. A repository of another product, or one that
        overlaps with its patterns, is 409. One more owner team, or another list of repositories, is stored as a
        proposal where owners of products guard a protected environment. So is a path that enters a protected
        environment over fewer steps, or anew.
        """
        product = update_product(
            by=request.actor, clock=DATABASE_CLOCK, slug=slug, changes=self.body, if_match=self.if_match
        )
        return _answer(product)

    @action(detail=True, methods=["post"])
    def archive(self, request: ApiRequest, slug: str) -> ApiResponse:
        """Archive a product

        It takes no new release and no new request, and is never opened again. Promotions under way go on.
        """
        return _answer(archive_product(by=request.actor, clock=DATABASE_CLOCK, slug=slug, if_match=self.if_match))

    def resource(self) -> dict[str, Any]:
        return product_document(self._product())

    def _product(self) -> Product:
        return get_object_or_404(Product, tenant_id=self.request.actor.tenant, slug=self.kwargs["slug"])


def _answer(product: Product | Proposal, status: int = 200) -> ApiResponse:
    if isinstance(product, Proposal):
        return proposed(product)
    return ApiResponse(product_document(product), status=status, etag=product_tag(product))
