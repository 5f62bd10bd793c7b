"""The promotion page and what people do there."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_POST, require_safe

from promotions.actions.approve import approve as give_approval
from promotions.actions.cancel import cancel as cancel_promotion
from promotions.actions.confirm import confirm as confirm_gate
from promotions.actions.confirm import unconfirm as unconfirm_gate
from promotions.actions.evaluate import evaluate as evaluate_promotion
from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.actions.reject import reject as reject_promotion
from promotions.actions.review_override import review_override as give_review
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import EvidencePacket, Override, Promotion
from promotions.packets.verifying import Verification, known_keys, verify_stored_override
from promotions.packets.verifying.audit_head import verify_stored_here
from promotions.pages.changed_parts import changed_parts
from promotions.pages.forms import CancelForm, OverrideForm, RejectForm, ReviewForm, SubjectForm, VoteForm
from promotions.pages.promotion import promotion_page, version_of
from promotions.reading import queries
from promotions.verification import replay
from promotions.voting.blindness import check_can_see_votes
from promotions.voting.session import SeenSubject
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import EVIDENCE_READ, PROMOTION_READ
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.forms import ActionForm
from stellapromote.web.htmx import go_to, poll, poll_tag, render_page

Context = dict[str, Any]


@require_safe
def promotion(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    """One promotion: its release and target, its changes, every gate, the approvals, the people who may approve, and
    the two buttons."""
    by = acting(request)
    by.require(PROMOTION_READ)
    found = queries.promotion_of(by.tenant, promotion_id)
    context = promotion_page(found, by)
    return poll(request, version_of(context), lambda: _page(request, context))


@require_POST
def approve(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    form = VoteForm(request.POST)

    def act(by: Actor) -> Promotion:
        seen = SeenSubject(form.cleaned_data["subject_digest"])
        return give_approval(promotion_id, by=by, seen=seen, **form.texts())

    return _vote(request, promotion_id, form, act, "Your approval is stored.")


@require_POST
def reject(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    form = RejectForm(request.POST)

    def act(by: Actor) -> Promotion:
        seen = SeenSubject(form.cleaned_data["subject_digest"])
        return reject_promotion(promotion_id, by=by, reason=form.cleaned_data["reason"], seen=seen)

    return _vote(request, promotion_id, form, act, "You rejected this promotion: it can no longer start.")


@require_POST
def withdraw(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    form = SubjectForm(request.POST)

    def act(by: Actor) -> Promotion:
        return withdraw_approval(promotion_id, by=by, seen=SeenSubject(form.cleaned_data["subject_digest"]))

    return _vote(request, promotion_id, form, act, "Your approval is withdrawn.")


@require_POST
def confirm(request: HttpRequest, promotion_id: UUID, gate: str) -> HttpResponse:
    form = VoteForm(request.POST)

    def act(by: Actor) -> Promotion:
        seen = SeenSubject(form.cleaned_data["subject_digest"])
        return confirm_gate(promotion_id, gate, by=by, seen=seen, **form.texts())

    return _vote(request, promotion_id, form, act, "Your confirmation is stored.", gate)


@require_POST
def unconfirm(request: HttpRequest, promotion_id: UUID, gate: str) -> HttpResponse:
    form = SubjectForm(request.POST)

    def act(by: Actor) -> Promotion:
        return unconfirm_gate(promotion_id, gate, by=by, seen=SeenSubject(form.cleaned_data["subject_digest"]))

    return _vote(request, promotion_id, form, act, "Your confirmation is withdrawn.")


@require_POST
def override(request: HttpRequest, promotion_id: UUID, gate: str) -> HttpResponse:
    form = OverrideForm(request.POST)

    def act(by: Actor) -> Promotion:
        said = form.cleaned_data
        override_request = OverrideRequest(
            gate,
            reason=said["reason"],
            ticket=said["ticket"],
            expires_at=DATABASE_CLOCK.now() + timedelta(hours=said["hours"]),
            decision_id=said["decision"],
        )
        return override_gate(promotion_id, override_request, by=by, seen=SeenSubject(said["subject_digest"])).promotion

    return _act(request, promotion_id, form, act, "The override is stored and signed, for everybody to see.", gate)


@require_POST
def review_override(request: HttpRequest, promotion_id: UUID, override_id: UUID) -> HttpResponse:
    form = ReviewForm(request.POST)

    def act(by: Actor) -> Promotion:
        said = form.cleaned_data
        return give_review(promotion_id, override_id, by=by, verdict=said["verdict"], comment=said["comment"]).promotion

    return _act(request, promotion_id, form, act, "Your review is stored.", override_id)


@require_POST
def cancel(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    form = CancelForm(request.POST)
    return _act(
        request,
        promotion_id,
        form,
        lambda by: cancel_promotion(promotion_id, by=by, reason=form.cleaned_data["reason"]),
        "The request is cancelled.",
    )


@require_POST
def evaluate(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    return _act(
        request,
        promotion_id,
        None,
        lambda by: evaluate_promotion(promotion_id, by=by),
        "All gates were judged again.",
    )


@require_POST
def replay_decision(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    """Judges the stored decision again and shows whether it comes out equal; stores nothing."""
    by = acting(request)
    by.require(PROMOTION_READ)
    found = queries.promotion_of(by.tenant, promotion_id)
    check_can_see_votes(by, found)
    result = replay.replay_stored(queries.current_record(found))
    return _page(request, promotion_page(found, by), replayed=result)


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
    return _page(request, promotion_page(found, by), verified=verified)


def _vote(
    request: HttpRequest,
    promotion_id: UUID,
    form: ActionForm,
    act: Callable[[Actor], Promotion],
    done: str,
    about: str = "",
) -> HttpResponse:
    def said(promotion: Promotion, by: Actor) -> str:
        happened = " ".join(filter(None, [done, _count(promotion)]))
        return format_html("{} {}", happened, _next(by, promotion))

    return _act(request, promotion_id, form, act, said, about)


def _act(
    request: HttpRequest,
    promotion_id: UUID,
    form: ActionForm | None,
    act: Callable[[Actor], Promotion],
    done: str | Callable[[Promotion, Actor], str],
    about: UUID | str = "",
) -> HttpResponse:
    """Does one thing and leads back to the page. ``about``: the gate or override whose form it is, of several."""
    by = acting(request)
    return carry_out(
        request,
        lambda: act(by),
        form=form,
        again=lambda refusal: show_promotion(request, promotion_id, refusal, sent=form, sent_about=about),
        then=lambda promotion: go_to(
            request, f"/promotions/{promotion_id}", done=done if isinstance(done, str) else done(promotion, by)
        ),
    )


def show_promotion(
    request: HttpRequest,
    promotion_id: UUID,
    refusal: ProductError | None,
    *,
    sent: ActionForm | None = None,
    sent_about: UUID | str = "",
) -> HttpResponse:
    """The page with fresh facts after a refused act; it names what changed since the person looked."""
    by = acting(request)
    by.require(PROMOTION_READ)
    found = queries.promotion_of(by.tenant, promotion_id)
    names = (refusal.details or {}).get("changed", []) if refusal is not None else []
    changed = changed_parts(found, names, sent.cleaned_data["subject_digest"]) if sent is not None and names else []
    context = promotion_page(found, by)
    return _page(request, context, refusal=refusal, changed=changed, sent=sent, sent_about=sent_about)


def _page(
    request: HttpRequest,
    context: Context,
    *,
    sent: ActionForm | None = None,
    sent_about: UUID | str = "",
    **extra: Any,
) -> HttpResponse:
    """``sent``: the form that was refused, ``sent_about`` its gate or override; its input stays, with the errors beside
    it."""
    poll_tag(request, version_of(context))
    promotion: Promotion = context["promotion"]
    context |= {"wrong": sent, **extra}
    shown = {"subject_digest": promotion.subject_digest, "decision": str(promotion.decision_id)}

    def form(kind: type[ActionForm], auto_id: str, about: UUID | str = "") -> ActionForm:
        if sent is None or type(sent) is not kind or about != sent_about:
            return kind(initial=shown, auto_id=auto_id)
        sent.auto_id, sent.data = auto_id, {**request.POST.dict(), **shown}
        return sent

    context["vote_form"] = form(VoteForm, "vote_%s")
    context["reject_form"] = form(RejectForm, "reject_%s")
    context["cancel_form"] = form(CancelForm, "cancel_%s")
    for number, each in enumerate(context["overridable"]):
        each["form"] = form(OverrideForm, f"override_{number}_%s", each["gate"]["name"])
    for number, each in enumerate(context["overrides"]):
        each["form"] = form(ReviewForm, f"review_{number}_%s", each["row"].pk)
    return render_page(request, "promotions/promotion.html", context, fragment="body")


def _count(promotion: Promotion) -> str:
    if not promotion.approvals_required:
        return ""
    return f"{promotion.approvals_given} of {promotion.approvals_required}."


def _next(by: Actor, promotion: Promotion) -> str:
    """The number of further promotions that wait for the person, with a link to the oldest of them. Two statements."""
    waiting = queries.awaiting_decision_by(by).exclude(pk=promotion.pk)
    oldest = waiting.first()
    if oldest is None:
        return "Nothing else waits for you."
    count = waiting.count()
    more = "1 more waits for you." if count == 1 else f"{count} more wait for you."
    name = f"Next: #{oldest.number} {oldest.release.name} into {oldest.target_environment.display_name}"
    return format_html('{} <a href="{}"><bdi>{}</bdi></a>', more, reverse("promotion", args=[oldest.pk]), name)
