from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.held_accounts import accounts_alike
from stellapromote.accounts.models import Team
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.accounts.vouching import CONFIRMING_SCOPES, vouched_for
from stellapromote.counted import counted
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError, reason_against
from stellapromote.identity import rules
from stellapromote.identity.actions import confirm_account as confirming_account
from stellapromote.identity.actions import end_membership as ending_membership
from stellapromote.identity.actions import end_role as ending_role
from stellapromote.identity.actions import end_scope as ending_scope
from stellapromote.identity.actions import end_team as ending_team
from stellapromote.identity.actions import grant_role as granting_role
from stellapromote.identity.actions import grant_team as granting_team
from stellapromote.identity.actions.add_member import add_member
from stellapromote.identity.actions.end_member_sessions import end_member_sessions
from stellapromote.identity.actions.make_reset import Reset, make_reset
from stellapromote.identity.confirmations import Confirmations, confirm_chosen, waiting_for, why_not_account
from stellapromote.identity.forms import (
    AddMemberForm,
    ConfirmationsForm,
    GrantRoleForm,
    GrantScopeForm,
    GrantTeamForm,
    ReasonForm,
)
from stellapromote.identity.managed_accounts import is_managed
from stellapromote.identity.models import Message
from stellapromote.identity.presenters import state_of
from stellapromote.identity.product_choice import live_products
from stellapromote.identity.roster import Member, members_of, role_holders
from stellapromote.identity.sessions import sessions_in
from stellapromote.identity.views.page import first_of, render_settings
from stellapromote.identity.views.tokens import shown_tokens
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.forms import ActionForm, posted
from stellapromote.web.htmx import go_to
from stellapromote.web.templatetags.ui import few


@require_http_methods(["GET", "HEAD", "POST"])
def members(request: HttpRequest) -> HttpResponse:
    """The members of the tenant with roles and teams, the unconfirmed grants, and the holders of each role; takes
    former members back."""
    form = AddMemberForm(posted(request))
    return carry_out(
        request,
        lambda: add_member(by=acting(request), clock=DATABASE_CLOCK, **form.cleaned_data),
        form=form,
        again=lambda refusal: _members(request, form, refusal),
        then=lambda added: go_to(request, reverse("settings_member", args=[added.user.pk])),
    )


@require_safe
def member(request: HttpRequest, user_id: UUID) -> HttpResponse:
    return show_member(request, user_id)


@require_POST
def confirm(request: HttpRequest) -> HttpResponse:
    """Vouches for the chosen grants and accounts, for each by itself."""
    by, form = acting(request), ConfirmationsForm(request.POST)
    by.require(*CONFIRMING_SCOPES)

    def answer(found: Confirmations) -> HttpResponse:
        if not found.refused:
            done = (
                f"Confirmed: {few(found.done)}." if found.done else "Nothing of it waits for a confirmation any more."
            )
            return go_to(request, reverse("settings_members"), done=done)
        page = _members(request, AddMemberForm(), None, form, found)
        page.status_code = 200 if found.done else found.status
        return page

    return carry_out(
        request,
        lambda: confirm_chosen(by=by, clock=DATABASE_CLOCK, chosen=form.cleaned_data["chosen"]),
        form=form,
        again=lambda refusal: _members(request, AddMemberForm(), refusal, form),
        then=answer,
    )


@require_POST
def confirm_account(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Says that the right person has this account."""
    by = acting(request)
    return carry_out(
        request,
        lambda: confirming_account.confirm_account(by=by, clock=DATABASE_CLOCK, user_id=user_id),
        again=lambda refusal: show_member(request, user_id, refusal=refusal),
        then=lambda _: go_to(request, reverse("settings_member", args=[user_id]), done="The account is confirmed."),
    )


@require_POST
def reset(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Makes a link for a new password. It is shown in this answer, and never again."""
    by = acting(request)

    def made(reset: Reset) -> HttpResponse:
        if reset.link is None:
            done = "A link for a new password goes to the e-mail address of the person."
            return go_to(request, reverse("settings_member", args=[user_id]), done=done)
        return show_member(request, user_id, reset=reset)

    return carry_out(
        request,
        lambda: make_reset(by=by, clock=DATABASE_CLOCK, user_id=user_id),
        again=lambda refusal: show_member(request, user_id, refusal=refusal),
        then=made,
    )


@require_POST
def grant_role(request: HttpRequest, user_id: UUID) -> HttpResponse:
    form = GrantRoleForm(request.POST, held=(), products=live_products(acting(request).tenant), auto_id="role_%s")
    return _apply(request, user_id, "role_form", form, granting_role.grant_role)


@require_POST
def grant_team(request: HttpRequest, user_id: UUID) -> HttpResponse:
    form = GrantTeamForm(request.POST, teams=_teams(acting(request).tenant), auto_id="team_%s")
    return _apply(request, user_id, "team_form", form, granting_team.grant_team)


@require_POST
def end_scope(request: HttpRequest, user_id: UUID, scope: str) -> HttpResponse:
    return _end(request, user_id, ending_scope.end_scope, scope=scope)


@require_POST
def end_role(request: HttpRequest, user_id: UUID, role: str) -> HttpResponse:
    return _end(request, user_id, ending_role.end_role, role=role)


@require_POST
def end_team(request: HttpRequest, user_id: UUID, team: str) -> HttpResponse:
    return _end(request, user_id, ending_team.end_team, team=team)


@require_POST
def end_sessions(request: HttpRequest, user_id: UUID, session_id: UUID | None = None) -> HttpResponse:
    """Ends the sessions of a member in this tenant, all or one."""
    by = acting(request)
    return carry_out(
        request,
        lambda: end_member_sessions(by=by, clock=DATABASE_CLOCK, user_id=user_id, session_id=session_id),
        again=lambda refusal: show_member(request, user_id, refusal=refusal),
        then=lambda ended: go_to(
            request,
            reverse("settings_member", args=[user_id]),
            done=f"{counted(ended, 'session')} ended in this tenant.",
        ),
    )


@require_POST
def end_membership(request: HttpRequest, user_id: UUID) -> HttpResponse:
    by, form = acting(request), ReasonForm(request.POST, auto_id="end_%s")
    done = "The membership has ended, with its roles, teams and tokens."
    return carry_out(
        request,
        lambda: ending_membership.end_membership(by=by, clock=DATABASE_CLOCK, user_id=user_id, **form.cleaned_data),
        form=form,
        again=lambda refusal: show_member(request, user_id, refusal=refusal, end_form=form),
        then=lambda _: go_to(request, reverse("settings_members"), done=done),
    )


def _end(request: HttpRequest, user_id: UUID, action: Callable[..., object], **fixed: str) -> HttpResponse:
    form = ReasonForm(request.POST, auto_id="ending_%s")
    return _apply(request, user_id, "ending_form", form, action, **fixed)


def _apply(
    request: HttpRequest, user_id: UUID, name: str, form: ActionForm, action: Callable[..., object], **fixed: str
) -> HttpResponse:
    by = acting(request)
    return carry_out(
        request,
        lambda: action(by=by, clock=DATABASE_CLOCK, user_id=user_id, **form.cleaned_data, **fixed),
        form=form,
        again=lambda refusal: show_member(request, user_id, refusal=refusal, **{name: form}),
        then=lambda _: go_to(request, reverse("settings_member", args=[user_id]), done="Saved. It counts from now on."),
    )


def _members(
    request: HttpRequest,
    form: AddMemberForm,
    refusal: ProductError | None,
    confirm_form: ConfirmationsForm | None = None,
    confirmations: Confirmations | None = None,
) -> HttpResponse:
    by = acting(request)
    by.require(*CONFIRMING_SCOPES)
    everybody = members_of(by.tenant)
    waiting = waiting_for(by, everybody)
    context = {
        "form": form,
        "refusal": refusal,
        "members": everybody,
        "role_holders": role_holders(everybody),
        "accounts": [each for each in waiting if each.grant is None],
        "grants": [each for each in waiting if each.grant is not None],
        "may_confirm": any(not each.cannot for each in waiting),
        "confirm_form": confirm_form or ConfirmationsForm(),
        "confirmations": confirmations,
        "may_add": by.has(TENANT_ADMIN),
    }
    return render_settings(request, "members", "members", context)


def show_member(request: HttpRequest, user_id: UUID, **shown_again: Any) -> HttpResponse:
    """The page of one member. ``shown_again``: a refused form under the name that the page has for it, or a refusal."""
    by = acting(request)
    by.require(*CONFIRMING_SCOPES)
    found = members_of(by.tenant, user_id)
    if not found:
        raise Http404("No such member of this tenant.")
    shown = found[0]
    may_change = reason_against(rules.check_manages_members, by, user_id) is None
    free_teams = [team for team in _teams(by.tenant) if team[0] not in shown.team_slugs]
    context = {
        "member": shown,
        "may_change": may_change,
        "role_form": GrantRoleForm(held=shown.role_names, products=live_products(by.tenant), auto_id="role_%s"),
        "scope_form": GrantScopeForm(held=[grant.scope for grant in shown.scopes], auto_id="scope_%s"),
        "team_form": GrantTeamForm(teams=free_teams, auto_id="team_%s"),
        "ending_form": None,
        "end_form": ReasonForm(auto_id="end_%s"),
        "tokens": shown_tokens(by.tenant, user_id) if by.has(TENANT_ADMIN) else None,
        "sessions": first_of(sessions_in(by.tenant, user_id)) if may_change else None,
        "is_oneself": by.user_id == user_id,
        **_reset_parts(by, user_id),
        "cannot_confirm": _why_not_confirm(by, shown),
        **shown_again,
    }
    return render_settings(request, "member", "members", context)


def _reset_parts(by: Actor, user_id: UUID) -> dict[str, Any]:
    """Whether a link for a new password may be made here, and what became of the last e-mail with one."""
    if not by.has(TENANT_ADMIN) or not is_managed(by.tenant, user_id):
        return {"may_reset": False}
    newest = Message.objects.filter(user_id=user_id).order_by("-created_at", "-pk").first()
    return {"may_reset": True, "reset_mail": state_of(newest)}


def _why_not_confirm(by: Actor, member: Member) -> str:
    """Why this person cannot confirm the account of the member; empty where they can, and where nobody else may have
    it."""
    if not member.held:
        return ""
    is_vouched_for = vouched_for(by.tenant, by.account) is not None
    return why_not_account(by, member, accounts_alike(by.tenant, [by.account]), is_vouched_for=is_vouched_for)


def _teams(tenant_id: UUID) -> list[tuple[str, str]]:
    return list(Team.objects.filter(tenant_id=tenant_id).order_by("slug").values_list("slug", "name"))
