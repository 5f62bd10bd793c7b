"""The content and the forms of the pages about products (ui.md, /products)."""

from typing import Any

from django import forms
from django.http import HttpRequest

from promotions.actions.products import check_can_write, check_not_archived
from promotions.pages.bodies import NewProduct, ProductChanges
from promotions.pages.forms import BodyField
from promotions.reading.products import open_promotions
from promotions.reading.queries import promotions_of, rows_of
from promotions.states import OPEN
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Product
from stellapromote.accounts.scopes import PROMOTION_READ
from stellapromote.api.pagination import QuerySetSource, read_page
from stellapromote.errors import sentence_against
from stellapromote.web.forms import ActionForm

PAGE = 50
SHOWN_PROMOTIONS = 20

Context = dict[str, Any]


class NewProductForm(ActionForm):
    slug = BodyField(
        NewProduct,
        "slug",
        label="Short name",
        help_text="1 to 63 lower-case letters, digits and hyphens. Releases name it, and it never changes.",
    )
    display_name = BodyField(NewProduct, "displayName", label="Display name", required=True)
    description = BodyField(NewProduct, "description", label="Description", widget=forms.Textarea(attrs={"rows": 2}))


class ProductForm(ActionForm):
    """``version``: the one that the person saw."""

    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    display_name = BodyField(ProductChanges, "displayName", label="Display name", required=True)
    description = BodyField(
        ProductChanges, "description", label="Description", widget=forms.Textarea(attrs={"rows": 2})
    )

    def changes(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in ("display_name", "description")}


class ArchiveForm(ActionForm):
    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)


def overview(request: HttpRequest, by: Actor) -> Context:
    """A page of products, newest first, with the number of open promotions of each. Invalid for a cursor of another
    list. Two statements."""
    page = read_page(
        QuerySetSource(Product.objects.filter(tenant_id=by.tenant), ("-created_at", "-id")),
        query={"cursor": request.GET.get("cursor", ""), "page_size": PAGE},
        path=request.path,
        tenant=by.tenant,
        filters={},
    )
    waiting = open_promotions(by.tenant, [product.slug for product in page.rows]) if by.has(PROMOTION_READ) else {}
    return {
        "products": [{"product": product, "open": waiting.get(product.slug, 0)} for product in page.rows],
        "meta": page.meta,
        "may_write": not sentence_against(check_can_write, by),
    }


def detail(by: Actor, product: Product, form: ProductForm | None) -> Context:
    """One product with its newest open promotions and the forms of this person."""
    waiting = promotions_of(by.tenant).filter(product=product.slug, status__in=OPEN)
    values = {"version": product.version, "display_name": product.display_name, "description": product.description}
    return {
        "product": product,
        "rows": rows_of(waiting)[:SHOWN_PROMOTIONS] if by.has(PROMOTION_READ) else [],
        "open": open_promotions(by.tenant, [product.slug]).get(product.slug, 0) if by.has(PROMOTION_READ) else 0,
        "form": form or ProductForm(None, initial=values),
        "may_write": not (sentence_against(check_can_write, by) or sentence_against(check_not_archived, product)),
    }
