from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from environments.forms import ActionForm
from environments.models import Environment
from policies.models import PromotionPolicy
from promotions.policy_pages import MOST_VERSIONS
from promotions.simulation import MOST_DECISIONS
from stellapromote.accounts.models import User


class ApproverCheckForm(forms.Form):
    """Who could approve a promotion into this environment, if this person asked for it?"""

    environment = forms.ModelChoiceField(queryset=Environment.objects.none(), label=_("Into"), empty_label=None)
    requester = forms.ModelChoiceField(
        queryset=User.objects.none(), label=_("Requested by"), help_text=_("A member, or a service account.")
    )

    def __init__(self, data: Mapping[str, Any] | None, *, tenant_id: UUID, first: Environment | None) -> None:
        """`first`: the environment that is chosen until the person chooses another one."""
        super().__init__(data, initial={"environment": first})
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


class SimulationForm(forms.Form):
    """Which text of a promotion policy, tried on what."""

    ONE, LAST = "one", "last"

    version = forms.TypedChoiceField(label=_("Try"), coerce=int, empty_value=None, required=False)
    on = forms.ChoiceField(
        label=_("On"),
        choices=[(LAST, _("the last promotions that it guards")), (ONE, _("one promotion"))],
        widget=forms.RadioSelect,
        initial=LAST,
    )
    last = forms.IntegerField(
        label=_("How many of the last"), min_value=1, max_value=MOST_DECISIONS, required=False, initial=50
    )
    number = forms.IntegerField(label=_("Number of the promotion"), min_value=1, max_value=2**53, required=False)

    def __init__(self, data: Mapping[str, Any] | None, *, policy: PromotionPolicy) -> None:
        super().__init__(data)
        numbers = list(policy.versions.order_by("-version").values_list("version", flat=True)[:MOST_VERSIONS])
        choices: list[tuple[Any, Any]] = [(number, _("version %(number)s") % {"number": number}) for number in numbers]
        if policy.draft is not None:
            choices.insert(0, ("", _("the draft")))
        field = self.fields["version"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = choices

    def clean(self) -> dict[str, Any]:
        """What the other choice asks for may be left empty."""
        cleaned = super().clean() or {}
        wanted = "number" if cleaned.get("on") == self.ONE else "last"
        if cleaned.get("on") and cleaned.get(wanted) is None and wanted not in self.errors:
            self.add_error(wanted, _("This is needed."))
        return cleaned
