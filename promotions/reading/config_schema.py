"""The file of policy as code: its sections, and the form of what stands in each (docs/policy-as-code.md). Pure.

What is left out of a policy has its default, since a policy is one text with one digest. What is left out of anything
else stays as it is. A section that is left out is not looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from environments.settings_schema import SETTINGS, WINDOW
from policies.documents import APPROVAL_POLICY_SCHEMA, PROMOTION_POLICY_SCHEMA
from stellapromote.accounts.scopes import (
    ENVIRONMENT_READ,
    ENVIRONMENT_WRITE,
    POLICY_READ,
    POLICY_WRITE,
    PRODUCT_WRITE,
    RELEASE_READ,
    TENANT_ADMIN,
)
from stellapromote.image_repositories import MOST_OF_A_PRODUCT, PATTERN
from stellapromote.json_schema import Schema
from stellapromote.patterns import SLUG

SCHEMA: Final = "stella.config/v1"
MOST: Final = 2000
"""Entries of one section."""


@dataclass(frozen=True, slots=True)
class Section:
    """A list of the file. ``kind``: what each entry is; ``reads`` and ``writes``: the rights that reading and changing
    one takes."""

    name: str
    kind: str
    reads: str
    writes: str
    entry: Schema


def _object(required: Sequence[str], properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "required": [*required], "properties": dict(properties)}


def _without(properties: Mapping[str, Schema], *names: str) -> dict[str, Schema]:
    return {name: schema for name, schema in properties.items() if name not in names}


_SLUG: Final[Schema] = {"type": "string", "pattern": SLUG}
_ENVIRONMENT: Final[Schema] = {**_SLUG, "x-message": "This must be the name of an environment."}
_DISPLAY_NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 200, "format": "line"}
_REPOSITORY: Final[Schema] = {
    "type": "string",
    "maxLength": 255,
    "pattern": PATTERN,
    "x-message": "Name a repository, such as ghcr.io/acme/pay, or all below one: ghcr.io/acme/*.",
}

_TEAM: Final = _object(["slug"], {"slug": _SLUG, "displayName": _DISPLAY_NAME})
_PRODUCT: Final = _object(
    ["slug"],
    {
        "slug": _SLUG,
        "displayName": _DISPLAY_NAME,
        "description": {"type": "string", "maxLength": 2000, "format": "text"},
        "imageRepositories": {
            "type": "array",
            "maxItems": MOST_OF_A_PRODUCT,
            "items": _REPOSITORY,
            "description": "Those that the file does not name stay: releases bind some by themselves.",
        },
        "ownerTeams": {"type": "array", "maxItems": 50, "x-set": True, "items": _SLUG},
        "path": {
            "type": ["array", "null"],
            "minItems": 1,
            "maxItems": 100,
            "items": _ENVIRONMENT,
            "description": "The environments that its releases pass; null: all of them.",
        },
    },
)
_APPROVAL_POLICY: Final = _object(
    APPROVAL_POLICY_SCHEMA["required"],
    {
        **_without(APPROVAL_POLICY_SCHEMA["properties"], "schema"),
        "enabled": {"type": "boolean", "default": True},
    },
)
_PROMOTION_POLICY: Final = _object(
    ["name"], {"name": _SLUG, **_without(PROMOTION_POLICY_SCHEMA["properties"], "schema")}
)
_NEW_ENVIRONMENT: Final = _object(["name"], {"name": _SLUG, **SETTINGS})
_FREEZE: Final = _object(
    ["name", "start", "end", "reason"],
    {
        "environment": {
            "type": ["string", "null"],
            "pattern": SLUG,
            "default": None,
            "x-message": "This must be the name of an environment, or null for all of them.",
            "description": "null: the whole tenant.",
        },
        **_without(WINDOW, "exceptions"),
    },
)

SECTIONS: Final = (
    Section("teams", "team", TENANT_ADMIN, TENANT_ADMIN, _TEAM),
    Section("products", "product", RELEASE_READ, PRODUCT_WRITE, _PRODUCT),
    Section("imageRepositories", "shared image repository", RELEASE_READ, PRODUCT_WRITE, _REPOSITORY),
    Section("approvalPolicies", "approval policy", POLICY_READ, POLICY_WRITE, _APPROVAL_POLICY),
    Section("promotionPolicies", "promotion policy", POLICY_READ, POLICY_WRITE, _PROMOTION_POLICY),
    Section("environments", "environment", ENVIRONMENT_READ, ENVIRONMENT_WRITE, _NEW_ENVIRONMENT),
    Section("freezes", "freeze", ENVIRONMENT_READ, ENVIRONMENT_WRITE, _FREEZE),
)
"""In the order in which they stand in an export."""

BY_KIND: Final = {each.kind: each for each in SECTIONS}
LISTS: Final[dict[str, Schema]] = {
    each.name: {"type": "array", "maxItems": MOST, "items": each.entry} for each in SECTIONS
}
CONFIG_SCHEMA: Final[Schema] = {
    "type": "object",
    "required": ["schema"],
    "properties": {"schema": {"type": "string", "const": SCHEMA}, **LISTS},
}
