from collections.abc import Mapping
from typing import Any
from uuid import UUID

from policies.actions.lock import lock_approval_policy
from policies.actions.update_approval_policy import update_approval_policy as update
from policies.models import ApprovalPolicy, Proposal
from promotions.reading.policy_use import names_using
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import POLICY_WRITE
from stellapromote.api.etag import IfMatch
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@transactional
def update_approval_policy(
    *,
    by: Actor,
    clock: Clock,
    policy_id: UUID,
    changes: Mapping[str, Any],
    enabled: bool | None = None,
    if_match: IfMatch | None = None,
) -> ApprovalPolicy | Proposal:
    """Changes a policy; one that environments name cannot be disabled, which is looked up under the policy's lock.

    Raises what policies.actions.update_approval_policy raises.
    """
    by.require(POLICY_WRITE)
    used_by = names_using(lock_approval_policy(policy_id, by.tenant))
    return update(
        by=by,
        clock=clock,
        policy_id=policy_id,
        changes=changes,
        enabled=enabled,
        used_by=used_by,
        if_match=if_match,
    )
