"""/policies: guarded environments, versions and their differences, and the people who could approve (ui.md, Pages).

Editing happens in the Django admin; acts that depend on the environments that name a policy happen here.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from policies import rules, sentences
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.differences import Difference, differences
from policies.etags import promotion_policy_tag
from policies.models import ApprovalPolicy, ApprovalPolicyVersion, PromotionPolicy, PromotionPolicyVersion, Proposal
from policies.product_voters import MOST_SHOWN, ProductVoters
from policies.proposed_page import unless_proposed
from policies.second_person import check_second_person
from promotions.actions.retire_approval_policy import retire_approval_policy as retire
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.pages import policies as policy_pages
from promotions.pages.policy_forms import ApproverCheckForm, PublishForm
from promotions.reading.approver_check import ProductNeeded, check_approver, only_product
from promotions.reading.policy_use import names_using
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import POLICY_PUBLISH, POLICY_READ, POLICY_WRITE
from stellapromote.api.etag import IfMatch
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError, sentence_against
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.htmx import go_to


@require_safe
def policies(request: HttpRequest) -> HttpResponse:
    """Every environment with its guards, and every policy with the environments it guards."""
    actor = _reader(request)
    context = {
        "environments": policy_pages.guarded_environments(actor.tenant),
        "approval_policies": policy_pages.approval_policies(actor.tenant),
        "promotion_policies": policy_pages.promotion_policies(actor.tenant),
        "proposed": Proposal.objects.of(actor.tenant).open().count(),
        "weakening_edits": policy_pages.weakening_edits(actor.tenant),
        "cannot_edit": sentence_against(actor.require, POLICY_WRITE),
    }
    return render(request, "policies/policies.html", context)


@require_safe
def approval_policy(request: HttpRequest, policy_id: UUID) -> HttpResponse:
    """One approval policy in words, with its versions and the question who could approve under it."""
    return _approval_policy(request, policy_id)


def _approval_policy(request: HttpRequest, policy_id: UUID, refusal: ProductError | None = None) -> HttpResponse:
    actor = _reader(request)
    policy = get_object_or_404(ApprovalPolicy.objects.of(actor.tenant), pk=policy_id)
    versions = list(policy.versions.select_related("created_by").order_by("-version")[: policy_pages.MOST_VERSIONS])
    document = policy_pages.read_document(policy.current)
    used_by = names_using(policy)
    failing = ProductVoters(actor.tenant, DATABASE_CLOCK.now()).failing([document])
    form = ApproverCheckForm(
        request.GET if "requester" in request.GET else None,
        by=actor,
        first=policy.environments.in_order().first(),
    )
    context = {
        "policy": policy,
        "refusal": refusal,
        "document": document,
        "rules": [(rule["name"], sentences.of_rule(rule)) for rule in document["rules"]],
        "failing": failing[:MOST_SHOWN],
        "also_failing": len(failing[MOST_SHOWN:]),
        "conditions": sentences.of_conditions(document),
        "versions": versions,
        "environments": list(policy.environments.order_by("name")),
        "proposed": list(Proposal.objects.of(actor.tenant).about(policy.pk)),
        "comparison": _comparison(request, versions),
        "form": form,
        "answer": _answer(policy, form),
        "cannot_edit": sentence_against(actor.require, POLICY_WRITE),
        "cannot_stop": sentence_against(actor.require, POLICY_WRITE)
        or sentence_against(rules.check_can_stop_using, policy, used_by),
    }
    return render(request, "policies/approval_policy.html", context)


@require_POST
def retire_approval_policy(request: HttpRequest, policy_id: UUID) -> HttpResponse:
    """Takes the policy out of use for ever."""
    by = _reader(request)
    return carry_out(
        request,
        lambda: retire(by=by, clock=DATABASE_CLOCK, policy_id=policy_id),
        again=lambda refusal: _approval_policy(request, policy_id, refusal),
        then=lambda policy: go_to(
            request, reverse("policies"), done=f"{policy.name} is retired. Its versions stay readable."
        ),
    )


@require_POST
def enable_approval_policy(request: HttpRequest, policy_id: UUID) -> HttpResponse:
    """Lets environments name the policy again."""
    return _switch(request, policy_id, enabled=True)


@require_POST
def disable_approval_policy(request: HttpRequest, policy_id: UUID) -> HttpResponse:
    """Keeps environments from naming the policy."""
    return _switch(request, policy_id, enabled=False)


@require_safe
def promotion_policy(request: HttpRequest, name: str) -> HttpResponse:
    """One promotion policy in words: its gates, its draft, its versions."""
    return _promotion_policy(request, name)


def _promotion_policy(
    request: HttpRequest, name: str, refusal: ProductError | None = None, publish_form: PublishForm | None = None
) -> HttpResponse:
    actor = _reader(request)
    policy = get_object_or_404(PromotionPolicy.objects.of(actor.tenant), name=name)
    versions = list(policy.versions.select_related("published_by").order_by("-version")[: policy_pages.MOST_VERSIONS])
    published = policy_pages.read_document(policy.current) if policy.current else {}
    shown = policy_pages.current_document(policy)
    context = {
        "policy": policy,
        "refusal": refusal,
        "publish_form": publish_form,
        "document": shown,
        "seen": promotion_policy_tag(policy),
        "gates": policy_pages.gates(shown),
        "draft_differences": differences(published, policy.draft) if policy.draft else [],
        "environments": policy.environments.order_by("name"),
        "proposed": list(Proposal.objects.of(actor.tenant).about(policy.pk)),
        "versions": versions,
        "comparison": _comparison(request, versions),
        "cannot_edit": sentence_against(actor.require, POLICY_WRITE),
        "cannot_publish": sentence_against(actor.require, POLICY_PUBLISH)
        or sentence_against(check_second_person, actor, policy.name, policy.drafters, DATABASE_CLOCK.now()),
    }
    return render(request, "policies/promotion_policy.html", context)


@require_POST
def publish(request: HttpRequest, name: str) -> HttpResponse:
    """The draft that the page showed becomes the next version."""
    by, form = _reader(request), PublishForm(request.POST)

    def published(policy: PromotionPolicy) -> HttpResponse:
        assert policy.current is not None
        done = f"Version {policy.current.version} of {name} is published; new promotions are judged by it."
        return go_to(request, reverse("promotion_policy", args=[name]), done=done)

    return carry_out(
        request,
        lambda: publish_promotion_policy(
            by=by, clock=DATABASE_CLOCK, name=name, if_match=IfMatch(form.cleaned_data["seen"])
        ),
        form=form,
        again=lambda refusal: _promotion_policy(request, name, refusal, form),
        then=unless_proposed(request, published),
    )


def _reader(request: HttpRequest) -> Actor:
    actor = acting(request)
    actor.require(POLICY_READ)
    return actor


def _switch(request: HttpRequest, policy_id: UUID, *, enabled: bool) -> HttpResponse:
    by = _reader(request)

    def switched(policy: ApprovalPolicy) -> HttpResponse:
        done = f"{policy.name} is {'enabled' if enabled else 'disabled'}."
        return go_to(request, reverse("approval_policy", args=[policy_id]), done=done)

    return carry_out(
        request,
        lambda: update_approval_policy(by=by, clock=DATABASE_CLOCK, policy_id=policy_id, changes={}, enabled=enabled),
        again=lambda refusal: _approval_policy(request, policy_id, refusal),
        then=unless_proposed(request, switched),
    )


def _answer(policy: ApprovalPolicy, form: ApproverCheckForm) -> Any:
    """The people who could approve, once both questions are answered."""
    if not form.is_bound or not form.is_valid():
        return None
    try:
        return check_approver(
            policy=policy,
            environment=form.cleaned_data["environment"],
            requester_id=form.cleaned_data["requester"].pk,
            product=form.cleaned_data.get("product") or only_product(policy.tenant_id),
            at=DATABASE_CLOCK.now(),
        )
    except ProductNeeded as refusal:
        form.add_error("product" if "product" in form.fields else None, refusal.message)
        return None


def _comparison(
    request: HttpRequest, versions: Sequence[ApprovalPolicyVersion | PromotionPolicyVersion]
) -> dict[str, Any] | None:
    """The two versions that the address names, else the newest two, and what differs; None when there is only one."""
    by_number = {str(each.version): each for each in versions}
    newest = [str(each.version) for each in versions[:2]]
    if len(newest) < 2:
        return None
    after, before = request.GET.get("to", newest[0]), request.GET.get("from", newest[1])
    found: list[Difference] | None = None
    if before in by_number and after in by_number:
        found = differences(policy_pages.read_document(by_number[before]), policy_pages.read_document(by_number[after]))
    return {"before": before, "after": after, "differences": found}
