"""/environments: the order, what runs and waits in each, what guards it, its history and its freezes (ui.md, Pages)."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from environments import rules
from environments.actions.create_environment import create_environment
from environments.actions.unarchive_environment import unarchive_environment
from environments.actions.update_environment import update_environment
from environments.etags import environment_tag
from environments.forms import EditEnvironmentForm, MoveForm, NewEnvironmentForm, UnarchiveForm
from environments.models import Environment
from policies.models import Proposal
from policies.proposed_page import go_to_proposal
from promotions import environment_page
from promotions.actions.archive_environment import archive_environment
from promotions.actions.delete_environment import delete_environment
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import ENVIRONMENT_READ
from stellapromote.api.etag import IfMatch
from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.web.acting import acting
from stellapromote.web.htmx import go_to, poll, render_page

_form = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
def environments(request: HttpRequest) -> HttpResponse:
    """All environments in promotion order."""
    by = _reader(request)
    context = environment_page.overview(by, SYSTEM_CLOCK.now())
    template = "environments/environments.html"
    return poll(
        request,
        environment_page.version_of(context),
        lambda: render_page(request, template, context, fragment="overview"),
    )


@require_safe
def environment(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """One environment, archived or not."""
    by = _reader(request)
    context = environment_page.detail(
        by,
        _environment(by, environment_id),
        SYSTEM_CLOCK.now(),
        month_text=request.GET.get("month"),
        cursor=request.GET.get("cursor"),
    )
    part = "month" if request.htmx.target == "month" else None  # type: ignore[attr-defined]
    return render_page(request, "environments/environment.html", context, fragment=part)


@_form
def new_environment(request: HttpRequest) -> HttpResponse:
    """Creates an environment."""
    by = _reader(request)
    rules.check_can_write(by)
    form = NewEnvironmentForm(request.POST or None, tenant_id=by.tenant)
    created = form.submit(lambda: create_environment(by=by, clock=SYSTEM_CLOCK, **form.values()))
    if created is not None:
        messages.success(request, _("%(name)s is there.") % {"name": created.display_name})
        return go_to(request, reverse("environment", args=[created.pk]))
    return render(request, "environments/form.html", {"form": form}, status=400 if form.errors else 200)


@_form
def edit_environment(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Changes what guards an environment, its place and its settings."""
    by = _reader(request)
    rules.check_can_write(by)
    found = _environment(by, environment_id)
    rules.check_not_archived(found)
    form = EditEnvironmentForm(request.POST or None, environment=found)
    changed = form.submit(
        lambda: update_environment(
            by=by,
            clock=SYSTEM_CLOCK,
            environment_id=environment_id,
            changes=form.changes(),
            if_match=IfMatch(environment_tag(environment_id, form.cleaned_data["version"])),
        )
    )
    if isinstance(changed, Proposal):
        return go_to_proposal(request, changed)
    if changed is not None:
        messages.success(request, _("%(name)s was changed.") % {"name": changed.display_name})
        return go_to(request, reverse("environment", args=[environment_id]))
    context = {"form": form, "environment": found}
    return render(request, "environments/form.html", context, status=400 if form.errors else 200)


@require_POST
def move_environment(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Gives an environment another place; the others make room."""
    values = MoveForm(request.POST).read()
    moved = update_environment(
        by=_reader(request),
        clock=SYSTEM_CLOCK,
        environment_id=environment_id,
        changes={"order_index": values["order_index"]},
        if_match=IfMatch(environment_tag(environment_id, values["version"])),
    )
    if isinstance(moved, Proposal):
        return go_to_proposal(request, moved)
    messages.success(request, _("%(name)s has another place in the order.") % {"name": moved.display_name})
    return go_to(request, reverse("environments"))


@require_POST
def archive(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Takes an environment out of the order; its history stays."""
    archived = archive_environment(by=_reader(request), clock=SYSTEM_CLOCK, environment_id=environment_id)
    if isinstance(archived, Proposal):
        return go_to_proposal(request, archived)
    messages.success(request, _("%(name)s is archived.") % {"name": archived.display_name})
    return go_to(request, reverse("environment", args=[environment_id]))


@require_POST
def unarchive(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Puts an archived environment back into the order."""
    values = UnarchiveForm(request.POST).read()
    back = unarchive_environment(by=_reader(request), clock=SYSTEM_CLOCK, environment_id=environment_id, **values)
    if isinstance(back, Proposal):
        return go_to_proposal(request, back)
    messages.success(request, _("%(name)s is in the order again.") % {"name": back.display_name})
    return go_to(request, reverse("environment", args=[environment_id]))


@require_POST
def delete(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Deletes an environment that was never used."""
    by = _reader(request)
    name = _environment(by, environment_id).display_name
    proposal = delete_environment(by=by, clock=SYSTEM_CLOCK, environment_id=environment_id)
    if proposal is not None:
        return go_to_proposal(request, proposal)
    messages.success(request, _("%(name)s is deleted.") % {"name": name})
    return go_to(request, reverse("environments"))


def _reader(request: HttpRequest) -> Actor:
    by = acting(request)
    by.require(ENVIRONMENT_READ)
    return by


def _environment(by: Actor, environment_id: UUID) -> Environment:
    return get_object_or_404(Environment.objects.of(by.tenant).with_settings(), pk=environment_id)
