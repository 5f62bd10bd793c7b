"""/proposals: edits that wait for a second person, and the right to override, whose grant may be one (domain.md §5)."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from policies import rules
from policies.differences import differences
from policies.etags import proposal_tag
from policies.models import Proposal
from policies.proposed_page import go_to_proposal
from promotions import proposal_rules
from promotions.actions.grant_override import grant_override
from promotions.actions.proposals import confirm_proposal, withdraw_proposal
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import POLICY_READ, TENANT_ADMIN
from stellapromote.api.etag import IfMatch
from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.identity.forms import GrantScopeForm
from stellapromote.identity.roster import members_of
from stellapromote.web.acting import acting
from stellapromote.web.htmx import go_to

SHOWN_ENDED = 50


@require_safe
def proposals(request: HttpRequest) -> HttpResponse:
    """Those that wait, and the last that ended."""
    found = Proposal.objects.of(_reader(request).tenant).newest_first()
    context = {"waiting": found.open(), "ended": found.exclude(state=Proposal.State.OPEN)[:SHOWN_ENDED]}
    return render(request, "policies/proposals.html", context)


@require_safe
def proposal(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """What one edit would make easier, field by field, with the buttons to confirm and to withdraw."""
    by = _reader(request)
    found = get_object_or_404(Proposal.objects.of(by.tenant), pk=proposal_id)
    context = {
        "proposal": found,
        "tag": proposal_tag(found),
        "differences": differences(found.before or {}, found.after or {}),
        "cannot_confirm": rules.can(lambda: proposal_rules.check_can_confirm(by, found, SYSTEM_CLOCK.now())),
        "cannot_withdraw": rules.can(lambda: proposal_rules.check_can_withdraw(by, found)),
    }
    return render(request, "policies/proposal.html", context)


@require_POST
def confirm(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Carries out the proposal that the page showed."""
    by = _reader(request)
    confirm_proposal(proposal_id, by=by, if_match=_shown(request), clock=SYSTEM_CLOCK)
    messages.success(request, _("Confirmed. The edit is in force from now on."))
    return go_to(request, reverse("proposal", args=[proposal_id]))


@require_POST
def withdraw(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Ends the proposal that the page showed."""
    withdraw_proposal(proposal_id, by=_reader(request), if_match=_shown(request), clock=SYSTEM_CLOCK)
    messages.success(request, _("Withdrawn. Nothing changed."))
    return go_to(request, reverse("proposals"))


@require_POST
def grant_right(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Lets a member override gates."""
    by = acting(request)
    by.require(TENANT_ADMIN)
    if not members_of(by.tenant, user_id):
        raise Http404("Nobody of this tenant.")
    values = GrantScopeForm(request.POST, held=())
    if not values.is_valid():
        messages.error(request, " ".join(str(each) for errors in values.errors.values() for each in errors))
        return redirect("settings_member", user_id)
    granted = grant_override(by=by, clock=SYSTEM_CLOCK, user_id=user_id, **values.cleaned_data)
    if isinstance(granted, Proposal):
        return go_to_proposal(request, granted)
    messages.success(request, _("Saved. It counts from now on."))
    return redirect("settings_member", user_id)


def _shown(request: HttpRequest) -> IfMatch:
    return IfMatch(request.POST.get("tag", ""))


def _reader(request: HttpRequest) -> Actor:
    by = acting(request)
    by.require(POLICY_READ)
    return by
