"""The approval policies that ask for the owners of a product, and the protected environments that they guard
(domain.md §5)."""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

import orjson

from environments.models import EnvironmentApprovalPolicy
from policies.models import ApprovalPolicy, Proposal
from policies.requirements import asks_owners
from policies.stored_documents import existing_documents


def policies_asking_owners(tenant_id: UUID, at: datetime) -> dict[str, set[str]]:
    """Names of the protected environments that each such policy guards, or would guard once an open proposal is
    confirmed, by the name of the policy. Archived environments too, for they may return. Four statements.

    Proposals are read first: one that is confirmed meanwhile is in force then.
    """
    found = _proposed(tenant_id, at)
    live = ApprovalPolicy.objects.of(tenant_id).live().values_list("name", "current__canonical")
    asking = {name for name, canonical in live if canonical is not None and asks_owners(orjson.loads(canonical))}
    links = EnvironmentApprovalPolicy.objects.filter(policy__tenant_id=tenant_id, environment__protected=True)
    for name in asking:
        found[name] |= set()
    for policy, environment in links.values_list("policy__name", "environment__name"):
        if policy in asking:
            found[policy].add(environment)
    return dict(found)


def _proposed(tenant_id: UUID, at: datetime) -> dict[str, set[str]]:
    """Of open proposals: those that change such a policy, and those that have an environment name one."""
    open_ones = Proposal.objects.of(tenant_id).open().filter(expires_at__gt=at)
    found: defaultdict[str, set[str]] = defaultdict(set)
    named: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for kind, name, after, guards, policies in open_ones.values_list("kind", "name", "after", "guards", "policies"):
        if kind == "approval_policy.update" and after is not None and asks_owners(after["document"]):
            found[name].update(guards)
        for policy in policies:
            if policy["kind"] == "approval_policy" and policy["after"]:
                named[policy["digest"]].update((policy["name"], guard) for guard in guards)
    for digest, text in existing_documents(tenant_id, named).items():
        if asks_owners(text):
            for name, guard in named[digest]:
                found[name].add(guard)
    return found
