"""Releases page by page, found by a part of their name: for the list and for the first step of a request."""

from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from promotions.models import Promotion, Release
from promotions.pages.product_filter import FILTER_ID, ProductForm, product_of
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import PROMOTION_REQUEST
from stellapromote.api.pagination import QuerySetSource, read_page

PAGE = 50

Context = dict[str, Any]


class NameForm(forms.Form):
    name = forms.CharField(
        label="Name contains", max_length=128, required=False, widget=forms.TextInput(attrs={"data-search": ""})
    )


def releases_of(by: Actor) -> QuerySet[Release]:
    return Release.objects.filter(tenant_id=by.tenant)


def promotable_releases(by: Actor) -> QuerySet[Release]:
    """The releases that the person may request: finalized ones, and deprecated ones to which a rollback is possible
    (domain.md §3)."""
    deployed = Promotion.objects.deployed().filter(release=OuterRef("pk"))
    products = by.products_of(PROMOTION_REQUEST)
    releases = releases_of(by) if products is None else releases_of(by).filter(product__in=products)
    return releases.filter(Q(status=Release.Status.FINALIZED) | Q(Exists(deployed), status=Release.Status.DEPRECATED))


def release_page(request: HttpRequest, by: Actor, rows: QuerySet[Release]) -> Context:
    """The page of ``rows`` that the address asks for, newest first. Invalid for a cursor of another list, and for a
    text that can be no product.

    Cost: one statement, and one for the choice of products; a name that few releases have is looked for among all of
    the tenant or of the product.
    """
    form = NameForm(request.GET, auto_id=FILTER_ID)
    name, product = form.cleaned_data["name"] if form.is_valid() else "", product_of(request)
    if product is not None:
        rows = rows.filter(product=product)
    page = read_page(
        QuerySetSource(rows.filter(name__icontains=name) if name else rows, ("-created_at", "-id")),
        query={"cursor": request.GET.get("cursor", ""), "page_size": PAGE},
        path=request.path,
        tenant=by.tenant,
        filters={"name": [name]} | ({"product": [product]} if product else {}),
    )
    return {
        "name_form": form,
        "product_form": ProductForm(request, by),
        "filtered": bool(form.data.get("name") or product),
        "releases": page.rows,
        "meta": page.meta,
    }
