from collections.abc import Mapping
from typing import Any

from policies import documents, rules
from policies.models import PromotionPolicy
from policies.references import check_references
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import accounts_behind
from stellapromote.accounts.scopes import POLICY_WRITE
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@transactional
def create_promotion_policy(*, by: Actor, clock: Clock, name: str, document: Mapping[str, Any]) -> PromotionPolicy:
    """A policy that is only a draft: no environment can name it before it is published (domain.md §6).

    `document`: gates, pendingTtl, approvalTtl, supersedeOlder in wire names; what is absent has its default.
    Raises Refused (403), InvalidDocument (400), NameTaken (409).
    """
    by.require(POLICY_WRITE)
    rules.check_name(name)
    draft = documents.promotion_policy(dict(document))
    check_references(by.tenant, draft.content, None, sent=document)
    at = clock.now()
    policy, is_new = PromotionPolicy.objects.get_or_create(
        tenant_id=by.tenant,
        name=name,
        defaults={
            "draft": draft.content,
            "draft_by_id": by.user_id,
            "drafters": sorted(accounts_behind(by)),
            "created_at": at,
            "updated_at": at,
        },
    )
    if not is_new:
        raise rules.NameTaken(name, policy.id)
    record(
        by=by,
        at=at,
        action="promotion_policy.created",
        resource="promotion_policy",
        resource_id=policy.id,
        after={"draft": draft.content},
        metadata={"name": name},
        rows=[policy],
    )
    return policy
