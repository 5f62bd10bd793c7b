from uuid import UUID

from policies.actions.lock import lock_approval_policy
from policies.actions.retire_approval_policy import retire_approval_policy as retire
from policies.models import ApprovalPolicy
from promotions.reading.policy_use import names_using
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import POLICY_WRITE
from stellapromote.api.etag import IfMatch
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@transactional
def retire_approval_policy(
    *, by: Actor, clock: Clock, policy_id: UUID, if_match: IfMatch | None = None
) -> ApprovalPolicy:
    """Retires a policy that no environment names; looks under the policy's lock, which naming it needs too.

    Raises what policies.actions.retire_approval_policy raises.
    """
    by.require(POLICY_WRITE)
    used_by = names_using(lock_approval_policy(policy_id, by.tenant))
    return retire(by=by, clock=clock, policy_id=policy_id, used_by=used_by, if_match=if_match)
