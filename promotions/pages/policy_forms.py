from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Q, QuerySet

from environments.models import Environment
from policies.models import PromotionPolicy
from promotions.pages.policies import MOST_VERSIONS
from promotions.reading.promotion_filters import product_field
from promotions.reading.simulation import MOST_DECISIONS
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.web.forms import ActionForm


class ApproverCheckForm(forms.Form):
    """The question which people could approve a promotion into this environment, requested by this person."""

    environment = forms.ModelChoiceField(queryset=Environment.objects.none(), label="Into", empty_label=None)
    requester = forms.ModelChoiceField(
        queryset=User.objects.none(), label="Requested by", help_text="A member, or a service account."
    )

    def __init__(self, data: Mapping[str, Any] | None, *, by: Actor, first: Environment | None) -> None:
        """`first`: the environment that is chosen until the person chooses another one."""
        super().__init__(data, initial={"environment": first})
        tenant_id = by.tenant
        product = product_field(by, "")
        if product is not None:
            product.help_text = (
                "Where a rule is for the owners of the product, or people approve some products alone: which one."
            )
            if isinstance(product.widget, forms.Select):
                product.widget.choices = [("", "None"), *list(product.widget.choices)[1:]]
            self.fields["product"] = product
        environments = Environment.objects.of(tenant_id).live().in_order()
        of_tenant = Q(memberships__tenant_id=tenant_id, memberships__ended_at=None) | Q(service__tenant_id=tenant_id)
        people = User.objects.filter(of_tenant).order_by("username").distinct()
        self._offer("environment", environments.select_related("promotion_policy__current"))
        self._offer("requester", people)

    def _offer(self, name: str, rows: QuerySet[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows


class PublishForm(ActionForm):
    """Which text of the draft the page showed."""

    seen = forms.CharField(max_length=100, widget=forms.HiddenInput)


class SimulationForm(ActionForm):
    """Which text of a promotion policy, tried on what."""

    ONE, LAST = "one", "last"

    version = forms.TypedChoiceField(label="Try", coerce=int, empty_value=None, required=False)
    on = forms.ChoiceField(
        label="On",
        choices=[(LAST, "the last promotions"), (ONE, "one promotion")],
        widget=forms.RadioSelect,
        initial=LAST,
    )
    environment = forms.ModelChoiceField(queryset=Environment.objects.none(), label="Into", required=False)
    last = forms.IntegerField(
        label="How many of the last", min_value=1, max_value=MOST_DECISIONS, required=False, initial=50
    )
    number = forms.IntegerField(label="Number of the promotion", min_value=1, max_value=2**53, required=False)

    def __init__(self, data: Mapping[str, Any] | None, *, policy: PromotionPolicy) -> None:
        super().__init__(data)
        numbers = list(policy.versions.order_by("-version").values_list("version", flat=True)[:MOST_VERSIONS])
        choices: list[tuple[Any, Any]] = [(number, f"version {number}") for number in numbers]
        if policy.draft is not None:
            choices.insert(0, ("", "the draft"))
        field = self.fields["version"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = choices
        into = self.fields["environment"]
        assert isinstance(into, forms.ModelChoiceField)
        into.queryset = Environment.objects.of(policy.tenant_id).live().in_order()
        guards = policy.environments.exists()
        into.empty_label = "every environment that it guards" if guards else "every environment: it guards none"

    def place_of(self, place: str) -> tuple[str, str]:
        """Places are those of the text that is tried, which stands in no field."""
        return "", f"{place}: "

    def clean(self) -> dict[str, Any]:
        """The fields of the other choice may be left empty."""
        cleaned = super().clean() or {}
        wanted = "number" if cleaned.get("on") == self.ONE else "last"
        if cleaned.get("on") and cleaned.get(wanted) is None and wanted not in self.errors:
            self.add_error(wanted, "This is needed.")
        return cleaned
