from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from promotions.models import Promotion
from promotions.reading.queries import awaiting_decision_by, promotions_of, rows_of
from promotions.states import OPEN
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import PROMOTION_READ
from stellapromote.web.acting import acting
from stellapromote.web.htmx import poll, render_page

SHOWN = 100


@require_safe
def approvals(request: HttpRequest) -> HttpResponse:
    """Promotions that wait for the person, those they requested, and all open ones; oldest first."""
    by = acting(request)
    by.require(PROMOTION_READ)
    tabs = {"needs-me": awaiting_decision_by(by), "mine": _requested_by(by), "open": _open(by)}
    asked = request.GET.get("tab")
    tab = asked if asked in tabs else "needs-me"
    rows = list(rows_of(tabs[tab])[: SHOWN + 1])
    counts = {name.replace("-", "_"): found.count() for name, found in tabs.items()}
    context = {
        "tab": tab,
        "rows": rows[:SHOWN],
        "more": len(rows) > SHOWN,
        "counts": counts,
        "approvals_waiting": counts["needs_me"],
    }
    version = repr((tab, counts, rows))
    return poll(request, version, lambda: render_page(request, "promotions/approvals.html", context, fragment="inbox"))


def _open(by: Actor) -> QuerySet[Promotion]:
    return promotions_of(by.tenant).filter(status__in=sorted(OPEN)).order_by("number")


def _requested_by(by: Actor) -> QuerySet[Promotion]:
    return _open(by).filter(requesting_persons__contains=[by.user_id])
