"""Asking for a promotion: release, target, preview and reason, one after the other on one page."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from environments.models import Environment
from promotions.actions.request_promotion import (
    ALREADY_ACTIVE,
    Preview,
    PromotionRequest,
    check_not_deprecated,
    check_release_and_target,
    preview_promotion,
    request_promotion,
)
from promotions.judging import ordering
from promotions.models import Promotion, Release
from promotions.pages.forms import RequestForm
from promotions.pages.releases import promotable_releases, release_page
from promotions.reading.queries import diff_of
from promotions.states import ACTIVE
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import PROMOTION_REQUEST
from stellapromote.errors import ProductError, sentence_against
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.forms import posted
from stellapromote.web.htmx import go_to

Context = dict[str, Any]
PREVIEW_REASON = "preview"


@require_http_methods(["GET", "HEAD", "POST"])
def request_page(request: HttpRequest) -> HttpResponse:
    """GET shows the next step for the choices in the address; POST sends the request."""
    by = acting(request)
    by.require(PROMOTION_REQUEST)
    release = _chosen(Release, by, request.GET.get("release"))
    target = _chosen(Environment, by, request.GET.get("target"))
    again = _chosen(Promotion, by, request.GET.get("again"))
    if request.method == "POST" and (release is None or target is None):
        raise Http404
    form = RequestForm(posted(request), initial=None if again is None else RequestForm.initial_of(again))

    def act() -> Promotion:
        promotion_request = PromotionRequest(release.pk, target.pk, form.cleaned_data["reason"], form.change())
        return request_promotion(promotion_request, by=by)

    def page(refusal: ProductError | None) -> HttpResponse:
        context: Context = {"form": form, "refusal": refusal, "release": release, "target": target}
        if release is None:
            context |= release_page(request, by, promotable_releases(by))
        else:
            context["targets"] = _offers(release)
        if release is not None and target is not None:
            context |= _preview(release, target, by)
        return render(request, "promotions/request.html", context)

    return carry_out(
        request,
        act,
        form=form,
        again=page,
        then=lambda made: go_to(
            request, reverse("promotion", args=[made.pk]), done=f"Promotion #{made.number} is requested."
        ),
    )


def _chosen(model: type[Any], by: Actor, text: str | None) -> Any:
    """The object that the address names, or None while none is chosen. Http404 for an object that the tenant does not
    have."""
    if not text:
        return None
    try:
        return model.objects.get(tenant_id=by.tenant, pk=UUID(text))
    except (ValueError, model.DoesNotExist) as error:
        raise Http404 from error


def _offers(release: Release) -> list[Context]:
    """Every target on the path of the product, with the reason why the release may not enter it now: the rules of the
    request that need no evaluation. The verdicts of policies and gates are shown for the chosen one. Two statements for
    all targets."""
    in_the_way = Promotion.objects.filter(release=release, status__in=ACTIVE).only("target_environment_id", "number")
    active = {each.target_environment_id: each for each in in_the_way}
    return [_offer(release, target, entry, active.get(target.pk)) for target, entry in ordering.entries(release)]


def _offer(
    release: Release,
    target: Environment,
    entry: ordering.Entry | ordering.SequenceViolation,
    active: Promotion | None,
) -> Context:
    obstacle = _obstacle(release, target, entry)
    if obstacle or active is None:
        return {"environment": target, "reason": obstacle}
    return {"environment": target, "reason": ALREADY_ACTIVE, "active_id": active.pk, "active_number": active.number}


def _obstacle(release: Release, target: Environment, entry: ordering.Entry | ordering.SequenceViolation) -> str:
    if reason := sentence_against(check_release_and_target, release, target):
        return reason
    if isinstance(entry, ordering.SequenceViolation):
        return entry.message
    return sentence_against(check_not_deprecated, release, entry)


def _preview(release: Release, target: Environment, by: Actor) -> Context:
    try:
        preview: Preview = preview_promotion(PromotionRequest(release.pk, target.pk, PREVIEW_REASON), by=by)
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
