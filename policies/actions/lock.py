"""Policy rows under their lock. The current version is read by a statement of its own: PostgreSQL re-reads a row that
it had to wait for, but joins it with what the statement saw before, where a version written meanwhile is missing."""

from uuid import UUID

from django.http import Http404

from policies.models import ApprovalPolicy, PromotionPolicy


def lock_approval_policy(policy_id: UUID, tenant_id: UUID) -> ApprovalPolicy:
    """The policy FOR UPDATE: no environment can begin to name it meanwhile. Http404."""
    policy = ApprovalPolicy.objects.select_for_update().filter(pk=policy_id, tenant_id=tenant_id).first()
    if policy is None:
        raise Http404("No such approval policy.")
    return policy


def lock_promotion_policy(name: str, tenant_id: UUID) -> PromotionPolicy:
    """The policy FOR UPDATE. Http404."""
    policy = PromotionPolicy.objects.select_for_update().filter(name=name, tenant_id=tenant_id).first()
    if policy is None:
        raise Http404("No such promotion policy.")
    return policy
