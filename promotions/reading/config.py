"""The settings of a tenant as one document, in one order (docs/policy-as-code.md)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from environments.models import Environment, FreezeWindow
from environments.presenters import environment_document
from policies.models import ApprovalPolicy, PromotionPolicy
from promotions.reading.config_schema import SCHEMA, SECTIONS
from promotions.reading.products import repositories_of, with_repositories
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ImageRepository, Product, Team
from stellapromote.api.etag import opaque
from stellapromote.clock import rfc3339
from stellapromote.json_schema import Schema
from stellapromote.signing.canonical_json import digest

Document = dict[str, Any]
Key = str | tuple[str | None, str, int]
"""The name of an entry; of a freeze its environment, its name, and its place among freezes of that name."""


@dataclass(slots=True)
class StoredSection:
    """The entries of a section as the tenant has them, in order, with their rows. ``state``: what changes with every
    edit of any of them."""

    entries: dict[Key, Document] = field(default_factory=dict)
    rows: dict[Key, Any] = field(default_factory=dict)
    state: list[Any] = field(default_factory=list)

    def add(self, key: Key, entry: Document, row: Any, *state: Any) -> None:
        self.entries[key], self.rows[key] = entry, row
        self.state.append([str(row.pk), entry, *state])


StoredConfig = Mapping[str, StoredSection]


def stored_config(tenant_id: UUID, sections: Collection[str], at: datetime) -> StoredConfig:
    """What the tenant has in these sections: live objects, policies in force, and freezes that are not over. One or two
    statements for each section."""
    found = {name: read(tenant_id) for name, read in _READ.items() if name in sections}
    return {**found, "freezes": _freezes(tenant_id, at)} if "freezes" in sections else found


def readable_sections(by: Actor) -> list[str]:
    """The sections that the actor may read."""
    return [each.name for each in SECTIONS if by.has(each.reads)]


def config_document(stored: StoredConfig) -> Document:
    """The file that says what is stored: applied to it, it changes nothing."""
    return {
        "schema": SCHEMA,
        **{
            section.name: [_in_order_of(section.entry, each) for each in stored[section.name].entries.values()]
            for section in SECTIONS
            if section.name in stored
        },
    }


def _in_order_of(schema: Schema, value: Any) -> Any:
    """The value with the fields of its objects in the order of the schema."""
    if schema.get("type") == "string" and isinstance(value, dict):
        return value["name"]
    if isinstance(value, list):
        return [_in_order_of(schema.get("items", {}), each) for each in value]
    properties = schema.get("properties", {})
    if not isinstance(value, dict) or not properties:
        return value
    known = {name: _in_order_of(part, value[name]) for name, part in properties.items() if name in value}
    return known | {name: part for name, part in value.items() if name not in known}


def config_tag(tenant_id: UUID, stored: StoredConfig, *asked: Any) -> str:
    """The tag of what is stored; with ``asked`` that of a plan, which also stands for the file that was compared."""
    state = {name: section.state for name, section in stored.items()}
    return opaque("config", tenant_id, digest({"state": state, "asked": [*asked]}))


def _teams(tenant_id: UUID) -> StoredSection:
    found = StoredSection()
    for team in Team.objects.filter(tenant_id=tenant_id).order_by("slug"):
        found.add(team.slug, {"slug": team.slug, "displayName": team.name}, team)
    return found


def _products(tenant_id: UUID) -> StoredSection:
    found = StoredSection()
    live = Product.objects.filter(tenant_id=tenant_id, archived_at=None)
    for product in with_repositories(live).order_by("slug"):
        entry = {
            "slug": product.slug,
            "displayName": product.display_name,
            "description": product.description,
            "imageRepositories": repositories_of(product),
            "ownerTeams": list(product.owner_teams),
            "path": product.path,
        }
        found.add(product.slug, entry, product, product.version)
    return found


def _shared_repositories(tenant_id: UUID) -> StoredSection:
    found = StoredSection()
    for row in ImageRepository.objects.filter(tenant_id=tenant_id, is_shared=True).order_by("name"):
        found.add(row.name, {"name": row.name}, row)
    return found


def _approval_policies(tenant_id: UUID) -> StoredSection:
    found = StoredSection()
    for policy in ApprovalPolicy.objects.of(tenant_id).live().order_by("name"):
        assert policy.current is not None
        text = orjson.loads(policy.current.canonical)
        entry = {name: value for name, value in text.items() if name != "schema"} | {"enabled": policy.enabled}
        found.add(policy.name, entry, policy, policy.revision)
    return found


def _promotion_policies(tenant_id: UUID) -> StoredSection:
    """Those that were published; a draft alone guards nothing and is in no file."""
    found = StoredSection()
    for policy in PromotionPolicy.objects.of(tenant_id).filter(current__isnull=False).order_by("name"):
        assert policy.current is not None
        text = orjson.loads(policy.current.canonical)
        entry = {"name": policy.name} | {name: value for name, value in text.items() if name != "schema"}
        found.add(policy.name, entry, policy, policy.revision)
    return found


_NOT_IN_THE_FILE: Final = frozenset({"id", "archivedAt", "createdAt", "updatedAt", "version"})


def _environments(tenant_id: UUID) -> StoredSection:
    found = StoredSection()
    for environment in Environment.objects.of(tenant_id).live().in_order().with_settings():
        document = environment_document(environment)
        entry = {name: value for name, value in document.items() if name not in _NOT_IN_THE_FILE}
        if environment.hold_ends_with_request:
            entry["autoPromoteHold"] = False  # of a rollback, not of a setting
        found.add(environment.name, entry, environment, environment.version)
    return found


def _freezes(tenant_id: UUID, at: datetime) -> StoredSection:
    """Without the people who may override them: a file names no person to whom it gives a right."""
    found = StoredSection()
    windows = FreezeWindow.objects.of(tenant_id).standing_at(at).filter(environment__archived_at=None)
    in_order = windows.order_by("environment__name", "name", "starts_at", "ends_at", "created_at", "id")
    seen: dict[tuple[str | None, str], int] = {}
    for window in in_order.select_related("environment"):
        where = None if window.environment is None else window.environment.name
        place = seen[where, window.name] = seen.get((where, window.name), -1) + 1
        entry = {
            "environment": where,
            "name": window.name,
            "start": rfc3339(window.starts_at),
            "end": rfc3339(window.ends_at),
            "timezone": window.timezone,
            "reason": window.reason,
            "products": sorted(window.products),
        }
        found.add((where, window.name, place), entry, window, window.version)
    return found


_READ: Final[Mapping[str, Callable[[UUID], StoredSection]]] = {
    "teams": _teams,
    "products": _products,
    "imageRepositories": _shared_repositories,
    "approvalPolicies": _approval_policies,
    "promotionPolicies": _promotion_policies,
    "environments": _environments,
}
