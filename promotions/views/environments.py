"""/environments: the order, running and waiting releases of each, its guards, its history and its freezes (ui.md,
Pages)."""

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from environments import rules
from environments.actions.create_environment import create_environment
from environments.actions.unarchive_environment import unarchive_environment
from environments.actions.update_environment import update_environment
from environments.etags import environment_tag
from environments.forms import EditEnvironmentForm, MoveForm, NewEnvironmentForm, UnarchiveForm
from environments.models import Environment
from policies.models import Proposal
from policies.proposed_page import unless_proposed
from promotions.actions.archive_environment import archive_environment
from promotions.actions.delete_environment import delete_environment
from promotions.pages import environments as environment_page
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import ENVIRONMENT_READ
from stellapromote.api.etag import IfMatch
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.forms import posted
from stellapromote.web.htmx import go_to, poll, poll_tag, render_page

_form = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
def environments(request: HttpRequest) -> HttpResponse:
    """All environments in promotion order."""
    by = _reader(request)
    context = environment_page.overview(by, DATABASE_CLOCK.now())
    template = "environments/environments.html"
    return poll(
        request,
        environment_page.version_of(context),
        lambda: render_page(request, template, {**context, "move_form": None}, fragment="overview"),
    )


@require_safe
def environment(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """One environment, archived or not."""
    return _detail(request, environment_id)


@_form
def new_environment(request: HttpRequest) -> HttpResponse:
    """Creates an environment."""
    by = _reader(request)
    rules.check_can_write(by)
    form = NewEnvironmentForm(posted(request), tenant_id=by.tenant)
    return carry_out(
        request,
        lambda: create_environment(by=by, clock=DATABASE_CLOCK, **form.values()),
        form=form,
        again=lambda refusal: render(request, "environments/form.html", {"form": form, "refusal": refusal}),
        then=_done(request, "is there"),
    )


@_form
def edit_environment(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Changes what guards an environment, its place and its settings."""
    by = _reader(request)
    rules.check_can_write(by)
    found = _environment(by, environment_id)
    rules.check_not_archived(found)
    form = EditEnvironmentForm(posted(request), environment=found)
    context = {"form": form, "environment": found}
    return carry_out(
        request,
        lambda: update_environment(
            by=by,
            clock=DATABASE_CLOCK,
            environment_id=environment_id,
            changes=form.changes(),
            if_match=IfMatch(environment_tag(environment_id, form.cleaned_data["version"])),
        ),
        form=form,
        again=lambda refusal: render(request, "environments/form.html", {**context, "refusal": refusal}),
        then=_done(request, "was changed"),
    )


@require_POST
def move_environment(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Gives an environment another place; the others make room."""
    by, form = _reader(request), MoveForm(request.POST)

    def page(refusal: ProductError | None) -> HttpResponse:
        context = environment_page.overview(by, DATABASE_CLOCK.now())
        poll_tag(request, environment_page.version_of(context))
        return render(request, "environments/environments.html", {**context, "refusal": refusal, "move_form": form})

    return carry_out(
        request,
        lambda: update_environment(
            by=by,
            clock=DATABASE_CLOCK,
            environment_id=environment_id,
            changes={"order_index": form.cleaned_data["order_index"]},
            if_match=IfMatch(environment_tag(environment_id, form.cleaned_data["version"])),
        ),
        form=form,
        again=page,
        then=_done(request, "has another place in the order", reverse("environments")),
    )


@require_POST
def archive(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Takes an environment out of the order; its history stays."""
    by = _reader(request)
    return carry_out(
        request,
        lambda: archive_environment(by=by, clock=DATABASE_CLOCK, environment_id=environment_id),
        again=lambda refusal: _detail(request, environment_id, refusal),
        then=_done(request, "is archived"),
    )


@require_POST
def unarchive(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Puts an archived environment back into the order."""
    by, form = _reader(request), UnarchiveForm(request.POST)
    return carry_out(
        request,
        lambda: unarchive_environment(by=by, clock=DATABASE_CLOCK, environment_id=environment_id, **form.cleaned_data),
        form=form,
        again=lambda refusal: _detail(request, environment_id, refusal, form),
        then=_done(request, "is in the order again"),
    )


@require_POST
def delete(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Deletes an environment that was never used."""
    by = _reader(request)
    name = _environment(by, environment_id).display_name

    def gone(_: None) -> HttpResponse:
        return go_to(request, reverse("environments"), done=f"{name} is deleted.")

    return carry_out(
        request,
        lambda: delete_environment(by=by, clock=DATABASE_CLOCK, environment_id=environment_id),
        again=lambda refusal: _detail(request, environment_id, refusal),
        then=unless_proposed(request, gone),
    )


def _detail(
    request: HttpRequest,
    environment_id: UUID,
    refusal: ProductError | None = None,
    unarchive_form: UnarchiveForm | None = None,
) -> HttpResponse:
    by = _reader(request)
    context = environment_page.detail(
        by,
        _environment(by, environment_id),
        DATABASE_CLOCK.now(),
        month_text=request.GET.get("month"),
        cursor=request.GET.get("cursor"),
    )
    context |= {"refusal": refusal, "unarchive_form": unarchive_form or UnarchiveForm()}
    part = "month" if request.htmx.target == "month" else None  # type: ignore[attr-defined]
    return render_page(request, "environments/environment.html", context, fragment=part)


def _done(
    request: HttpRequest, done: str, address: str | None = None
) -> Callable[[Environment | Proposal], HttpResponse]:
    """To the page of the environment or another address, which says what was done."""
    return unless_proposed(
        request,
        lambda environment: go_to(
            request,
            address or reverse("environment", args=[environment.pk]),
            done=f"{environment.display_name} {done}.",
        ),
    )


def _reader(request: HttpRequest) -> Actor:
    by = acting(request)
    by.require(ENVIRONMENT_READ)
    return by


def _environment(by: Actor, environment_id: UUID) -> Environment:
    return get_object_or_404(Environment.objects.of(by.tenant).with_settings(), pk=environment_id)
