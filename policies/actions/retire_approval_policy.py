from collections.abc import Sequence
from uuid import UUID

from policies import rules
from policies.actions.lock import lock_approval_policy
from policies.etags import approval_policy_tag
from policies.models import ApprovalPolicy
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import POLICY_WRITE
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@transactional
def retire_approval_policy(
    *, by: Actor, clock: Clock, policy_id: UUID, used_by: Sequence[str], if_match: IfMatch | None = None
) -> ApprovalPolicy:
    """Takes the policy out of use for ever; its versions stay, and its name is never used again (domain.md §5).

    `used_by`: names of the environments that name it, read under its lock (promotions/actions).
    Raises Http404, Refused (403), PreconditionFailed (412), Retired and InUse (409).
    """
    by.require(POLICY_WRITE)
    policy = lock_approval_policy(policy_id, by.tenant)
    if if_match is not None:
        if_match.check(approval_policy_tag(policy, used_by))
    rules.check_can_edit(policy)
    rules.check_can_stop_using(policy, used_by)
    at = clock.now()
    before = {"enabled": policy.enabled, "retired": False}
    policy.retired_at, policy.enabled, policy.updated_at = at, False, at
    policy.revision += 1
    policy.save(update_fields=["retired_at", "enabled", "updated_at", "revision"])
    record(
        by=by,
        at=at,
        action="approval_policy.retired",
        resource="approval_policy",
        resource_id=policy.id,
        before=before,
        after={"enabled": False, "retired": True},
        metadata={"name": policy.name},
        rows=[policy],
    )
    return policy
