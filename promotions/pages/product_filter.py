"""The product that a page of all products is about when its address names one (domain.md §1b)."""

from django import forms
from django.http import HttpRequest

from promotions.reading.promotion_filters import PRODUCT, product_field
from stellapromote.accounts.actor import Actor
from stellapromote.errors import FieldError, Invalid

FILTER_ID = "filter_%s"
"""Of the fields of a filter that stands beside a form."""


def product_of(request: HttpRequest) -> str | None:
    """The product in the address, None for all of them. Invalid for a text that can be no product."""
    text = _text(request)
    try:
        return PRODUCT.parse(text) if text else None
    except ValueError as error:
        raise Invalid(f"product: {error}", fields=[FieldError("product", str(error), "invalid")]) from None


class ProductForm(forms.Form):
    """The choice of a product; without a field where there is nothing to choose."""

    def __init__(self, request: HttpRequest, by: Actor) -> None:
        super().__init__(request.GET, auto_id=FILTER_ID)
        field = product_field(by, _text(request))
        if field is not None:
            self.fields["product"] = field


def _text(request: HttpRequest) -> str:
    return request.GET.get("product", "").strip()
