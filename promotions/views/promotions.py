from typing import Any

from django import forms
from django.db.models import QuerySet
from django.db.models.fields.json import KT
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from environments.models import Environment
from promotions.api.bodies import ChangeBody
from promotions.forms import BodyField
from promotions.models import Promotion
from promotions.models.promotion import CHANGE_TYPES
from promotions.queries import promotions_of, rows_of
from promotions.states import Status
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import PROMOTION_READ, PROMOTION_REQUEST
from stellapromote.web.acting import acting
from stellapromote.web.words import CHANGE_TYPES as CHANGE_WORDS

PAGE = 50


class FilterForm(forms.Form):
    """Filters of the list, all in the address; ``before`` is the number the page begins below."""

    status = forms.MultipleChoiceField(
        label=_("State"), choices=[(s.value, s.value.replace("_", " ")) for s in Status], required=False
    )
    environment = forms.ModelChoiceField(
        label=_("Environment"), queryset=Environment.objects.none(), to_field_name="name", required=False
    )
    release = forms.CharField(
        label=_("Release"), max_length=128, required=False, widget=forms.TextInput(attrs={"data-search": ""})
    )
    change_ref = BodyField(ChangeBody, "ref", label=_("Change ticket"))
    change_type = forms.ChoiceField(
        label=_("Kind of change"),
        choices=[("", _("Any")), *((name, CHANGE_WORDS[name].word) for name in CHANGE_TYPES)],
        required=False,
    )
    before = forms.IntegerField(min_value=1, max_value=2**62, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, by: Actor, **options: Any) -> None:
        super().__init__(*args, **options)
        environments = Environment.objects.filter(tenant_id=by.tenant).order_by("order_index", "name")
        self.fields["environment"].queryset = environments  # type: ignore[attr-defined]


@require_safe
def promotions(request: HttpRequest) -> HttpResponse:
    """All promotions, newest first, filtered by what the address says."""
    by = acting(request)
    by.require(PROMOTION_READ)
    form = FilterForm(request.GET, by=by)
    valid = form.is_valid()
    rows = list(rows_of(_filtered(by, form.cleaned_data))[: PAGE + 1]) if valid else []
    older = request.GET.copy()
    if len(rows) > PAGE:
        older["before"] = str(rows[PAGE - 1]["number"])
    newest = request.GET.copy()
    newest.pop("before", None)
    context = {
        "form": form,
        "rows": rows[:PAGE],
        "older": older.urlencode() if len(rows) > PAGE else "",
        "newest": newest.urlencode(),
        "is_first": "before" not in request.GET,
        "may_request": by.has(PROMOTION_REQUEST),
    }
    return render(request, "promotions/promotions.html", context, status=200 if valid else 400)


def _filtered(by: Actor, wanted: dict[str, Any]) -> QuerySet[Promotion]:
    rows = promotions_of(by.tenant)
    if wanted["status"]:
        rows = rows.filter(status__in=wanted["status"])
    if wanted["environment"]:
        rows = rows.filter(target_environment=wanted["environment"])
    if wanted["release"]:
        rows = rows.filter(release__name=wanted["release"])
    if wanted["change_ref"]:
        rows = rows.alias(change_ref=KT("change__ref")).filter(change_ref=wanted["change_ref"])
    if wanted["change_type"]:
        rows = rows.filter(change__type=wanted["change_type"])
    if wanted["before"]:
        rows = rows.filter(number__lt=wanted["before"])
    return rows
