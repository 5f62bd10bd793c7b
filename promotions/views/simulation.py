"""/policies/promotion/<name>/simulate: what a policy would say, before it counts (ui.md). Changes nothing."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from policies.models import PromotionPolicy
from promotions.models import Promotion
from promotions.policy_drafts import drafted
from promotions.policy_forms import SimulationForm
from promotions.simulation import Draft, Trials, try_on_last, try_on_promotion
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import POLICY_WRITE
from stellapromote.errors import ProductError
from stellapromote.web.acting import acting


@require_safe
def simulate(request: HttpRequest, name: str) -> HttpResponse:
    """The draft or a version, tried on one promotion or on the last ones that the policy guards."""
    by = acting(request)
    by.require(POLICY_WRITE)
    policy = get_object_or_404(PromotionPolicy.objects.of(by.tenant), name=name)
    form = SimulationForm(request.GET if "on" in request.GET else None, policy=policy)
    context: dict[str, Any] = {"policy": policy, "form": form}
    if form.is_bound and form.is_valid():
        context |= _tried(request, policy, form.cleaned_data, by)
    return render(request, "policies/simulate.html", context, status=400 if form.errors else 200)


def _tried(request: HttpRequest, policy: PromotionPolicy, said: dict[str, Any], by: Actor) -> dict[str, Any]:
    try:
        draft = drafted(policy, version=said["version"])
        trials = _trials(draft, said, by)
    except ProductError as refusal:  # a draft that an older version of the product saved, or votes that are hidden
        return {"refusal": refusal}
    if trials.hidden:
        told = ngettext(
            "%(count)s of the last promotions is left out: its votes are hidden from you while voting is blind.",
            "%(count)s of the last promotions are left out: their votes are hidden from you while voting is blind.",
            trials.hidden,
        )
        messages.warning(request, told % {"count": trials.hidden})
    return {
        "draft": draft,
        "trials": trials.tried,
        "complete": trials.in_time,
        "differing": sum(each.differs for each in trials.tried),
        "gates": trials.tried[0].evaluation.as_json()["gates"] if said["on"] == SimulationForm.ONE else [],
    }


def _trials(draft: Draft, said: dict[str, Any], by: Actor) -> Trials:
    if said["on"] != SimulationForm.ONE:
        return try_on_last(draft, said["last"], by=by)
    found = Promotion.objects.select_related("decision", "release", "target_environment")
    promotion = get_object_or_404(found, tenant_id=by.tenant, number=said["number"])
    return Trials([try_on_promotion(draft, promotion, by=by)])
