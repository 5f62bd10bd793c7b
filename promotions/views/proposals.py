"""/proposals: edits that wait for a second person, and the right to override, whose grant may be one (domain.md §5)."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from policies.differences import differences
from policies.etags import proposal_tag
from policies.models import Proposal
from policies.presenters import policies_of
from policies.proposed_page import unless_proposed
from promotions.actions.grant_override import grant_override
from promotions.actions.proposals import confirm_proposal, withdraw_proposal
from promotions.voting import proposals as proposal_rules
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ScopeGrant
from stellapromote.accounts.scopes import POLICY_READ, TENANT_ADMIN
from stellapromote.api.etag import IfMatch
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError, sentence_against
from stellapromote.identity.forms import GrantScopeForm
from stellapromote.identity.roster import members_of
from stellapromote.identity.views.members import show_member
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.htmx import go_to

SHOWN_ENDED = 50


@require_safe
def proposals(request: HttpRequest) -> HttpResponse:
    """The proposals that wait, and the last that ended."""
    found = Proposal.objects.of(_reader(request).tenant).newest_first()
    context = {"waiting": found.open(), "ended": found.exclude(state=Proposal.State.OPEN)[:SHOWN_ENDED]}
    return render(request, "policies/proposals.html", context)


@require_safe
def proposal(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """One edit with what it would make easier, field by field, and the buttons to confirm and to withdraw."""
    return _proposal(request, proposal_id)


def _proposal(request: HttpRequest, proposal_id: UUID, refusal: ProductError | None = None) -> HttpResponse:
    by = _reader(request)
    found = get_object_or_404(Proposal.objects.of(by.tenant), pk=proposal_id)
    context = {
        "proposal": found,
        "refusal": refusal,
        "tag": proposal_tag(found),
        "policies": policies_of(found),
        "differences": differences(found.before or {}, found.after or {}),
        "cannot_confirm": sentence_against(proposal_rules.check_can_confirm, by, found, DATABASE_CLOCK.now()),
        "cannot_withdraw": sentence_against(proposal_rules.check_can_withdraw, by, found),
    }
    return render(request, "policies/proposal.html", context)


@require_POST
def confirm(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Carries out the proposal that the page showed."""
    by = _reader(request)
    return carry_out(
        request,
        lambda: confirm_proposal(proposal_id, by=by, if_match=_shown(request), clock=DATABASE_CLOCK),
        again=lambda refusal: _proposal(request, proposal_id, refusal),
        then=lambda _: go_to(
            request, reverse("proposal", args=[proposal_id]), done="Confirmed. The edit is in force from now on."
        ),
    )


@require_POST
def withdraw(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Ends the proposal that the page showed."""
    by = _reader(request)
    return carry_out(
        request,
        lambda: withdraw_proposal(proposal_id, by=by, if_match=_shown(request), clock=DATABASE_CLOCK),
        again=lambda refusal: _proposal(request, proposal_id, refusal),
        then=lambda _: go_to(request, reverse("proposals"), done="Withdrawn. Nothing changed."),
    )


@require_POST
def grant_right(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Lets a member override gates."""
    by = acting(request)
    by.require(TENANT_ADMIN)
    if not members_of(by.tenant, user_id):
        raise Http404("No such member of this tenant.")
    form = GrantScopeForm(request.POST, held=(), auto_id="scope_%s")

    def granted(_: ScopeGrant) -> HttpResponse:
        return go_to(request, reverse("settings_member", args=[user_id]), done="Saved. It counts from now on.")

    return carry_out(
        request,
        lambda: grant_override(by=by, clock=DATABASE_CLOCK, user_id=user_id, **form.cleaned_data),
        form=form,
        again=lambda refusal: show_member(request, user_id, refusal=refusal, scope_form=form),
        then=unless_proposed(request, granted),
    )


def _shown(request: HttpRequest) -> IfMatch:
    return IfMatch(request.POST.get("tag", ""))


def _reader(request: HttpRequest) -> Actor:
    by = acting(request)
    by.require(POLICY_READ)
    return by
