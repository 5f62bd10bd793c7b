"""The promotion page and what people do there."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from promotions import queries, replay
from promotions.actions.approve import approve as give_approval
from promotions.actions.ballot_box import Seen
from promotions.actions.cancel import cancel as cancel_promotion
from promotions.actions.confirm import confirm as confirm_gate
from promotions.actions.confirm import unconfirm as unconfirm_gate
from promotions.actions.evaluate import evaluate as evaluate_promotion
from promotions.actions.override_gate import Wanted, override_gate
from promotions.actions.reject import reject as reject_promotion
from promotions.actions.review_override import review_override as give_review
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.blindness import check_can_see_votes
from promotions.forms import CancelForm, OverrideForm, RejectForm, ReviewForm, SubjectForm, VoteForm
from promotions.models import EvidencePacket, Override, Promotion
from promotions.promotion_page import promotion_page
from promotions.verifying import Verification, known_keys, verify_stored_override
from promotions.verifying.audit_head import verify_stored_here
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import EVIDENCE_READ, PROMOTION_READ
from stellapromote.audit.refusals import note_refused_request
from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.errors import ProductError
from stellapromote.web.acting import acting
from stellapromote.web.htmx import go_to, poll, poll_tag, render_page

Context = dict[str, Any]


@require_safe
def promotion(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    """What goes where, what changes, every gate, who has approved and who may, and the two buttons."""
    by = acting(request)
    by.require(PROMOTION_READ)
    found = queries.promotion_of(by.tenant, promotion_id)
    return poll(request, _version(found, by), lambda: _page(request, found, by))


@require_POST
def approve(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    form = VoteForm(request.POST)

    def act(by: Actor) -> Promotion:
        seen = Seen(form.cleaned_data["subject_digest"])
        return give_approval(promotion_id, by=by, comment=form.cleaned_data["comment"], seen=seen)

    return _vote(request, promotion_id, form, act, _("Your approval is stored."))


@require_POST
def reject(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    form = RejectForm(request.POST)

    def act(by: Actor) -> Promotion:
        seen = Seen(form.cleaned_data["subject_digest"])
        return reject_promotion(promotion_id, by=by, reason=form.cleaned_data["reason"], seen=seen)

    return _vote(request, promotion_id, form, act, _("You rejected this promotion: it can no longer start."))


@require_POST
def withdraw(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    form = SubjectForm(request.POST)

    def act(by: Actor) -> Promotion:
        return withdraw_approval(promotion_id, by=by, seen=Seen(form.cleaned_data["subject_digest"]))

    return _vote(request, promotion_id, form, act, _("Your approval is withdrawn."))


@require_POST
def confirm(request: HttpRequest, promotion_id: UUID, gate: str) -> HttpResponse:
    form = VoteForm(request.POST)

    def act(by: Actor) -> Promotion:
        seen = Seen(form.cleaned_data["subject_digest"])
        return confirm_gate(promotion_id, gate, by=by, comment=form.cleaned_data["comment"], seen=seen)

    return _vote(request, promotion_id, form, act, _("Your confirmation is stored."))


@require_POST
def unconfirm(request: HttpRequest, promotion_id: UUID, gate: str) -> HttpResponse:
    form = SubjectForm(request.POST)

    def act(by: Actor) -> Promotion:
        return unconfirm_gate(promotion_id, gate, by=by, seen=Seen(form.cleaned_data["subject_digest"]))

    return _vote(request, promotion_id, form, act, _("Your confirmation is withdrawn."))


@require_POST
def override(request: HttpRequest, promotion_id: UUID, gate: str) -> HttpResponse:
    form = OverrideForm(request.POST)

    def act(by: Actor) -> Promotion:
        said = form.cleaned_data
        wanted = Wanted(
            gate,
            reason=said["reason"],
            ticket=said["ticket"],
            expires_at=SYSTEM_CLOCK.now() + timedelta(hours=said["hours"]),
            decision_id=said["decision"],
        )
        return override_gate(promotion_id, wanted, by=by, seen=Seen(said["subject_digest"])).promotion

    return _act(request, promotion_id, form, act, _("The override is stored and signed, for everybody to see."), gate)


@require_POST
def review_override(request: HttpRequest, promotion_id: UUID, override_id: UUID) -> HttpResponse:
    form = ReviewForm(request.POST)

    def act(by: Actor) -> Promotion:
        said = form.cleaned_data
        return give_review(promotion_id, override_id, by=by, verdict=said["verdict"], comment=said["comment"]).promotion

    return _act(request, promotion_id, form, act, _("Your review is stored."), override_id)


@require_POST
def cancel(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    form = CancelForm(request.POST)
    return _act(
        request,
        promotion_id,
        form,
        lambda by: cancel_promotion(promotion_id, by=by, reason=form.cleaned_data["reason"]),
        _("The request is cancelled."),
    )


@require_POST
def evaluate(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    return _act(
        request,
        promotion_id,
        forms.Form(request.POST),
        lambda by: evaluate_promotion(promotion_id, by=by),
        _("All gates were judged again."),
    )


@require_POST
def replay_decision(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    """Judges the stored decision again and shows whether it comes out equal; stores nothing."""
    by = acting(request)
    by.require(PROMOTION_READ)
    found = queries.promotion_of(by.tenant, promotion_id)
    check_can_see_votes(by, found)
    result = replay.replay_stored(queries.current_record(found))
    return _page(request, found, by, replayed=result)


@require_safe
def decision_input(request: HttpRequest, promotion_id: UUID, number: int) -> HttpResponse:
    """The gate input of one record as a file: its bytes have the digest that stands beside the link."""
    by = acting(request)
    by.require(PROMOTION_READ)
    found = queries.promotion_of(by.tenant, promotion_id)
    check_can_see_votes(by, found)
    record = queries.record_of(found, number)
    name = f"promotion-{found.number}-record-{number}-input.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(bytes(record.input), content_type="application/json", headers=headers)


@require_POST
def verify(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    """Checks every packet of the promotion with its envelope, every override, and that each is about this promotion."""
    by = acting(request)
    by.require(EVIDENCE_READ)
    found = queries.promotion_of(by.tenant, promotion_id)
    check_can_see_votes(by, found)
    keys = known_keys()
    verified: list[tuple[EvidencePacket | Override, Verification]] = [
        *((packet, verify_stored_here(packet, keys)) for packet in queries.packets_of(found)),
        *((each, verify_stored_override(each, keys)) for each in found.overrides.order_by("recorded_at", "id")),
    ]
    return _page(request, found, by, verified=verified)


def _vote(
    request: HttpRequest,
    promotion_id: UUID,
    form: forms.Form,
    act: Callable[[Actor], Promotion],
    done: str,
) -> HttpResponse:
    def said(promotion: Promotion, by: Actor) -> str:
        happened = " ".join(filter(None, [done, _count(promotion)]))
        return format_html("{} {}", happened, _next(by, promotion))

    return _act(request, promotion_id, form, act, said)


def _act(
    request: HttpRequest,
    promotion_id: UUID,
    form: forms.Form,
    act: Callable[[Actor], Promotion],
    done: str | Callable[[Promotion, Actor], str],
    about: UUID | str = "",
) -> HttpResponse:
    """Does one thing and shows the page again; a refusal is shown on the page, which then has fresh facts."""
    by = acting(request)
    if not form.is_valid():
        return _refused(request, promotion_id, by, form, None, 400, about)
    try:
        promotion = act(by)
    except ProductError as refusal:
        note_refused_request(request, refusal.code)
        return _refused(request, promotion_id, by, form, refusal, refusal.status, about)
    messages.success(request, done if isinstance(done, str) else done(promotion, by))
    return go_to(request, f"/promotions/{promotion_id}")


def _refused(
    request: HttpRequest,
    promotion_id: UUID,
    by: Actor,
    form: forms.Form,
    refusal: ProductError | None,
    status: int,
    about: UUID | str,
) -> HttpResponse:
    found = queries.promotion_of(by.tenant, promotion_id)
    changed = (refusal.details or {}).get("changed", []) if refusal is not None else []
    return _page(request, found, by, status=status, refusal=refusal, changed=changed, sent=form, sent_about=about)


def _version(promotion: Promotion, by: Actor) -> str:
    """The row's version covers what is decided; names of environments and what this person may do change beside it."""
    around = (promotion.source_environment, promotion.target_environment)
    places = [each.display_name for each in around if each is not None]
    return f"{promotion.pk}:{promotion.version}:{places}:{sorted(by.scopes)}"


def _page(
    request: HttpRequest,
    promotion: Promotion,
    by: Actor,
    *,
    status: int = 200,
    sent: forms.Form | None = None,
    sent_about: UUID | str = "",
    **extra: Any,
) -> HttpResponse:
    """``sent``: the form that was refused, ``sent_about`` its gate or override; what was typed into it stays, with what
    is wrong beside it."""
    poll_tag(request, _version(promotion, by))
    context: Context = {**promotion_page(promotion, by), "wrong": sent, **extra}
    shown = {"subject_digest": promotion.subject_digest, "decision": str(promotion.decision_id)}

    def form(kind: type[forms.Form], auto_id: str, about: UUID | str = "") -> forms.Form:
        if type(sent) is not kind or about != sent_about:
            return kind(initial=shown, auto_id=auto_id)
        again = kind({**request.POST.dict(), **shown}, auto_id=auto_id)
        context["wrong"] = again if again.errors else sent
        return again

    context["vote_form"] = form(VoteForm, "vote_%s")
    context["reject_form"] = form(RejectForm, "reject_%s")
    context["cancel_form"] = form(CancelForm, "cancel_%s")
    for number, each in enumerate(context["overridable"]):
        each["form"] = form(OverrideForm, f"override_{number}_%s", each["gate"]["name"])
    for number, each in enumerate(context["overrides"]):
        each["form"] = form(ReviewForm, f"review_{number}_%s", each["row"].pk)
    return render_page(request, "promotions/promotion.html", context, fragment="body", status=status)


def _count(promotion: Promotion) -> str:
    if not promotion.approvals_required:
        return ""
    return _("%(given)d of %(required)d.") % {
        "given": promotion.approvals_given,
        "required": promotion.approvals_required,
    }


def _next(by: Actor, promotion: Promotion) -> str:
    """How many more wait for the person, with a link to the oldest of them. Two statements."""
    waiting = queries.awaiting_decision_by(by).exclude(pk=promotion.pk)
    oldest = waiting.first()
    if oldest is None:
        return _("Nothing else waits for you.")
    count = waiting.count()
    more = ngettext("%(count)d more waits for you.", "%(count)d more wait for you.", count) % {"count": count}
    name = _("Next: #%(number)d %(release)s into %(target)s") % {
        "number": oldest.number,
        "release": oldest.release.name,
        "target": oldest.target_environment.display_name,
    }
    return format_html('{} <a href="{}"><bdi>{}</bdi></a>', more, reverse("promotion", args=[oldest.pk]), name)
