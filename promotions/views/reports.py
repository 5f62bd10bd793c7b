from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from promotions.pages.delivery import DeliveryForm, page_of
from promotions.reading.delivery import Period, delivery_report
from stellapromote.accounts.scopes import PROMOTION_READ
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.web.acting import acting


@require_safe
def delivery(request: HttpRequest) -> HttpResponse:
    """How often, how fast and how well releases reach an environment."""
    by = acting(request)
    by.require(PROMOTION_READ)
    form = DeliveryForm(request.GET, by)
    if not form.is_valid():
        return render(request, "promotions/delivery.html", page_of(None, form), status=400)
    wanted, now = form.cleaned_data, DATABASE_CLOCK.now()
    report = delivery_report(
        by.tenant,
        Period(now - timedelta(days=int(wanted["days"])), now),
        product=wanted.get("product") or None,
        environment=wanted["environment"] and wanted["environment"].name,
    )
    return render(request, "promotions/delivery.html", page_of(report, form))
