"""Which protected environments have a gate that reads a trusted key, a feed or an override (domain.md §5)."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

import orjson

from environments.models import Environment
from policies.gates.security.config import rules_in
from policies.security import epss_threshold, kev_blocker
from promotions.models import Feed, TrustedKey

Gate = Mapping[str, Any]

_RULES: Final[dict[str, str]] = {Feed.Kind.KEV: kev_blocker.NAME, Feed.Kind.EPSS: epss_threshold.NAME}


def trusting_key(tenant_id: UUID, key: TrustedKey) -> list[str]:
    """Where a gate believes what the key signs: it names the key, or any trusted key will do."""
    names = {key.name, key.key_id}

    def reads(gate: Gate, _environment: str) -> bool:
        if gate["kind"] == "evidence":
            named = gate["config"]["trustedKeys"]
            return not named or not names.isdisjoint(named)
        if gate["kind"] == "security":
            return not names.isdisjoint(gate["config"]["trustedKeys"])
        return bool(gate["kind"] == "policy")

    return _protected_with(tenant_id, reads)


def reading_feed(tenant_id: UUID, kind: str) -> list[str]:
    """Where a gate asks whether a CVE is exploited, or how likely that is. ``kind``: of the feed."""
    rule = _RULES[kind]

    def reads(gate: Gate, environment: str) -> bool:
        if gate["kind"] == "security":
            return rule in rules_in(gate["config"], environment)
        return bool(gate["kind"] == "policy")

    return _protected_with(tenant_id, reads)


def overridable(tenant_id: UUID) -> list[str]:
    """Where a policy lets somebody override a gate."""
    return _protected_with(tenant_id, lambda gate, _environment: "override" in gate)


def _protected_with(tenant_id: UUID, reads: Callable[[Gate, str], bool]) -> list[str]:
    """Names of the protected environments of whose policy a gate reads it. One statement."""
    rows = Environment.objects.of(tenant_id).filter(protected=True).order_by("name")
    policies = rows.values_list("name", "promotion_policy__current__canonical")
    return [
        name
        for name, canonical in policies
        if canonical is not None and any(reads(gate, name) for gate in orjson.loads(canonical)["gates"])
    ]
