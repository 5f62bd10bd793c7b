from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import ROLE_SENTENCES
from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.identity import sign_in_records
from stellapromote.identity.actions import end_sessions
from stellapromote.identity.actions.change_display_name import change_display_name
from stellapromote.identity.forms import DisplayNameForm, submit
from stellapromote.identity.sessions import sessions_of
from stellapromote.identity.views.page import render_settings
from stellapromote.web.access import tenant_not_required


@require_safe
@tenant_not_required
def profile(request: HttpRequest) -> HttpResponse:
    """The person's name, password, roles in this tenant, and sessions."""
    return _profile(request, DisplayNameForm(initial={"display_name": _person(request).display_name}))


@require_POST
@tenant_not_required
def rename(request: HttpRequest) -> HttpResponse:
    form = DisplayNameForm(request.POST)
    by = sign_in_records.person_without_tenant(request, _person(request))
    if submit(form, lambda: change_display_name(by=by, clock=SYSTEM_CLOCK, **form.cleaned_data)) is None:
        return _profile(request, form, status=400)
    messages.success(request, _("Your name is changed."))
    return redirect("settings")


@require_POST
@tenant_not_required
def end_session(request: HttpRequest, session_id: UUID) -> HttpResponse:
    by = sign_in_records.person_without_tenant(request, _person(request))
    end_sessions.end_session(by=by, clock=SYSTEM_CLOCK, session_id=session_id)
    messages.success(request, _("That session has ended."))
    return redirect("settings")


@require_POST
@tenant_not_required
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    by = sign_in_records.person_without_tenant(request, _person(request))
    end_sessions.end_other_sessions(by=by, clock=SYSTEM_CLOCK, keep=request.session.session_key)
    messages.success(request, _("All your other sessions have ended."))
    return redirect("settings")


def _profile(request: HttpRequest, form: forms.Form, status: int = 200) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    context = {
        "form": form,
        "sessions": sessions_of(_person(request).pk),
        "this_session": request.session.session_key,
        "roles": [(role, ROLE_SENTENCES[role]) for role in actor.roles] if actor else [],
    }
    return render_settings(request, "profile", "profile", context, status=status)


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
