from uuid import UUID

from django.http import Http404

from policies.models import ApprovalPolicy, PromotionPolicy


def lock_approval_policy(policy_id: UUID, tenant_id: UUID) -> ApprovalPolicy:
    """The policy FOR UPDATE, with its current version: no environment can begin to name it meanwhile. Http404."""
    policies = ApprovalPolicy.objects.select_for_update(of=("self",)).select_related("current")
    policy = policies.filter(pk=policy_id, tenant_id=tenant_id).first()
    if policy is None:
        raise Http404("No such approval policy.")
    return policy


def lock_promotion_policy(name: str, tenant_id: UUID) -> PromotionPolicy:
    """The policy FOR UPDATE, with its current version if it has one. Http404."""
    policies = PromotionPolicy.objects.select_for_update(of=("self",)).select_related("current")
    policy = policies.filter(name=name, tenant_id=tenant_id).first()
    if policy is None:
        raise Http404("No such promotion policy.")
    return policy
