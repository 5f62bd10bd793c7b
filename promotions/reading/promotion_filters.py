"""The filters of the list of promotions, each declared once: the parameter of the API, the field of the page, and the
condition (contract.md, Promotions)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.db.models import Q
from django.db.models.fields.json import KT
from django.db.models.lookups import Exact

from environments.models import Environment
from promotions.models.promotion import CHANGE_TYPES
from promotions.states import Status
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Product
from stellapromote.api.parameters import Parameter, choice, integer, line, timestamp, uuid
from stellapromote.web.words import CHANGE_TYPES as CHANGE_WORDS


@dataclass(frozen=True, slots=True)
class PageField:
    """``name`` stands in the page's address, ``field`` is made for the person who looks and the text in the address,
    None where there is nothing to choose, and ``where`` says of its value what a promotion must be."""

    name: str
    field: Callable[[Actor, str], forms.Field | None]
    where: "Callable[[Any], Q | Exact[Any]]"


@dataclass(frozen=True, slots=True)
class Filter:
    """``name`` is that of its value in ``listing.PromotionRows``; the API may call its ``parameter`` otherwise.

    ``sql``: the condition on the promotion `p`, with the value at `%(name)s`, or one condition for each value; empty
    where the listing has a statement for it. ``has_index``: of its own, along which states are compared row by row.
    """

    name: str
    parameter: Parameter
    sql: str | Mapping[str, str] = ""
    has_index: bool = False
    page: PageField | None = None

    def condition(self, value: Any) -> str:
        return self.sql if isinstance(self.sql, str) else self.sql[value]


class ParameterField(forms.CharField):
    """One text of a parameter of the API, typed on a page: the parameter says what may stand in it."""

    def __init__(self, parameter: Parameter, **options: Any) -> None:
        self.parse = parameter.parse
        super().__init__(max_length=parameter.schema["maxLength"], required=False, **options)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {} if isinstance(widget, forms.Select) else super().widget_attrs(widget)

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        try:
            return str(self.parse(text)) if text else ""
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


STATUSES: Final = {
    **{status.value: status.value for status in Status},
    "pending_gate": Status.PENDING.value,
    "pending_approval": Status.AWAITING_APPROVAL.value,
}
_CHANGE_REF: Final = line("change_ref", "The `change.ref`, exactly as it was given.", max_length=64)
_RELEASE_NAME: Final = line("release_name", "Of the releases of this name: each product may have one.", max_length=128)
PRODUCT: Final = line(
    "product", "Of this product, by its short name: none for a product that does not exist.", max_length=63
)
MOST_OFFERED: Final = 200


def product_field(by: Actor, chosen: str) -> ParameterField | None:
    """The products of the tenant that are not archived, and the ``chosen`` one; its short name is typed where there are
    more than MOST_OFFERED. None where there is one product alone, and none is chosen. One statement."""
    live = Product.objects.filter(tenant_id=by.tenant, archived_at=None).order_by("slug")
    offered = {product.slug: product.label for product in live.only("slug", "display_name")[: MOST_OFFERED + 1]}
    if len(offered) < 2 and not chosen:
        return None
    if len(offered) > MOST_OFFERED:
        return ParameterField(PRODUCT, label="Product", help_text="Its short name.")
    if chosen:
        offered.setdefault(chosen, chosen)
    return ParameterField(
        PRODUCT, label="Product", widget=forms.Select(choices=[("", "All products"), *offered.items()])
    )


def _release(_: Actor, __: str) -> forms.Field:
    return ParameterField(_RELEASE_NAME, label="Release", widget=forms.TextInput(attrs={"data-search": ""}))


def _environment(by: Actor, _: str) -> forms.Field:
    environments = Environment.objects.filter(tenant_id=by.tenant).order_by("order_index", "name")
    return forms.ModelChoiceField(label="Environment", queryset=environments, to_field_name="name", required=False)


def _statuses(_: Actor, __: str) -> forms.Field:
    choices = [(status.value, status.value.replace("_", " ")) for status in Status]
    return forms.MultipleChoiceField(label="State", choices=choices, required=False)


def _change_type(_: Actor, __: str) -> forms.Field:
    choices = [("", "Any"), *((name, CHANGE_WORDS[name].word) for name in CHANGE_TYPES)]
    return forms.ChoiceField(label="Kind of change", choices=choices, required=False)


FILTERS: Final = (
    Filter("number", integer("number", at_least=1, at_most=2**53 - 1), "p.number = %(number)s", has_index=True),
    Filter("release_id", uuid("release_id"), "p.release_id = %(release_id)s"),
    Filter(
        "release_name",
        _RELEASE_NAME,
        "p.release_id IN (SELECT id FROM promotions_release WHERE tenant_id = %(tenant)s AND name = %(release_name)s)",
        has_index=True,
        page=PageField("release", _release, lambda name: Q(release__name=name)),
    ),
    Filter(
        "product",
        PRODUCT,
        "p.product = %(product)s",
        has_index=True,
        page=PageField("product", product_field, lambda product: Q(product=product)),
    ),
    Filter(
        "environment_id",
        uuid("environment_id", "The target environment."),
        "p.target_environment_id = %(environment_id)s",
        page=PageField("environment", _environment, lambda environment: Q(target_environment=environment)),
    ),
    Filter(
        "statuses",
        choice("status", STATUSES, repeatable=True),
        page=PageField("status", _statuses, lambda statuses: Q(status__in=statuses)),
    ),
    Filter("requested_by", uuid("requested_by"), "p.requested_by_id = %(requested_by)s"),
    Filter(
        "change_ref",
        _CHANGE_REF,
        "p.change ->> 'ref' = %(change_ref)s",
        has_index=True,
        page=PageField(
            "change_ref",
            lambda *_: ParameterField(_CHANGE_REF, label="Change ticket"),
            lambda ref: Exact(KT("change__ref"), ref),
        ),
    ),
    Filter(
        "change_type",
        choice("change_type", CHANGE_TYPES),
        # The type stands in the text: the planner has to see that its partial index fits.
        {name: f"p.change -> 'type' = '\"{name}\"'::jsonb" for name in CHANGE_TYPES},
        has_index=True,
        page=PageField("change_type", _change_type, lambda name: Q(change__type=name)),
    ),
    Filter("since", timestamp("from", "Requested at or after.")),
    Filter("until", timestamp("to", "Requested before.")),
)
ON_PAGE: Final = tuple(each.page for each in FILTERS if each.page is not None)
PARAMETERS: Final = tuple(each.parameter for each in FILTERS)
CONDITIONS: Final = {each.name: each for each in FILTERS if each.sql}


def read_filters(query: Mapping[str, Any]) -> dict[str, Any]:
    """The filters that an API call gives, for ``PromotionRows``."""
    return {each.name: query[each.parameter.name] for each in FILTERS if each.parameter.name in query}
