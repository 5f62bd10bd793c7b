"""Policy documents: what may stand in them, and their one normal form, whose digest names a version (domain.md §5, §6).

A normal form has every field, with defaults written out; sets sorted; gates in the order in which they are judged, the
mandatory ones present. The same meaning has the same bytes, and reading a normal form gives it back unchanged.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from policies.gates import MANDATORY, REGISTRY, Registry
from policies.overrides import DEFAULT_HOURS, DEFAULT_REVIEW_HOURS, NEVER, start_of_day
from policies.requirements import ANYONE
from stellapromote.errors import FieldError, Invalid, RuleViolation
from stellapromote.json_schema import Schema, below, read
from stellapromote.patterns import SLUG, TEAM_OR_OWNERS, TEAM_OR_USERNAME, USERNAME
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes

APPROVAL_POLICY: Final = "stella.approval-policy/v1"
PROMOTION_POLICY: Final = "stella.promotion-policy/v1"

DIRECTIONS: Final = ("forward", "rollback")

_DAY: Final = 24 * 60 * 60
_DAY_WRITTEN: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

_DUTIES: Final = {
    "excludeReleaseCreator": True,
    "excludeCommitAuthors": False,
    "excludePolicyEditor": False,
    "excludeDeployer": False,
}

APPROVAL_POLICY_SCHEMA: Final[Schema] = {
    "type": "object",
    "required": ["name", "rules"],
    "properties": {
        "schema": {"type": "string", "const": APPROVAL_POLICY, "default": APPROVAL_POLICY},
        "name": {"type": "string", "pattern": SLUG},
        "description": {"type": "string", "maxLength": 2000, "format": "text", "default": ""},
        "rules": {
            "type": "array",
            "maxItems": 20,
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "pattern": SLUG},
                    "teams": {
                        "type": "array",
                        "maxItems": 50,
                        "x-set": True,
                        "default": [],
                        "description": "Short names of teams; @owners stands for the owner teams of the product.",
                        "items": {
                            "type": "string",
                            "pattern": TEAM_OR_OWNERS,
                            "x-message": "This must be the short name of a team, or @owners.",
                        },
                    },
                    "users": {
                        "type": "array",
                        "maxItems": 100,
                        "x-set": True,
                        "default": [],
                        "items": {"type": "string", "pattern": USERNAME, "x-message": "This must be a username."},
                    },
                    "minApprovals": {"type": "integer", "minimum": 1, "maximum": 20, "default": 1},
                },
            },
        },
        "commentRequired": {"type": "boolean", "default": False},
        "separationOfDuties": {
            "type": "object",
            "default": _DUTIES,
            "properties": {duty: {"type": "boolean", "default": default} for duty, default in _DUTIES.items()},
        },
        "requireSubjectDigest": {"type": "boolean", "default": False},
        "blind": {
            "type": "boolean",
            "default": False,
            "description": "While a promotion takes votes, only those who have voted, and auditors, are shown them.",
        },
    },
}

PROMOTION_POLICY_SCHEMA: Final[Schema] = {
    "type": "object",
    "properties": {
        "schema": {"type": "string", "const": PROMOTION_POLICY, "default": PROMOTION_POLICY},
        "gates": {
            "type": "array",
            "maxItems": 50,
            "default": [],
            "items": {
                "type": "object",
                "required": ["kind"],
                "properties": {
                    "name": {"type": "string", "pattern": SLUG},
                    "kind": {"type": "string", "maxLength": 63},
                    "config": {"type": "object", "additionalProperties": {}, "maxProperties": 50, "default": {}},
                    "onError": {"type": "string", "enum": ["pending", "fail"], "default": "pending"},
                    "appliesTo": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 2,
                        "x-set": True,
                        "default": list(DIRECTIONS),
                        "items": {"type": "string", "enum": list(DIRECTIONS)},
                    },
                    # Neither has a default: a gate without them has the bytes it had before there were any.
                    "override": {
                        "type": "object",
                        "required": ["by"],
                        "description": "Who may override the gate for one promotion; preconditions and approval never.",
                        "properties": {
                            "by": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 50,
                                "x-set": True,
                                "items": {
                                    "type": "string",
                                    "pattern": TEAM_OR_USERNAME,
                                    "x-message": "This must be a username, or team: and the short name of a team.",
                                },
                            },
                            "maxHours": {"type": "integer", "minimum": 1, "maximum": 720, "default": DEFAULT_HOURS},
                            "reviewHours": {
                                "type": "integer",
                                "minimum": 1,
                                "maximum": 720,
                                "default": DEFAULT_REVIEW_HOURS,
                                "description": "Hours within which another person looks at an override.",
                            },
                        },
                    },
                    "effectiveOn": {
                        "type": "string",
                        "pattern": _DAY_WRITTEN,
                        "x-message": "This must be a day written like 2026-12-01.",
                        "description": "Until this day begins (UTC) the gate only warns.",
                    },
                },
            },
        },
        "pendingTtl": {
            "type": "integer",
            "minimum": 1,
            "maximum": 366 * _DAY,
            "default": 14 * _DAY,
            "description": "Seconds from the request until an open promotion expires.",
        },
        "approvalTtl": {
            "type": "integer",
            "minimum": 1,
            "maximum": 366 * _DAY,
            "default": 3 * _DAY,
            "description": "Seconds from the approval until it can no longer be used.",
        },
        "supersedeOlder": {"type": "boolean", "default": False},
        "overrideTtl": {
            "type": "integer",
            "minimum": 1,
            "maximum": 366 * _DAY,
            "description": "Seconds a failing gate with override waits for somebody; 24 hours if not given.",
        },
    },
}

APPROVAL_POLICY_GUARDS: Final = frozenset(
    {
        *("rules", "rules.teams", "rules.users", "rules.minApprovals"),
        *("commentRequired", "requireSubjectDigest", "blind"),
        *(f"separationOfDuties.{duty}" for duty in _DUTIES),
    }
)
APPROVAL_POLICY_NO_GUARDS: Final = {
    "schema": "never changes",
    "name": "never changes",
    "description": "only shown",
    "rules.name": "rules are compared by what they ask for",
}
PROMOTION_POLICY_GUARDS: Final = frozenset(
    {
        *("gates", "gates.kind", "gates.onError", "gates.appliesTo", "gates.effectiveOn"),
        *("gates.override", "gates.override.by", "gates.override.maxHours", "gates.override.reviewHours"),
        *("pendingTtl", "approvalTtl", "overrideTtl", "supersedeOlder"),
    }
)
PROMOTION_POLICY_NO_GUARDS: Final = {
    "schema": "never changes",
    "gates.name": "gates are compared by what they ask for",
    "gates.config": "each kind of gate says it of its own settings",
}
"""Paths of all settings: those that stand against a promotion, and why the others do not (domain.md §5)."""


class InvalidDocument(Invalid):
    """The document breaks its schema or a rule about one field; `fields` says where."""


class Unsatisfiable(RuleViolation):
    """The document's rules require no person, or people who cannot exist (domain.md §5)."""

    code = "POL_UNSATISFIABLE"


@dataclass(frozen=True, slots=True)
class Document:
    """A policy document in normal form, with the bytes to store and the digest that names them."""

    content: dict[str, Any]
    canonical: bytes
    digest: str


def _document(content: dict[str, Any]) -> Document:
    canonical = canonical_bytes(content)
    return Document(content, canonical, digest_bytes(canonical))


def approval_policy(value: object) -> Document:
    """An approval policy as it is stored. InvalidDocument, or Unsatisfiable when it has no rules or one without
    people."""
    normal, errors = read_approval_policy(value)
    if errors:
        raise InvalidDocument(fields=errors)
    if not normal["rules"]:
        raise Unsatisfiable("An approval policy needs at least one rule.", details={"rules": []})
    empty = [rule["name"] for rule in normal["rules"] if not rule["teams"] and not rule["users"]]
    if empty:
        raise Unsatisfiable(f"Rule {empty[0]} names no team and no user.", details={"rules": empty})
    crowded = [
        rule["name"] for rule in normal["rules"] if not rule["teams"] and len(rule["users"]) < rule["minApprovals"]
    ]
    if crowded:
        raise Unsatisfiable(
            f"Rule {crowded[0]} asks for more approvals than the users it names.", details={"rules": crowded}
        )
    return _document(normal)


def read_approval_policy(value: object) -> tuple[dict[str, Any], list[FieldError]]:
    """The normal form and the errors, without judging whether people could satisfy it. Never raises."""
    normal, errors = read(value, APPROVAL_POLICY_SCHEMA)
    if not errors:
        if normal["name"] == ANYONE:
            errors.append(
                FieldError("name", f"{ANYONE} is the name of approvals by anyone: choose another.", "invalid")
            )
        errors += _repeated("rules", [rule["name"] for rule in normal["rules"]])
    return normal, errors


def promotion_policy(value: object) -> Document:
    """A promotion policy as it is stored. InvalidDocument when anything about it cannot be used.

    Cost: policies as code are compiled, in a child process.
    """
    normal, errors = read_promotion_policy(value, saving=True)
    if errors:
        raise InvalidDocument(fields=errors)
    return _document(normal)


def read_promotion_policy(
    value: object, registry: Registry = REGISTRY, kinds: Mapping[str, int] | None = None, *, saving: bool = False
) -> tuple[dict[str, Any], list[FieldError]]:
    """The normal form, with the mandatory gates added, and what is wrong with it. Never raises.

    Configs are read by the versions in `kinds`, by default the current ones. `saving` also asks what depends on what is
    installed here, which judging a stored document must not. With errors, the gates stand as given, so that the index
    in `gates[2].config` is that of the document.
    """
    normal, errors = read(value, PROMOTION_POLICY_SCHEMA)
    if not isinstance(normal, dict) or not isinstance(normal.get("gates"), list):
        return normal, errors
    versions = registry.current if kinds is None else kinds
    for index, gate in enumerate(normal["gates"]):
        if isinstance(gate, dict) and isinstance(gate.get("kind"), str):
            errors += _finish_gate(gate, f"gates[{index}]", registry, versions, saving=saving)
    gates = [gate for gate in normal["gates"] if isinstance(gate, dict)]
    errors += _repeated("gates", [gate.get("name") for gate in gates])
    present = [gate.get("kind") for gate in gates]
    for kind in MANDATORY:
        for index in [index for index, each in enumerate(present) if each == kind][1:]:
            errors.append(
                FieldError(f"gates[{index}].kind", f"There can be only one {kind} gate: remove this one.", "invalid")
            )
    if not errors:
        normal["gates"] += [mandatory_gate(kind, registry, versions) for kind in MANDATORY if kind not in present]
        normal["gates"].sort(key=lambda gate: (registry.kinds[gate["kind"], versions[gate["kind"]]].rank, gate["name"]))
    return normal, errors


def mandatory_gate(kind: str, registry: Registry, kinds: Mapping[str, int]) -> dict[str, Any]:
    """The gate of a mandatory kind as it stands when a policy does not name it."""
    config, _ = read({}, registry.kinds[kind, kinds[kind]].config_schema)
    return {"name": kind, "kind": kind, "config": config, "onError": "pending", "appliesTo": list(DIRECTIONS)}


def _finish_gate(
    gate: dict[str, Any], field: str, registry: Registry, kinds: Mapping[str, int], *, saving: bool
) -> list[FieldError]:
    """Puts the config's normal form and the name into one gate, and says what is wrong with them and with its kind."""
    kind = gate["kind"]
    gate.setdefault("name", kind)
    if kind not in kinds:
        known = ", ".join(sorted(registry.current))
        return [FieldError(below(field, "kind"), f"There is no such kind of gate: use one of {known}.", "invalid")]
    errors = []
    if kind in MANDATORY:
        if gate.get("appliesTo") not in (None, list(DIRECTIONS)):
            errors.append(
                FieldError(below(field, "appliesTo"), f"{kind} applies in every direction: leave it out.", "invalid")
            )
        if "effectiveOn" in gate:
            errors.append(
                FieldError(below(field, "effectiveOn"), f"{kind} is always in effect: leave it out.", "invalid")
            )
    elif gate["name"] in MANDATORY:
        message = f"Only the gate of that kind is called {gate['name']}: choose another name."
        errors.append(FieldError(below(field, "name"), message, "invalid"))
    if kind in NEVER and "override" in gate:
        errors.append(
            FieldError(below(field, "override"), f"The kind {kind} is never overridden: leave it out.", "invalid")
        )
    errors += _not_a_day(gate.get("effectiveOn"), below(field, "effectiveOn"))
    known_kind = registry.kinds[kind, kinds[kind]]
    if isinstance(gate.get("config"), dict):
        config, config_errors = read(gate["config"], known_kind.config_schema, below(field, "config"))
        if not config_errors:
            config_errors = known_kind.check_config(config, below(field, "config"))
        if not config_errors and saving:
            config_errors = known_kind.check_at_save(config, below(field, "config"))
        gate["config"] = config
        errors += config_errors
    return errors


def _not_a_day(day: object, field: str) -> list[FieldError]:
    """The check of effectiveOn beyond its pattern: 2026-02-30 is written like a day and is none."""
    if isinstance(day, str) and re.fullmatch(_DAY_WRITTEN, day):
        try:
            start_of_day(day)
        except ValueError:
            return [FieldError(field, "There is no such day: correct it.", "invalid")]
    return []


def _repeated(field: str, names: list[Any]) -> list[FieldError]:
    seen: set[str] = set()
    errors = []
    for index, name in enumerate(names):
        if isinstance(name, str):
            if name in seen:
                errors.append(
                    FieldError(f"{field}[{index}].name", f"{name} is there twice: choose another name.", "invalid")
                )
            seen.add(name)
    return errors
