from collections.abc import Mapping
from typing import Any

import orjson

from policies import documents
from policies.actions.lock import lock_promotion_policy
from policies.etags import promotion_policy_tag
from policies.models import PromotionPolicy
from policies.references import check_references
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import accounts_behind
from stellapromote.accounts.scopes import POLICY_WRITE
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@transactional
def save_draft(
    *, by: Actor, clock: Clock, name: str, changes: Mapping[str, Any], if_match: IfMatch | None = None
) -> PromotionPolicy:
    """Merges `changes`, fields of the document in wire names, into the draft, or into a new one of what is published.

    None takes a field out.

    A draft that equals the published version is no draft. Guards nothing until it is published (domain.md §6).
    Raises Http404, Refused (403), PreconditionFailed (412), InvalidDocument (400).
    """
    by.require(POLICY_WRITE)
    policy = lock_promotion_policy(name, by.tenant)
    if if_match is not None:
        if_match.check(promotion_policy_tag(policy))
    at = clock.now()
    before = policy.draft
    published = orjson.loads(policy.current.canonical) if policy.current else {}
    merged = {**(published if before is None else before), **changes}
    document = documents.promotion_policy({name: value for name, value in merged.items() if value is not None})
    check_references(by.tenant, document.content, published or None, sent=merged)
    is_draft = policy.current is None or document.digest != policy.current.digest
    draft = document.content if is_draft else None
    if draft == before:
        return policy
    policy.draft, policy.draft_by_id = draft, by.user_id if is_draft else None
    policy.drafters = sorted({*policy.drafters, *accounts_behind(by)}) if is_draft else []
    policy.updated_at, policy.revision = at, policy.revision + 1
    policy.save(update_fields=["draft", "draft_by", "drafters", "updated_at", "revision"])
    record(
        by=by,
        at=at,
        action="promotion_policy.draft_saved",
        resource="promotion_policy",
        resource_id=policy.id,
        before={"draft": before},
        after={"draft": draft},
        metadata={"name": name},
        rows=[policy],
    )
    return policy
