from functools import partial
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from promotions.models.promotion_vocabulary import PromotionQuerySet
from promotions.pages.product_filter import ProductForm, product_of
from promotions.reading.queries import awaiting_decision_by, promotions_of, rows_of
from promotions.states import OPEN
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import PROMOTION_READ
from stellapromote.web.acting import acting
from stellapromote.web.htmx import poll, render_page

SHOWN = 100


@require_safe
def approvals(request: HttpRequest) -> HttpResponse:
    """Promotions that wait for the person, those they requested, and all open ones; oldest first. Of one product when
    the address names it."""
    by = acting(request)
    by.require(PROMOTION_READ)
    product = product_of(request)
    awaiting = awaiting_decision_by(by)
    of_all = {"needs-me": awaiting, "mine": _requested_by(by), "open": _open(by)}
    tabs = {name: found.of_product(product) for name, found in of_all.items()}
    asked = request.GET.get("tab")
    tab = asked if asked in tabs else "needs-me"
    rows = list(rows_of(tabs[tab])[: SHOWN + 1])
    counts = {name.replace("-", "_"): found.count() for name, found in tabs.items()}
    context = {
        "tab": tab,
        "rows": rows[:SHOWN],
        "more": len(rows) > SHOWN,
        "counts": counts,
        "approvals_waiting": counts["needs_me"] if product is None else awaiting.count(),
        "product": product,
        "of_product": "" if product is None else f"&{urlencode({'product': product})}",
        "product_form": partial(ProductForm, request, by),
    }
    version = repr((tab, product, counts, context["approvals_waiting"], rows))
    return poll(request, version, lambda: render_page(request, "promotions/approvals.html", context, fragment="inbox"))


def _open(by: Actor) -> PromotionQuerySet:
    return promotions_of(by.tenant).filter(status__in=sorted(OPEN)).order_by("number")


def _requested_by(by: Actor) -> PromotionQuerySet:
    return _open(by).filter(requesting_persons__contains=[by.user_id])
