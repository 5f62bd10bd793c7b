from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from promotions.pages import board as dashboard
from stellapromote.accounts.scopes import PROMOTION_READ, PROMOTION_REQUEST
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.web.acting import acting
from stellapromote.web.htmx import poll, render_page


@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """The pipeline: products by environments, and promotions that move or are blocked."""
    by = acting(request)
    by.require(PROMOTION_READ)
    context = dashboard.board(by, DATABASE_CLOCK.now())
    context["may_request"] = by.has(PROMOTION_REQUEST)
    version = f"{dashboard.version_of(context)}:{context['may_request']}"
    return poll(request, version, lambda: render_page(request, "promotions/board.html", context, fragment="board"))
