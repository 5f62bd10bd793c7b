from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from promotions.models import Promotion
from promotions.reading.promotion_filters import ON_PAGE
from promotions.reading.queries import promotions_of, rows_of
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import PROMOTION_READ, PROMOTION_REQUEST
from stellapromote.web.acting import acting

PAGE = 50


class FilterForm(forms.Form):
    """Filters of the list, all in the address; ``before`` is the number the page begins below."""

    before = forms.IntegerField(min_value=1, max_value=2**62, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, by: Actor, **options: Any) -> None:
        super().__init__(*args, **options)
        made = {each.name: each.field(by, self.data.get(each.name, "").strip()) for each in ON_PAGE}
        self.fields = {name: field for name, field in made.items() if field is not None} | self.fields


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
    for each in ON_PAGE:
        if wanted.get(each.name):
            rows = rows.filter(each.where(wanted[each.name]))
    if wanted["before"]:
        rows = rows.filter(number__lt=wanted["before"])
    return rows
