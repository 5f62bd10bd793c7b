from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import ROLE_SENTENCES
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.identity import sign_in_records
from stellapromote.identity.actions import end_sessions
from stellapromote.identity.actions.change_display_name import change_display_name
from stellapromote.identity.actions.change_time_zone import change_time_zone
from stellapromote.identity.forms import DisplayNameForm, TimeZoneForm
from stellapromote.identity.second_factor import recovery_codes_left
from stellapromote.identity.sessions import sessions_of
from stellapromote.identity.views.page import first_of, render_settings
from stellapromote.web.access import tenant_not_required
from stellapromote.web.acting import carry_out
from stellapromote.web.forms import ActionForm
from stellapromote.web.htmx import go_to


@require_safe
@tenant_not_required
def profile(request: HttpRequest) -> HttpResponse:
    """The person's name, password, roles in this tenant, and sessions."""
    return _profile(request)


@require_POST
@tenant_not_required
def rename(request: HttpRequest) -> HttpResponse:
    form = DisplayNameForm(request.POST)
    return _act(
        request,
        lambda by: change_display_name(by=by, clock=DATABASE_CLOCK, **form.cleaned_data),
        "Your name is changed.",
        form,
    )


@require_POST
@tenant_not_required
def change_zone(request: HttpRequest) -> HttpResponse:
    form = TimeZoneForm(request.POST)
    return _act(
        request,
        lambda by: change_time_zone(by=by, clock=DATABASE_CLOCK, **form.cleaned_data),
        "Your time zone is changed.",
        form,
    )


@require_POST
@tenant_not_required
def end_session(request: HttpRequest, session_id: UUID) -> HttpResponse:
    return _act(
        request,
        lambda by: end_sessions.end_session(by=by, clock=DATABASE_CLOCK, session_id=session_id),
        "That session has ended.",
    )


@require_POST
@tenant_not_required
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    return _act(
        request,
        lambda by: end_sessions.end_other_sessions(by=by, clock=DATABASE_CLOCK, keep=request.session.session_key),
        "All your other sessions have ended.",
    )


def _act(
    request: HttpRequest, act: Callable[[Actor], object], done: str, form: ActionForm | None = None
) -> HttpResponse:
    return carry_out(
        request,
        lambda: act(sign_in_records.person_without_tenant(request, _person(request))),
        form=form,
        again=lambda refusal: _profile(request, form, refusal),
        then=lambda _: go_to(request, reverse("settings"), done=done),
    )


def _profile(request: HttpRequest, form: ActionForm | None = None, refusal: ProductError | None = None) -> HttpResponse:
    actor: Actor | None = getattr(request, "actor", None)
    person = _person(request)
    name, zone = {"display_name": person.display_name}, {"time_zone": person.time_zone}
    context = {
        "form": form,
        "name_form": form if isinstance(form, DisplayNameForm) else DisplayNameForm(initial=name),
        "zone_form": form if isinstance(form, TimeZoneForm) else TimeZoneForm(initial=zone),
        "refusal": refusal,
        "recovery_codes_left": recovery_codes_left(person),
        "sessions": first_of(sessions_of(person.pk)),
        "this_session": request.session.session_key,
        "roles": [(label, ROLE_SENTENCES[role]) for role, label in actor.role_labels] if actor else [],
    }
    return render_settings(request, "profile", "profile", context)


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
