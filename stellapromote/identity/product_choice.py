"""The field of a form in which a person names products."""

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from django import forms
from django.db.models import Q

from stellapromote.accounts.models import Product

MOST_OFFERED: Final = 200
"""Products beyond this number are named by their short names: a page with a box for each takes seconds."""
FIELD: Final = "products"


class NamesField(forms.CharField):
    """Names between commas, as a list. Commas without a name are a mistake: an empty list is for all products."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list):
            return value
        text = super().to_python(value) or ""
        names = names_in(text)
        if text and not names:
            raise forms.ValidationError("There is no name between the commas: write one, or leave the field empty.")
        return names

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def run_validators(self, value: Any) -> None:
        super().run_validators(", ".join(value))


def names_in(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def products_field(help_text: str) -> forms.MultipleChoiceField:
    """The field, until ``offer_products`` gives it the products."""
    return forms.MultipleChoiceField(
        label="Only for these products",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=help_text,
    )


def live_products(tenant_id: UUID, *, besides: Collection[str] = ()) -> list[Product]:
    """The products that are not archived, by name, and ``besides`` those that something names already; of more than
    MOST_OFFERED one more."""
    offered = Product.objects.filter(Q(archived_at=None) | Q(slug__in=besides), tenant_id=tenant_id)
    return list(offered.order_by("display_name", "slug")[: MOST_OFFERED + 1])


def offer_products(form: forms.Form, products: Sequence[Product]) -> None:
    """Gives the form's field these `live_products` to choose from, and takes it away where there is one alone. A form
    that names products keeps it, since others may be archived by now: without it the right would be for all."""
    field = form.fields[FIELD]
    assert isinstance(field, forms.MultipleChoiceField)
    named = field.widget.value_from_datadict(form.data, form.files, form.add_prefix(FIELD))
    if len(products) < 2 and not named:
        del form.fields[FIELD]
    elif len(products) <= MOST_OFFERED:
        field.choices = [(each.slug, each.label) for each in products]
    else:
        form.fields[FIELD] = NamesField(
            label=field.label,
            required=field.required,
            max_length=70_000,
            widget=forms.Textarea(attrs={"rows": 2, "class": "mono", "spellcheck": "false"}),
            help_text=f"Short names, separated by commas. {field.help_text}",
        )
