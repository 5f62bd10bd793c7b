"""Setting, changing and lifting freezes, of one environment and of the whole tenant ("stop the line")."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from environments import rules
from environments.actions.clear_freeze_window import clear_freeze_window
from environments.actions.create_freeze_window import create_freeze_window
from environments.actions.update_freeze_window import update_freeze_window
from environments.etags import freeze_window_tag
from environments.forms import EditFreezeForm, FreezeForm, LiftForm
from environments.models import Environment, FreezeWindow
from policies.models import Proposal
from policies.proposed_page import go_to_proposal
from stellapromote.api.etag import IfMatch
from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.web.acting import acting
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
    rules.check_can_change_freeze(window, SYSTEM_CLOCK.now())
    form = EditFreezeForm(request.POST or None, window=window)
    changed = form.submit(
        lambda: update_freeze_window(
            by=by,
            clock=SYSTEM_CLOCK,
            window_id=window_id,
            environment_id=window.environment_id,
            changes=form.changes(),
            if_match=IfMatch(freeze_window_tag(window_id, form.cleaned_data["version"])),
        )
    )
    if isinstance(changed, Proposal):
        return go_to_proposal(request, changed)
    if changed is not None:
        messages.success(request, _("The freeze “%(name)s” was changed.") % {"name": changed.name})
        return go_to(request, _page_of(changed.environment_id))
    context = {
        "form": form,
        "window": window,
        "environment": window.environment,
        "back": _page_of(window.environment_id),
    }
    return render(request, "environments/freeze_form.html", context, status=400 if form.errors else 200)


@_form
def lift_freeze(request: HttpRequest, window_id: UUID) -> HttpResponse:
    """Ends a freeze now, or calls off one that has not begun. A reason is required."""
    by = acting(request)
    rules.check_can_write(by)
    window = _window(by.tenant, window_id)
    rules.check_can_change_freeze(window, SYSTEM_CLOCK.now())
    form = LiftForm(request.POST or None, initial={"version": window.version})
    lifted = form.submit(
        lambda: clear_freeze_window(
            by=by,
            clock=SYSTEM_CLOCK,
            window_id=window_id,
            environment_id=window.environment_id,
            reason=form.cleaned_data["reason"],
            if_match=IfMatch(freeze_window_tag(window_id, form.cleaned_data["version"])),
        )
    )
    if isinstance(lifted, Proposal):
        return go_to_proposal(request, lifted)
    if lifted is not None:
        messages.success(request, _("The freeze “%(name)s” is lifted.") % {"name": lifted.name})
        return go_to(request, _page_of(lifted.environment_id))
    context = {
        "form": form,
        "window": window,
        "environment": window.environment,
        "back": _page_of(window.environment_id),
    }
    return render(request, "environments/lift.html", context, status=400 if form.errors else 200)


def _freeze(request: HttpRequest, environment_id: UUID | None) -> HttpResponse:
    by = acting(request)
    rules.check_can_write(by)
    environment = None
    if environment_id is not None:
        environment = get_object_or_404(Environment.objects.of(by.tenant), pk=environment_id)
        rules.check_not_archived(environment)
    form = FreezeForm(request.POST or None)
    window = form.submit(
        lambda: create_freeze_window(
            by=by, clock=SYSTEM_CLOCK, environment_id=environment_id, **form.values(SYSTEM_CLOCK.now())
        )
    )
    if window is not None:
        messages.success(request, _("The freeze “%(name)s” is set.") % {"name": window.name})
        return go_to(request, _page_of(environment_id))
    context = {"form": form, "environment": environment, "back": _page_of(environment_id)}
    return render(request, "environments/freeze_form.html", context, status=400 if form.errors else 200)


def _window(tenant_id: UUID, window_id: UUID) -> FreezeWindow:
    return get_object_or_404(FreezeWindow.objects.of(tenant_id).select_related("environment"), pk=window_id)


def _page_of(environment_id: UUID | None) -> str:
    return reverse("environment", args=[environment_id]) if environment_id else reverse("environments")
