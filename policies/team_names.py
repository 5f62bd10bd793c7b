"""The policies that name a team: records judge by that name, so the team stays (domain.md §1b)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import orjson

from policies.models import ApprovalPolicyVersion, PromotionPolicyVersion

Document = Mapping[str, Any]


def policies_naming(tenant_id: UUID, team: str) -> list[str]:
    """The policies of which any version names the team, by name. Two statements that read every version."""
    of_tenant = {"tenant_id": tenant_id}
    approval = ApprovalPolicyVersion.objects.filter(**of_tenant).values_list("policy__name", "canonical")
    promotion = PromotionPolicyVersion.objects.filter(**of_tenant).values_list("policy__name", "canonical")
    return sorted({name for name, canonical in [*approval, *promotion] if names_team(orjson.loads(canonical), team)})


def names_team(document: Document, team: str) -> bool:
    """Whether the document of a policy names the team. A policy as code does where the word stands anywhere in it."""
    return team in _named(document) or any(_has_word(gate["config"], team) for gate in _as_code(document))


def _named(document: Document) -> Iterator[str]:
    for rule in document.get("rules", ()):
        yield from rule["teams"]
    for gate in document.get("gates", ()):
        yield from (each.removeprefix("team:") for each in gate.get("override", {"by": ()})["by"] if ":" in each)
        if gate["kind"] == "manual":
            yield from gate["config"]["confirmers"]["teams"]


def _as_code(document: Document) -> Iterator[Document]:
    return (gate for gate in document.get("gates", ()) if gate["kind"] == "policy")


def _has_word(value: Any, word: str) -> bool:
    if isinstance(value, Mapping):
        return any(_has_word(each, word) for each in (*value, *value.values()))
    if isinstance(value, list):
        return any(_has_word(each, word) for each in value)
    return isinstance(value, str) and re.search(rf"(?<![a-z0-9-]){re.escape(word)}(?![a-z0-9-])", value) is not None
