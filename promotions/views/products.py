"""/products and /image-repositories: what is released, and whose images are whose (ui.md, Pages)."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from environments.ordering import order
from policies.proposed_page import unless_proposed
from promotions.actions.image_repositories import free_repository, share_repository
from promotions.actions.products import archive_product, create_product, update_product
from promotions.pages.products import (
    ArchiveForm,
    NewProductForm,
    ProductForm,
    SharedRepositoryForm,
    detail,
    of_no_product,
    overview,
    teams_to_own,
)
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ImageRepository, Product
from stellapromote.accounts.scopes import RELEASE_READ
from stellapromote.api.etag import IfMatch
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.forms import posted
from stellapromote.web.htmx import go_to

_form = require_http_methods(["GET", "HEAD", "POST"])


@_form
def products(request: HttpRequest) -> HttpResponse:
    """Products, newest first; POST creates one."""
    by = _reader(request)
    form = NewProductForm(posted(request), teams=teams_to_own(by))

    def page(refusal: ProductError | None) -> HttpResponse:
        return render(request, "products/products.html", {"form": form, "refusal": refusal, **overview(request, by)})

    def created(product: Product) -> HttpResponse:
        return _go_to(request, product, "is there")

    return carry_out(
        request,
        lambda: create_product(by=by, clock=DATABASE_CLOCK, **form.cleaned_data),
        form=form,
        again=page,
        then=unless_proposed(request, created),
    )


@_form
def product(request: HttpRequest, slug: str) -> HttpResponse:
    """One product, archived or not; POST changes it."""
    by = _reader(request)
    if request.method != "POST":
        return _detail(request, slug)
    form = ProductForm(posted(request), teams=teams_to_own(by), environments=order(by.tenant))

    def changed(product: Product) -> HttpResponse:
        return _go_to(request, product, "was changed")

    return carry_out(
        request,
        lambda: update_product(
            by=by,
            clock=DATABASE_CLOCK,
            slug=slug,
            changes=form.changes(),
            if_match=IfMatch(form.cleaned_data["seen"]),
        ),
        form=form,
        again=lambda refusal: _detail(request, slug, form, refusal),
        then=unless_proposed(request, changed),
    )


@require_POST
def archive(request: HttpRequest, slug: str) -> HttpResponse:
    """Ends new releases and requests of a product."""
    by, form = _reader(request), ArchiveForm(request.POST)
    return carry_out(
        request,
        lambda: archive_product(
            by=by,
            clock=DATABASE_CLOCK,
            slug=slug,
            if_match=IfMatch(form.cleaned_data["seen"]),
        ),
        form=form,
        again=lambda refusal: _detail(request, slug, None, refusal),
        then=lambda archived: _go_to(request, archived, "is archived"),
    )


@_form
def shared_repositories(request: HttpRequest) -> HttpResponse:
    """Image repositories that belong to no product; POST shares one."""
    by, form = _reader(request), SharedRepositoryForm(posted(request))

    def shared(repository: ImageRepository) -> HttpResponse:
        return go_to(request, reverse("shared_repositories"), done=f"{repository.name} is shared.")

    return carry_out(
        request,
        lambda: share_repository(by=by, clock=DATABASE_CLOCK, name=form.cleaned_data["name"]),
        form=form,
        again=lambda refusal: _repositories(request, by, form, refusal),
        then=unless_proposed(request, shared),
    )


@require_POST
def free(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ends the sharing of a repository, or that it is undecided."""
    by = _reader(request)

    def freed(repository: ImageRepository) -> HttpResponse:
        return go_to(request, reverse("shared_repositories"), done=f"{repository.name} is free.")

    return carry_out(
        request,
        lambda: free_repository(by=by, clock=DATABASE_CLOCK, repository_id=pk),
        again=lambda refusal: _repositories(request, by, SharedRepositoryForm(None), refusal),
        then=unless_proposed(request, freed),
    )


def _repositories(
    request: HttpRequest, by: Actor, form: SharedRepositoryForm, refusal: ProductError | None
) -> HttpResponse:
    return render(request, "products/repositories.html", {"form": form, "refusal": refusal, **of_no_product(by)})


def _detail(
    request: HttpRequest, slug: str, form: ProductForm | None = None, refusal: ProductError | None = None
) -> HttpResponse:
    by = _reader(request)
    context = detail(by, _product(by, slug), form)
    return render(request, "products/product.html", {**context, "refusal": refusal})


def _go_to(request: HttpRequest, product: Product, done: str) -> HttpResponse:
    return go_to(request, reverse("product", args=[product.slug]), done=f"{product.display_name} {done}.")


def _reader(request: HttpRequest) -> Actor:
    by = acting(request)
    by.require(RELEASE_READ)
    return by


def _product(by: Actor, slug: str) -> Product:
    return get_object_or_404(Product, tenant_id=by.tenant, slug=slug)
