"""Asking for a promotion: release, target, preview and reason, one after the other on one page."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from environments.models import Environment
from promotions import ordering
from promotions.actions.request_promotion import (
    ALREADY_ACTIVE,
    Preview,
    Wish,
    check_not_deprecated,
    check_release_and_target,
    preview_promotion,
    request_promotion,
)
from promotions.forms import RequestForm
from promotions.models import Promotion, Release
from promotions.queries import diff_of
from promotions.release_list import promotable, release_page
from promotions.states import ACTIVE
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import PROMOTION_REQUEST
from stellapromote.audit.refusals import note_refused_request
from stellapromote.errors import ProductError
from stellapromote.web.acting import acting

Context = dict[str, Any]
PREVIEW_REASON = "preview"


@require_http_methods(["GET", "HEAD", "POST"])
def request_page(request: HttpRequest) -> HttpResponse:
    """GET reveals the next step of what the address already says; POST asks."""
    by = acting(request)
    by.require(PROMOTION_REQUEST)
    release = _chosen(Release, by, request.GET.get("release"))
    target = _chosen(Environment, by, request.GET.get("target"))
    again = _chosen(Promotion, by, request.GET.get("again"))
    form = RequestForm(
        request.POST if request.method == "POST" else None,
        initial=None if again is None else RequestForm.asked_before(again),
    )
    context: Context = {"form": form, "release": release, "target": target}
    status = 200
    if request.method == "POST":
        if release is None or target is None:
            raise Http404
        if form.is_valid():
            wish = Wish(release.pk, target.pk, form.cleaned_data["reason"], form.change())
            try:
                made = request_promotion(wish, by=by)
            except ProductError as refusal:
                note_refused_request(request, refusal.code)
                context["refusal"], status = refusal, refusal.status
            else:
                messages.success(request, _("Promotion #%(number)d is requested.") % {"number": made.number})
                return redirect("promotion", made.pk)
        else:
            status = 400
    if release is None:
        context |= release_page(request, by, promotable(by))
    else:
        context["targets"] = _offers(release, _environments(by))
    if release is not None and target is not None:
        context |= _preview(release, target, by)
    return render(request, "promotions/request.html", context, status=status)


def _chosen(model: type[Any], by: Actor, text: str | None) -> Any:
    """What the address names, or None while nothing is chosen. Http404 for what the tenant does not have."""
    if not text:
        return None
    try:
        return model.objects.get(tenant_id=by.tenant, pk=UUID(text))
    except (ValueError, model.DoesNotExist) as error:
        raise Http404 from error


def _environments(by: Actor) -> list[Environment]:
    return list(Environment.objects.filter(tenant_id=by.tenant, archived_at=None).order_by("order_index"))


def _offers(release: Release, environments: list[Environment]) -> list[Context]:
    """Every target, with the reason why the release may not enter it now: the rules of the request that say so without
    judging. What policies and gates say is shown for the chosen one. Two statements, however many targets there are.
    """
    entries = ordering.entries(release, environments)
    active = set(
        Promotion.objects.filter(release=release, status__in=ACTIVE).values_list("target_environment_id", flat=True)
    )
    return [
        {"environment": target, "reason": _obstacle(release, target, entries[target.pk], is_active=target.pk in active)}
        for target in environments
    ]


def _obstacle(
    release: Release, target: Environment, entry: ordering.Entry | ordering.SequenceViolation, *, is_active: bool
) -> str:
    try:
        check_release_and_target(release, target)
        if isinstance(entry, ordering.SequenceViolation):
            raise entry
        check_not_deprecated(release, entry)
    except ProductError as refusal:
        return refusal.message
    return ALREADY_ACTIVE if is_active else ""


def _preview(release: Release, target: Environment, by: Actor) -> Context:
    try:
        preview: Preview = preview_promotion(Wish(release.pk, target.pk, PREVIEW_REASON), by=by)
    except ProductError as refusal:
        return {"not_allowed": refusal}
    diff = diff_of(preview.promotion)
    return {
        "preview": preview,
        "gates": preview.gates,
        "diff": diff,
        "newer_runs": _newer_runs(release, diff["against"]),
    }


def _newer_runs(release: Release, against: Mapping[str, Any] | None) -> bool:
    """Whether what runs in the target was created after this release. One statement if anything runs there."""
    if against is None:
        return False
    return Release.objects.filter(pk=against["releaseId"], created_at__gt=release.created_at).exists()
