"""/policies/promotion/<name>/simulate: what a policy would say, before it counts (ui.md). Changes nothing."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from policies.models import PromotionPolicy
from promotions.models import Promotion
from promotions.pages.policy_forms import SimulationForm
from promotions.reading.policy_drafts import draft_document
from promotions.reading.simulation import Draft, Trials, try_on_last, try_on_promotion
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import POLICY_WRITE
from stellapromote.errors import ProductError
from stellapromote.web.acting import acting, carry_out


@require_safe
def simulate(request: HttpRequest, name: str) -> HttpResponse:
    """The draft or a version, tried on one promotion or on the last ones."""
    by = acting(request)
    by.require(POLICY_WRITE)
    policy = get_object_or_404(PromotionPolicy.objects.of(by.tenant), name=name)
    form = SimulationForm(request.GET if "on" in request.GET else None, policy=policy)

    def page(refusal: ProductError | None = None, **tried: Any) -> HttpResponse:
        context = {"policy": policy, "form": form, "refusal": refusal, **tried}
        return render(request, "policies/simulate.html", context)

    # A draft that an older version of the product saved may be refused, and votes may be hidden.
    return carry_out(
        request,
        lambda: _tried(request, policy, form.cleaned_data, by),
        form=form,
        again=page,
        then=lambda tried: page(**tried),
    )


def _tried(request: HttpRequest, policy: PromotionPolicy, said: dict[str, Any], by: Actor) -> dict[str, Any]:
    draft = draft_document(policy, version=said["version"])
    trials = _trials(draft, said, by)
    if trials.hidden:
        are, their = ("is", "its") if trials.hidden == 1 else ("are", "their")
        told = f"{trials.hidden} of the last promotions {are} left out: {their} votes are hidden from you"
        messages.warning(request, f"{told} while voting is blind.")
    return {
        "draft": draft,
        "trials": trials.tried,
        "complete": trials.in_time,
        "differing": sum(each.differs for each in trials.tried),
        "gates": trials.tried[0].evaluation.as_json()["gates"] if said["on"] == SimulationForm.ONE else [],
    }


def _trials(draft: Draft, said: dict[str, Any], by: Actor) -> Trials:
    if said["on"] != SimulationForm.ONE:
        into = said["environment"]
        return try_on_last(draft, said["last"], by=by, environment_id=None if into is None else into.pk)
    found = Promotion.objects.select_related("decision", "release", "target_environment")
    promotion = get_object_or_404(found, tenant_id=by.tenant, number=said["number"])
    return Trials([try_on_promotion(draft, promotion, by=by)])
