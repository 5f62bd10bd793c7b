"""By which promotion policies releases enter protected environments, and which of these a freeze holds shut
(domain.md §5)."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from environments.models import Environment
from policies.models import Proposal
from policies.stored_documents import existing_documents

Guard = tuple[str, Mapping[str, Any]]
"""The name of a protected environment, and the document of a promotion policy that guards it."""

EARLIER: Final[list[Callable[[UUID, datetime], Iterable[Guard]]]] = []
"""The policies by which earlier requests are still judged, for a tenant at an instant; the app promotions registers
it."""


def guards(tenant_id: UUID, at: datetime) -> list[Guard]:
    """Each protected environment with each promotion policy by which a release may enter it: the version in force,
    those that open promotions keep, and what waits for a second person: the draft of the policy, and
    those that open proposals put in force there (docs/adr/0186). Archived environments too, for they may return. A few
    statements."""
    protected = Environment.objects.of(tenant_id).filter(protected=True)
    rows = list(protected.values_list("name", "promotion_policy__current__canonical", "promotion_policy__draft"))
    found: list[Guard] = [(name, orjson.loads(canonical)) for name, canonical, _ in rows if canonical is not None]
    found += [(name, draft) for name, _, draft in rows if draft is not None]
    found += _proposed(tenant_id, at)
    for earlier in EARLIER:
        found += earlier(tenant_id, at)
    return found


def _proposed(tenant_id: UUID, at: datetime) -> list[Guard]:
    """The promotion policies that open proposals put in force, each with the protected environments concerned."""
    open_ones = Proposal.objects.of(tenant_id).open().filter(expires_at__gt=at)
    named = {
        (guard, policy["digest"])
        for concerned, policies in open_ones.values_list("guards", "policies")
        for policy in policies
        if policy["kind"] == "promotion_policy" and policy["after"]
        for guard in concerned
    }
    texts = existing_documents(tenant_id, {digest for _, digest in named})
    return [(guard, texts[digest]) for guard, digest in sorted(named)]


def frozen_by(tenant_id: UUID, environment: Environment | None, at: datetime) -> list[str]:
    """Names of the protected environments that a freeze of ``environment``, or with None of the whole tenant, concerns.

    Itself, and those of whose policies a gate waits until it is not frozen; archived ones too, for they may return.
    Read under the lock of the calendar. Cost: as of guards.
    """
    if environment is None:
        protected = Environment.objects.of(tenant_id).filter(protected=True)
        return sorted(protected.values_list("name", flat=True))
    waiting = {name for name, policy in guards(tenant_id, at) if _waits_for_thaw(policy, environment.name)}
    return sorted({*waiting, *([environment.name] if environment.protected else [])})


def naming(tenant_id: UUID, name: str, at: datetime) -> list[str]:
    """Names of the protected environments of which a dependency gate names the environment. Cost: as of guards."""
    return sorted(
        {
            guarded
            for guarded, policy in guards(tenant_id, at)
            if any(target.get("environment") == name for target in _dependencies(policy))
        }
    )


def _waits_for_thaw(policy: Mapping[str, Any], name: str) -> bool:
    return any(
        target["type"] == "environment" and (target["environment"], target["state"]) == (name, "not-frozen")
        for target in _dependencies(policy)
    )


def _dependencies(policy: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return (target for gate in policy["gates"] if gate["kind"] == "dependency" for target in gate["config"]["targets"])
