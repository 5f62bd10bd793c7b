"""The content of the pages about policies, as plain dicts: policies in words, and the environments they guard (ui.md,
/policies)."""

from collections import defaultdict
from typing import Any
from uuid import UUID

import orjson

from environments.models import Environment
from policies import sentences
from policies.models import (
    ApprovalPolicy,
    ApprovalPolicyVersion,
    PromotionPolicy,
    PromotionPolicyVersion,
    WeakeningEdit,
)

MOST_WEAKENING_EDITS = 10
MOST_VERSIONS = 50


def guarded_environments(tenant_id: UUID) -> list[dict[str, Any]]:
    """Every environment in promotion order with what guards it; archived ones are left out. Three statements."""
    environments = (
        Environment.objects.of(tenant_id)
        .live()
        .in_order()
        .select_related("promotion_policy__current")
        .prefetch_related("approval_policy_links__policy__current")
    )
    return [
        {
            "id": environment.id,
            "name": environment.name,
            "display_name": environment.display_name,
            "is_production": environment.is_production,
            "required_approvals": environment.required_approvals,
            "separation_of_duties": environment.require_separation_of_duties,
            "promotion_policy": environment.promotion_policy,
            "approval_policies": environment.entries,
        }
        for environment in environments
    ]


def approval_policies(tenant_id: UUID) -> list[dict[str, Any]]:
    """Policies that are not retired, by name, each with its requirements and the environments that name it."""
    policies = ApprovalPolicy.objects.of(tenant_id).live().prefetch_related("environments").order_by("name")
    return [
        {
            "policy": policy,
            "document": document,
            "rules": [(rule["name"], sentences.of_rule(rule)) for rule in document["rules"]],
            "environments": sorted(policy.environments.all(), key=lambda each: each.name),
        }
        for policy in policies
        for document in [read_document(policy.current)]
    ]


def promotion_policies(tenant_id: UUID) -> list[dict[str, Any]]:
    """All of them, by name, each with its gates in order and the environments that it guards."""
    named: defaultdict[UUID, list[Environment]] = defaultdict(list)
    for environment in Environment.objects.of(tenant_id).order_by("name"):
        named[environment.promotion_policy_id].append(environment)
    return [
        {
            "policy": policy,
            "gates": [gate["name"] for gate in current_document(policy)["gates"]],
            "environments": named[policy.id],
        }
        for policy in PromotionPolicy.objects.of(tenant_id).order_by("name")
    ]


def weakening_edits(tenant_id: UUID) -> list[WeakeningEdit]:
    """The last edits that made entering an environment easier, newest first (domain.md §5)."""
    return list(WeakeningEdit.objects.filter(tenant_id=tenant_id).order_by("-at", "-id")[:MOST_WEAKENING_EDITS])


def gates(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The gates of a promotion policy in the order in which they are judged, in words."""
    return [{**gate, "sentence": sentences.of_gate(gate)} for gate in document["gates"]]


def current_document(policy: PromotionPolicy) -> dict[str, Any]:
    """The published text, else the draft: one of the two is always there."""
    document = read_document(policy.current) if policy.current else policy.draft
    assert document is not None
    return document


def read_document(version: ApprovalPolicyVersion | PromotionPolicyVersion | None) -> dict[str, Any]:
    """The document of a version."""
    assert version is not None
    content: dict[str, Any] = orjson.loads(version.canonical)
    return content
