from collections.abc import Mapping
from typing import Any

from policies import documents, rules
from policies.actions.versions import add_approval_version
from policies.models import ApprovalPolicy
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import POLICY_WRITE
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@transactional
def create_approval_policy(
    *, by: Actor, clock: Clock, content: Mapping[str, Any], enabled: bool = True
) -> ApprovalPolicy:
    """Version 1 of a new policy. `content`: the document in wire names (domain.md §5); what is absent has its default.
    A policy that is not enabled guards nothing, so people need not be able to satisfy it yet.

    Raises Refused (403), InvalidDocument (400), Unsatisfiable of documents or rules (422), NameTaken and
    NameUsed (409).
    """
    by.require(POLICY_WRITE)
    document = documents.approval_policy(dict(content))
    name = document.content["name"]
    rules.check_name(name)
    rules.check_name_never_used(by.tenant, name)
    at = clock.now()
    rules.check_approval_rules(by.tenant, document.content, None, at, enabled=enabled)
    policy, is_new = ApprovalPolicy.objects.get_or_create(
        tenant_id=by.tenant,
        name=name,
        retired_at=None,
        defaults={"enabled": enabled, "created_at": at, "updated_at": at},
    )
    if not is_new:
        raise rules.NameTaken(name, policy.id)
    add_approval_version(policy, document, by=by, at=at)
    policy.save(update_fields=["current"])
    record(
        by=by,
        at=at,
        action="approval_policy.created",
        resource="approval_policy",
        resource_id=policy.id,
        after={"enabled": enabled, "document": document.content},
        metadata={"name": name, "version": 1, "digest": document.digest},
        rows=[policy],
    )
    return policy
