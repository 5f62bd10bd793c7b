from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from policies import documents, rules, weakening
from policies.actions.lock import lock_approval_policy
from policies.actions.versions import add_approval_version
from policies.etags import approval_policy_tag
from policies.guarding import protected_by
from policies.models import ApprovalPolicy
from policies.proposals import proposable
from policies.weakening_edits import Weakening
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import POLICY_WRITE
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@proposable("approval_policy.update")
@transactional
def update_approval_policy(
    *,
    by: Actor,
    clock: Clock,
    policy_id: UUID,
    changes: Mapping[str, Any],
    used_by: Sequence[str],
    enabled: bool | None = None,
    if_match: IfMatch | None = None,
) -> ApprovalPolicy:
    """Merges `changes`, fields of the document in wire names, into the policy; `enabled` None leaves it (domain.md §5).

    Another document is a new version, the same one is none. Everything that it makes easier is noted as weakening
    edits, and is a proposal where the policy guards a protected environment. A policy that is enabled must be
    satisfiable. `used_by`: names of the environments that name the policy, read under its lock
    (promotions/actions): a policy in use cannot be disabled. Raises Http404, Refused (403), PreconditionFailed (412),
    Retired and InUse (409), InvalidDocument (400), Unsatisfiable of documents or rules (422).
    """
    by.require(POLICY_WRITE)
    policy = lock_approval_policy(policy_id, by.tenant)
    assert policy.current is not None
    if if_match is not None:
        if_match.check(approval_policy_tag(policy, used_by))
    rules.check_can_edit(policy)
    at = clock.now()
    current = orjson.loads(policy.current.canonical)
    document = documents.approval_policy(_merged(current, changes))
    rules.check_same_name(policy.name, document.content["name"])
    before = {"enabled": policy.enabled, "document": current}
    tag = approval_policy_tag(policy, used_by)
    enabled = policy.enabled if enabled is None else enabled
    if policy.enabled and not enabled:
        rules.check_can_stop_using(policy, used_by)
    is_new_version = document.digest != policy.current.digest
    if not is_new_version and enabled == policy.enabled:
        return policy
    if is_new_version or (enabled and not policy.enabled):
        rules.check_approval_rules(by.tenant, document.content, current, at, enabled=enabled)
    if is_new_version:
        add_approval_version(policy, document, by=by, at=at)
    policy.enabled, policy.updated_at, policy.revision = enabled, at, policy.revision + 1
    policy.save(update_fields=["current", "enabled", "updated_at", "revision"])
    weaker = weakening.in_approval_policy(current, document.content)
    after = {"enabled": enabled, "document": document.content}
    weakened = Weakening("approval_policy", str(policy.id), policy.name, tag, before, after)
    weakened.add(weaker, policy_name=policy.name, guards=protected_by(policy))
    record(
        by=by,
        at=at,
        action="approval_policy.updated",
        resource="approval_policy",
        resource_id=policy.id,
        before=before,
        after={**after, "weakening": weaker},
        metadata={
            "name": policy.name,
            "version": policy.current.version,
            "digest": document.digest,
        },
        rows=[policy, *weakened.store(by=by, at=at)],
    )
    return policy


def _merged(current: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the changes in it; the flags of separationOfDuties merge one by one."""
    merged = {**current, **changes}
    duties = changes.get("separationOfDuties")
    if isinstance(duties, Mapping):
        merged["separationOfDuties"] = {**current["separationOfDuties"], **duties}
    return merged
