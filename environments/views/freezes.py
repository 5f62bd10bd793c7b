"""Setting, changing and lifting freezes, of one environment and of the whole tenant ("stop the line")."""

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from environments import rules
from environments.actions.clear_freeze_window import clear_freeze_window
from environments.actions.create_freeze_window import create_freeze_window
from environments.actions.update_freeze_window import update_freeze_window
from environments.etags import freeze_window_tag
from environments.forms import EditFreezeForm, FreezeForm, LiftForm
from environments.models import Environment, FreezeWindow
from policies.models import Proposal
from policies.proposed_page import unless_proposed
from stellapromote.api.etag import IfMatch
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.product_choice import live_products
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.forms import posted
from stellapromote.web.htmx import go_to

_form = require_http_methods(["GET", "HEAD", "POST"])


@_form
def stop_the_line(request: HttpRequest) -> HttpResponse:
    """Freezes every environment of the tenant."""
    return _freeze(request, None)


@_form
def freeze(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Freezes one environment."""
    return _freeze(request, environment_id)


@_form
def edit_freeze(request: HttpRequest, window_id: UUID) -> HttpResponse:
    """Changes a freeze that is not over."""
    by = acting(request)
    rules.check_can_write(by)
    window = _window(by.tenant, window_id)
    rules.check_can_change_freeze(window, DATABASE_CLOCK.now())
    form = EditFreezeForm(posted(request), window=window, products=live_products(by.tenant, besides=window.products))
    context = {
        "form": form,
        "window": window,
        "environment": window.environment,
        "back": _page_of(window.environment_id),
    }
    return carry_out(
        request,
        lambda: update_freeze_window(
            by=by,
            clock=DATABASE_CLOCK,
            window_id=window_id,
            environment_id=window.environment_id,
            changes=form.changes(),
            if_match=IfMatch(freeze_window_tag(window_id, form.cleaned_data["version"])),
        ),
        form=form,
        again=lambda refusal: render(request, "environments/freeze_form.html", {**context, "refusal": refusal}),
        then=_back(request, "was changed"),
    )


@_form
def lift_freeze(request: HttpRequest, window_id: UUID) -> HttpResponse:
    """Ends a freeze now, or calls off one that has not begun. A reason is required."""
    by = acting(request)
    rules.check_can_write(by)
    window = _window(by.tenant, window_id)
    rules.check_can_change_freeze(window, DATABASE_CLOCK.now())
    form = LiftForm(posted(request), initial={"version": window.version})
    context = {
        "form": form,
        "window": window,
        "environment": window.environment,
        "back": _page_of(window.environment_id),
    }
    return carry_out(
        request,
        lambda: clear_freeze_window(
            by=by,
            clock=DATABASE_CLOCK,
            window_id=window_id,
            environment_id=window.environment_id,
            reason=form.cleaned_data["reason"],
            if_match=IfMatch(freeze_window_tag(window_id, form.cleaned_data["version"])),
        ),
        form=form,
        again=lambda refusal: render(request, "environments/lift.html", {**context, "refusal": refusal}),
        then=_back(request, "is lifted"),
    )


def _freeze(request: HttpRequest, environment_id: UUID | None) -> HttpResponse:
    by = acting(request)
    rules.check_can_write(by)
    environment = None
    if environment_id is not None:
        environment = get_object_or_404(Environment.objects.of(by.tenant), pk=environment_id)
        rules.check_not_archived(environment)
    form = FreezeForm(posted(request), products=live_products(by.tenant))
    context = {"form": form, "environment": environment, "back": _page_of(environment_id)}
    return carry_out(
        request,
        lambda: create_freeze_window(
            by=by, clock=DATABASE_CLOCK, environment_id=environment_id, **form.values(DATABASE_CLOCK.now())
        ),
        form=form,
        again=lambda refusal: render(request, "environments/freeze_form.html", {**context, "refusal": refusal}),
        then=_back(request, "is set"),
    )


def _back(request: HttpRequest, done: str) -> Callable[[FreezeWindow | Proposal], HttpResponse]:
    """Leads to the page of the frozen environment or tenant, with a sentence about the act."""
    return unless_proposed(
        request,
        lambda window: go_to(request, _page_of(window.environment_id), done=f"The freeze “{window.name}” {done}."),
    )


def _window(tenant_id: UUID, window_id: UUID) -> FreezeWindow:
    return get_object_or_404(FreezeWindow.objects.of(tenant_id).select_related("environment"), pk=window_id)


def _page_of(environment_id: UUID | None) -> str:
    return reverse("environment", args=[environment_id]) if environment_id else reverse("environments")
