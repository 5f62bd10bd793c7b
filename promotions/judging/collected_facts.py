"""The facts that a worker collects for the gates of one promotion: which gates need some, and which stored ones are
fresh. No network: promotions/worker/collecting.py asks, and evaluations read here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db.models import F
from django.db.models.functions import Greatest, Least

from promotions.models import CollectedFact, Promotion
from stellapromote.clock import rfc3339

SETTLE = timedelta(seconds=5)
"""The least time between two questions to the same server: an answer that wavers must not keep a worker busy."""


@dataclass(frozen=True, slots=True)
class FreshFacts:
    """Answers of policy servers that are fresh, by gate; health answers, with their time, by target."""

    answers: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    health: Mapping[str, list[dict[str, Any] | None]] = field(default_factory=dict)


def gates_with_collected_facts(policy: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The gates of a promotion policy whose facts a worker collects."""
    for gate in policy["gates"]:
        if has_policy_server(gate) or http_targets(gate):
            yield gate


def has_policy_server(gate: Mapping[str, Any]) -> bool:
    """Whether a policy server answers for this gate."""
    return bool(gate["kind"] == "policy" and gate["config"]["engine"] == "opa")


def http_targets(gate: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The addresses whose health this gate depends on."""
    if gate["kind"] != "dependency":
        return []
    return [target for target in gate["config"]["targets"] if target["type"] == "http"]


def max_age(gate: Mapping[str, Any]) -> timedelta:
    """The oldest that the collected facts of a gate may be: the least maxAge in its settings."""
    ages = (
        [gate["config"]["maxAge"]] if has_policy_server(gate) else [target["maxAge"] for target in http_targets(gate)]
    )
    return timedelta(seconds=min(ages))


def read_fresh_facts(
    promotion: Promotion, policy: Mapping[str, Any], *, subject_digest: str, at: datetime
) -> FreshFacts:
    """The facts that were collected for this subject and are young enough. Cost: one statement where a gate needs some.

    A fact that is missing here is missing in the gate input, where it never is a pass.
    """
    gates = {gate["name"]: gate for gate in gates_with_collected_facts(policy)}
    if not gates:
        return FreshFacts()
    answers: dict[str, dict[str, Any]] = {}
    health: dict[str, list[dict[str, Any] | None]] = {}
    rows = CollectedFact.objects.filter(
        promotion_id=promotion.pk, subject_digest=subject_digest, gate__in=gates, collected_at__isnull=False
    )
    for row in rows:
        gate, collected_at = gates[row.gate], row.collected_at
        content = orjson.loads(bytes(row.content))
        if collected_at is None:
            continue
        if has_policy_server(gate):
            if at - collected_at <= max_age(gate) and content.get("engine") == "opa":
                answers[row.gate] = {**content, "collectedAt": rfc3339(collected_at)}
        else:
            health[row.gate] = [_health(content["targets"], target, collected_at) for target in http_targets(gate)]
    return FreshFacts(answers, health)


def _health(seen: list[dict[str, Any]], target: Mapping[str, Any], collected_at: datetime) -> dict[str, Any] | None:
    """The stored health of exactly this target, of any age: the gate judges the age itself."""
    for each in seen:
        if each["target"] == target:
            return {**each["observed"], "collectedAt": rfc3339(collected_at)}
    return None


def request_facts(promotion: Promotion, policy: Mapping[str, Any], *, subject_digest: str, at: datetime) -> None:
    """Has the worker collect the facts of this subject: new ones at once, known ones again soon, because the outcome
    changed. Cost: none where no gate needs any, else two statements.
    """
    names = [gate["name"] for gate in gates_with_collected_facts(policy)]
    if not names:
        return
    known = CollectedFact.objects.filter(promotion_id=promotion.pk, subject_digest=subject_digest, gate__in=names)
    known.update(due_at=Least(F("due_at"), Greatest(at, F("collected_at") + SETTLE)))
    CollectedFact.objects.bulk_create(
        [
            CollectedFact(
                tenant_id=promotion.tenant_id,
                promotion_id=promotion.pk,
                gate=name,
                subject_digest=subject_digest,
                due_at=at,
            )
            for name in names
        ],
        ignore_conflicts=True,
    )
