"""Facts from outside for the gates of one promotion: which gates want some, what is stored, what of it is fresh.

Nothing here touches the world: the worker does (promotions/worker/collecting.py), and this is what evaluations read.
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
"""An answer that changed the outcome is not asked again before: a server that wavers must not keep a worker busy."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Answers of policy servers that are fresh, by gate; health answers, with their time, by target."""

    answers: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    health: Mapping[str, list[dict[str, Any] | None]] = field(default_factory=dict)


def outside_gates(policy: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The gates of a promotion policy whose facts a worker collects."""
    for gate in policy["gates"]:
        if is_asked(gate) or http_targets(gate):
            yield gate


def is_asked(gate: Mapping[str, Any]) -> bool:
    """Whether a policy server answers for this gate."""
    return bool(gate["kind"] == "policy" and gate["config"]["engine"] == "opa")


def http_targets(gate: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The addresses whose health this gate depends on."""
    if gate["kind"] != "dependency":
        return []
    return [target for target in gate["config"]["targets"] if target["type"] == "http"]


def max_age(gate: Mapping[str, Any]) -> timedelta:
    """The oldest that the collected facts of a gate may be: the least maxAge in its settings."""
    ages = [gate["config"]["maxAge"]] if is_asked(gate) else [target["maxAge"] for target in http_targets(gate)]
    return timedelta(seconds=min(ages))


def fresh(promotion: Promotion, policy: Mapping[str, Any], *, subject_digest: str, at: datetime) -> Outside:
    """The facts that were collected for this subject and are young enough. Cost: one statement where a gate needs some.

    A fact that is missing here is missing in the gate input, where it never is a pass.
    """
    gates = {gate["name"]: gate for gate in outside_gates(policy)}
    if not gates:
        return Outside()
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
        if is_asked(gate):
            if at - collected_at <= max_age(gate) and content.get("engine") == "opa":
                answers[row.gate] = {**content, "collectedAt": rfc3339(collected_at)}
        else:
            health[row.gate] = [_health(content["targets"], target, collected_at) for target in http_targets(gate)]
    return Outside(answers, health)


def _health(seen: list[dict[str, Any]], target: Mapping[str, Any], collected_at: datetime) -> dict[str, Any] | None:
    """What was seen of exactly this target, by this policy's words, however old: the gate judges that itself."""
    for each in seen:
        if each["target"] == target:
            return {**each["observed"], "collectedAt": rfc3339(collected_at)}
    return None


def want(promotion: Promotion, policy: Mapping[str, Any], *, subject_digest: str, at: datetime) -> None:
    """Asks for the facts of this subject: new ones at once, known ones again soon, because the outcome changed.

    Cost: none where no gate wants any, else two statements.
    """
    names = [gate["name"] for gate in outside_gates(policy)]
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
