from functools import partial

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from promotions.pages import board as dashboard
from promotions.pages.product_filter import ProductForm, product_of
from stellapromote.accounts.scopes import PROMOTION_READ, PROMOTION_REQUEST
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.web.acting import acting
from stellapromote.web.htmx import poll, render_page


@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """The pipeline: products by environments, and promotions that move or are blocked; of one product when the address
    names it."""
    by = acting(request)
    by.require(PROMOTION_READ)
    context = dashboard.board(by, DATABASE_CLOCK.now(), product_of(request))
    context["may_request"] = by.has(PROMOTION_REQUEST)
    context["product_form"] = partial(ProductForm, request, by)
    version = f"{dashboard.version_of(context)}:{context['may_request']}"
    return poll(request, version, lambda: render_page(request, "promotions/board.html", context, fragment="board"))
