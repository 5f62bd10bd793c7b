from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from stellapromote.accounts.models import Invitation, User
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError, sentence_against
from stellapromote.identity import sign_in_records
from stellapromote.identity.actions.accept_invitation import accept_signed_in, accept_with_new_account
from stellapromote.identity.actions.invitation_links import send_invitation, withdraw_invitation
from stellapromote.identity.actions.invite import Invited, invite
from stellapromote.identity.forms import FirstPasswordForm, InvitationForm
from stellapromote.identity.invitations import check_open, invitation_of_link, is_mailed, open_invitations
from stellapromote.identity.presenters import mail_state
from stellapromote.identity.product_choice import live_products
from stellapromote.identity.roster import teams_of
from stellapromote.identity.views.page import first_of, render_settings
from stellapromote.web.access import public
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.forms import posted
from stellapromote.web.htmx import go_to


@require_http_methods(["GET", "HEAD", "POST"])
def invitations(request: HttpRequest) -> HttpResponse:
    """The open invitations; makes a new one. Its link is shown in the answer to the form, and never again."""
    by = acting(request)
    form = _form(request)
    return carry_out(
        request,
        lambda: invite(by=by, clock=DATABASE_CLOCK, **form.cleaned_data),
        form=form,
        again=lambda refusal: _page(request, form=form, refusal=refusal),
        then=lambda invited: _made(request, invited),
    )


@require_POST
def send(request: HttpRequest, invitation_id: UUID) -> HttpResponse:
    """Gives an invitation a new link, by e-mail or shown."""
    by = acting(request)
    return carry_out(
        request,
        lambda: send_invitation(by=by, clock=DATABASE_CLOCK, invitation_id=invitation_id),
        again=lambda refusal: _page(request, refusal=refusal),
        then=lambda invited: _made(request, invited),
    )


@require_POST
def withdraw(request: HttpRequest, invitation_id: UUID) -> HttpResponse:
    by = acting(request)
    return carry_out(
        request,
        lambda: withdraw_invitation(by=by, clock=DATABASE_CLOCK, invitation_id=invitation_id),
        again=lambda refusal: _page(request, refusal=refusal),
        then=lambda withdrawn: go_to(
            request, reverse("settings_invitations"), done=f"The invitation of {withdrawn.username} is withdrawn."
        ),
    )


@public
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Where the link of an invitation leads: a new person sets their password, another one accepts signed in."""
    found = invitation_of_link(secret)
    if found is None:
        return render(request, "identity/link_ended.html", status=404)
    over = sentence_against(check_open, found, DATABASE_CLOCK.now())
    if over:
        return render(request, "identity/invitation_over.html", {"why": over}, status=404)
    if User.objects.filter(username=found.username).exists():
        return _accept_signed_in(request, secret, found)
    return _accept_with_password(request, secret, found)


def _accept_with_password(request: HttpRequest, secret: str, found: Invitation) -> HttpResponse:
    person = User(username=found.username, display_name=found.display_name)
    form = FirstPasswordForm(person, posted(request))

    def page(refusal: ProductError | None) -> HttpResponse:
        context = {"form": form, "person": person, "invitation": found, "refusal": refusal}
        return render(request, "identity/first_password.html", context)

    return carry_out(
        request,
        lambda: accept_with_new_account(
            by=sign_in_records.nobody(request),
            clock=DATABASE_CLOCK,
            secret=secret,
            password=form.cleaned_data["new_password1"],
        ),
        form=form,
        again=page,
        then=lambda _: go_to(request, reverse("account_login"), done="Your password is set. Sign in with it."),
    )


def _accept_signed_in(request: HttpRequest, secret: str, found: Invitation) -> HttpResponse:
    person = request.user if isinstance(request.user, User) else None
    is_invited = person is not None and person.username == found.username

    def page(refusal: ProductError | None) -> HttpResponse:
        context = {"invitation": found, "person": person, "is_invited": is_invited, "refusal": refusal}
        return render(request, "identity/accept_invitation.html", context)

    if request.method != "POST":
        return page(None)
    if person is None or not is_invited:
        refused = page(None)
        refused.status_code = 403
        return refused
    return carry_out(
        request,
        lambda: accept_signed_in(
            by=sign_in_records.person_without_tenant(request, person), clock=DATABASE_CLOCK, secret=secret
        ),
        again=page,
        then=lambda accepted: go_to(
            request, reverse("settings"), done=f"You are a member of {accepted.tenant.name} now."
        ),
    )


def _form(request: HttpRequest, *, empty: bool = False) -> InvitationForm:
    tenant_id = acting(request).tenant
    teams = teams_of(tenant_id).order_by("slug").values_list("slug", "name")
    products = live_products(tenant_id)
    return InvitationForm(None if empty else posted(request), teams=teams, products=products, mailed=is_mailed())


def _made(request: HttpRequest, invited: Invited) -> HttpResponse:
    if invited.link is None:
        done = f"The invitation of {invited.invitation.username} goes to {invited.invitation.email}."
        return go_to(request, reverse("settings_invitations"), done=done)
    return _page(request, invited=invited)


def _page(
    request: HttpRequest,
    *,
    form: InvitationForm | None = None,
    refusal: ProductError | None = None,
    invited: Invited | None = None,
) -> HttpResponse:
    by = acting(request)
    by.require(TENANT_ADMIN)
    now = DATABASE_CLOCK.now()
    found = first_of(open_invitations(by.tenant))
    rows: list[dict[str, Any]] = [
        {"invitation": each, "is_over": each.expires_at <= now, "mail": mail_state(each)} for each in found.rows
    ]
    context = {
        "form": form or _form(request, empty=True),
        "refusal": refusal,
        "invited": invited,
        "invitations": rows,
        "more": found.more,
        "mailed": is_mailed(),
    }
    return render_settings(request, "invitations", "members", context)
