from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Team
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.accounts.vouching import CONFIRMING_SCOPES, vouched_for
from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.identity import rules
from stellapromote.identity.actions import confirm_grant as confirming
from stellapromote.identity.actions import end_membership as ending_membership
from stellapromote.identity.actions import end_role as ending_role
from stellapromote.identity.actions import end_scope as ending_scope
from stellapromote.identity.actions import end_team as ending_team
from stellapromote.identity.actions import grant_role as granting_role
from stellapromote.identity.actions import grant_team as granting_team
from stellapromote.identity.actions.add_member import add_member
from stellapromote.identity.forms import (
    AddMemberForm,
    GrantRoleForm,
    GrantScopeForm,
    GrantTeamForm,
    ReasonForm,
    posted,
    submit,
)
from stellapromote.identity.roster import Member, members_of, role_holders, tokens_of
from stellapromote.identity.views.page import acting, render_settings


@require_http_methods(["GET", "HEAD", "POST"])
def members(request: HttpRequest) -> HttpResponse:
    """Everybody in the tenant with roles and teams, what nobody confirmed, and who holds which role; takes back who
    left."""
    by = acting(request)
    by.require(*CONFIRMING_SCOPES)
    form = AddMemberForm(posted(request))
    if request.method == "POST":
        by.require(TENANT_ADMIN)
        added = submit(form, lambda: add_member(by=by, clock=SYSTEM_CLOCK, **form.cleaned_data))
        if added is not None:
            return redirect("settings_member", added.user.pk)
    everybody = members_of(by.tenant)
    context = {
        "form": form,
        "members": everybody,
        "role_holders": role_holders(everybody),
        "unconfirmed": _unconfirmed(by, everybody),
        "may_add": by.has(TENANT_ADMIN),
    }
    return render_settings(request, "members", "members", context, status=400 if form.errors else 200)


@require_safe
def member(request: HttpRequest, user_id: UUID) -> HttpResponse:
    return _member(request, user_id)


@require_POST
def confirm_grant(request: HttpRequest, user_id: UUID, grant_id: UUID) -> HttpResponse:
    """Vouches for a role, team or right of a member."""
    grant = confirming.confirm_grant(by=acting(request), clock=SYSTEM_CLOCK, user_id=user_id, grant_id=grant_id)
    messages.success(request, _("%(name)s is confirmed.") % {"name": grant.names_right[1]})
    return redirect("settings_members")


@require_POST
def grant_role(request: HttpRequest, user_id: UUID) -> HttpResponse:
    form = GrantRoleForm(request.POST, held=())
    return _apply(request, user_id, "role_form", form, granting_role.grant_role)


@require_POST
def grant_team(request: HttpRequest, user_id: UUID) -> HttpResponse:
    form = GrantTeamForm(request.POST, teams=_teams(acting(request).tenant))
    return _apply(request, user_id, "team_form", form, granting_team.grant_team)


@require_POST
def end_scope(request: HttpRequest, user_id: UUID, scope: str) -> HttpResponse:
    return _apply(request, user_id, "end_form", ReasonForm(request.POST), ending_scope.end_scope, scope=scope)


@require_POST
def end_role(request: HttpRequest, user_id: UUID, role: str) -> HttpResponse:
    return _apply(request, user_id, "end_form", ReasonForm(request.POST), ending_role.end_role, role=role)


@require_POST
def end_team(request: HttpRequest, user_id: UUID, team: str) -> HttpResponse:
    return _apply(request, user_id, "end_form", ReasonForm(request.POST), ending_team.end_team, team=team)


@require_POST
def end_membership(request: HttpRequest, user_id: UUID) -> HttpResponse:
    by, form = acting(request), ReasonForm(request.POST)
    if not form.is_valid():
        return _member(request, user_id, end_form=form, status=400)
    ending_membership.end_membership(by=by, clock=SYSTEM_CLOCK, user_id=user_id, **form.cleaned_data)
    messages.success(request, _("The membership has ended, with its roles, teams and tokens."))
    return redirect("settings_members")


def _apply(
    request: HttpRequest, user_id: UUID, name: str, form: forms.Form, action: Callable[..., object], **fixed: str
) -> HttpResponse:
    by = acting(request)
    done = submit(form, lambda: action(by=by, clock=SYSTEM_CLOCK, user_id=user_id, **form.cleaned_data, **fixed))
    if done is None:
        return _member(request, user_id, **{name: form}, status=400)
    messages.success(request, _("Saved. It counts from now on."))
    return redirect("settings_member", user_id)


def _member(request: HttpRequest, user_id: UUID, *, status: int = 200, **forms_shown: Any) -> HttpResponse:
    by = acting(request)
    by.require(*CONFIRMING_SCOPES)
    found = members_of(by.tenant, user_id)
    if not found:
        raise Http404("Nobody of this tenant.")
    shown = found[0]
    free_teams = [team for team in _teams(by.tenant) if team[0] not in shown.team_slugs]
    context = {
        "member": shown,
        "may_change": rules.can_manage_member(by, user_id),
        "role_form": GrantRoleForm(held=shown.role_names, auto_id="role_%s"),
        "scope_form": GrantScopeForm(held=[grant.scope for grant in shown.scopes], auto_id="scope_%s"),
        "team_form": GrantTeamForm(teams=free_teams, auto_id="team_%s"),
        "end_form": ReasonForm(auto_id="end_%s"),
        "tokens": tokens_of(by.tenant, user_id) if by.has(TENANT_ADMIN) else None,
        "is_oneself": by.user_id == user_id,
        **forms_shown,
    }
    return render_settings(request, "member", "members", context, status=status)


def _unconfirmed(by: Actor, everybody: Iterable[Member]) -> list[dict[str, Any]]:
    """What a page granted and nobody confirmed, each with the reason why this person cannot confirm it."""
    waiting = [(member, grant) for member in everybody for grant in member.grants if not grant.is_vouched_for]
    is_vouched_for = bool(waiting) and vouched_for(by.tenant, by.account) is not None
    return [
        {
            "member": member,
            "grant": grant,
            "cannot": rules.reason_against_confirming(by, member.user.pk, grant, is_vouched_for),
        }
        for member, grant in waiting
    ]


def _teams(tenant_id: UUID) -> list[tuple[str, str]]:
    return list(Team.objects.filter(tenant_id=tenant_id).order_by("slug").values_list("slug", "name"))
