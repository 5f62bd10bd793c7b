from dataclasses import replace
from typing import Final

from policies import documents
from policies.actions.versions import add_promotion_version
from policies.models import PromotionPolicy
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.transactions import transactional

DEFAULT_POLICY: Final = "default"


@transactional
def seed_default_policy(*, by: Actor, clock: Clock, tenant: Tenant) -> PromotionPolicy:
    """The published policy that every tenant starts with (domain.md §1): preconditions, freeze-window, approval.

    `by` is the platform owner's command or the system; it needs no scope, because a new tenant has no grants. Once per
    tenant: a tenant that has the policy keeps it as it is.
    """
    found = PromotionPolicy.objects.filter(tenant=tenant, name=DEFAULT_POLICY).select_related("current").first()
    if found is not None:
        return found
    at = clock.now()
    document = documents.promotion_policy({})
    policy = PromotionPolicy.objects.create(tenant=tenant, name=DEFAULT_POLICY, created_at=at, updated_at=at)
    add_promotion_version(policy, document, by=by, at=at)
    policy.save(update_fields=["current"])
    record(
        by=replace(by, tenant_id=tenant.id, tenant_slug=tenant.slug),
        at=at,
        action="policy.published",
        resource="promotion_policy",
        resource_id=policy.id,
        after={"document": document.content},
        metadata={"name": DEFAULT_POLICY, "version": 1, "digest": document.digest},
        rows=[policy],
    )
    return policy
