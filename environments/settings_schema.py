"""The fields of an environment and of a freeze window, and their readers (domain.md §1, §2). Pure.

Actions hand over their arguments in snake_case; the readers give their normal form, also in snake_case, or raise
Invalid naming every place that is wrong by its wire name, so that API, pages, admin and commands refuse the same things
with the same words.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from environments.product_guards import ALLOW, REFUSE
from stellapromote import wrong_values as wrong
from stellapromote.api.serializers import camel, snake
from stellapromote.errors import FieldError, Invalid
from stellapromote.json_schema import Schema, read
from stellapromote.patterns import SLUG, USERNAME

MAX_ORDER_INDEX: Final = 9999
MAX_REQUIRED_APPROVALS: Final = 50
DAY: Final = 86400
DEFAULT_CONFIG: Final = {"deploymentTimeout": 3600, "healthCheckInterval": 60, "variables": {}}

VARIABLE_NAME: Final = r"[A-Za-z_][A-Za-z0-9_.-]{0,127}"

CONFIG: Final[Schema] = {
    "type": "object",
    "properties": {
        "deploymentTimeout": {"type": "integer", "minimum": 1, "maximum": 7 * DAY},
        "healthCheckInterval": {"type": "integer", "minimum": 1, "maximum": DAY},
        "variables": {
            "type": "object",
            "maxProperties": 100,
            "propertyNames": {"pattern": f"^{VARIABLE_NAME}$"},
            "additionalProperties": {"type": "string", "maxLength": 2000, "format": "text"},
        },
    },
}

_APPROVAL_POLICY: Final[Schema] = {
    "type": "string",
    "pattern": SLUG,
    "x-message": "This must be the name of an approval policy.",
}

SETTINGS: Final[dict[str, Schema]] = {
    "displayName": {"type": "string", "minLength": 1, "maxLength": 200, "format": "line"},
    "orderIndex": {"type": "integer", "minimum": 0, "maximum": MAX_ORDER_INDEX},
    "isProduction": {"type": "boolean"},
    "protected": {"type": "boolean"},
    "config": CONFIG,
    "requiredApprovals": {"type": "integer", "minimum": 0, "maximum": MAX_REQUIRED_APPROVALS},
    "requireSeparationOfDuties": {"type": "boolean"},
    "promotionPolicy": {"type": "string", "pattern": SLUG, "x-message": "This must be the name of a promotion policy."},
    "approvalPolicies": {
        "type": "array",
        "maxItems": 20,
        "x-set": True,
        "items": _APPROVAL_POLICY,
    },
    "productApprovalPolicies": {
        "type": "array",
        "maxItems": 20,
        "items": {
            "type": "object",
            "properties": {
                "name": _APPROVAL_POLICY,
                "products": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 50,
                    "x-set": True,
                    "items": {"type": "string", "pattern": SLUG, "x-message": "This must be the slug of a product."},
                },
            },
            "required": ["name", "products"],
        },
        "description": "Approval policies that hold for some products, beside those that hold for all.",
    },
    "otherProducts": {
        "type": "string",
        "enum": [ALLOW, REFUSE],
        "description": "Whether products that no productApprovalPolicies name may enter, by approvalPolicies alone. "
        "Left out: in production they are refused from the first entry on.",
    },
    "autoPromoteFrom": {
        "type": ["string", "null"],
        "pattern": SLUG,
        "x-message": "This must be the name or the id of the environment directly before, or null.",
        "description": "By name or by id; answers say the name.",
    },
    "autoPromoteHold": {"type": "boolean"},
    "exclusive": {"type": "string", "enum": ["product", "environment"]},
    "requireManifestReport": {"type": "boolean"},
    "requiredOnEveryPath": {
        "type": ["boolean", "null"],
        "description": "Whether releases of every product pass it; null: where it stands directly before a production "
        "environment.",
    },
}

ENVIRONMENT_TO_CREATE: Final[Schema] = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": SLUG}, **SETTINGS},
    "required": ["name", "displayName", "orderIndex"],
}
ENVIRONMENT_TO_UPDATE: Final[Schema] = {"type": "object", "properties": SETTINGS}
ORDER_INDEX: Final[Schema] = {
    "type": "object",
    "properties": {"orderIndex": SETTINGS["orderIndex"]},
    "required": ["orderIndex"],
}

_TIME: Final[Schema] = {
    "type": "string",
    "maxLength": 40,
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})?$",
    "x-message": "This must be a time such as 2026-11-23T08:00:00Z, or without an offset by the clock in timezone.",
    "description": "RFC 3339, or without an offset the time on the wall clock in `timezone`.",
}

WINDOW: Final[dict[str, Schema]] = {
    "name": {"type": "string", "minLength": 1, "maxLength": 200, "format": "line"},
    "start": _TIME,
    "end": _TIME,
    "timezone": {"type": "string", "minLength": 1, "maxLength": 64, "format": "line"},
    "reason": {"type": "string", "minLength": 1, "maxLength": 500, "format": "line"},
    "products": {
        "type": "array",
        "maxItems": 50,
        "x-set": True,
        "items": {"type": "string", "pattern": SLUG},
        "description": "The products that it holds; none: all of them.",
    },
    "exceptions": {
        "type": "array",
        "maxItems": 50,
        "x-set": True,
        "items": {"type": "string", "pattern": USERNAME, "x-message": "This must be a username or an account id."},
        "description": "Usernames or account ids; answers say the usernames.",
    },
}
FREEZE_WINDOW_TO_CREATE: Final[Schema] = {
    "type": "object",
    "properties": WINDOW,
    "required": ["start", "end", "reason"],
}
FREEZE_WINDOW_TO_UPDATE: Final[Schema] = {"type": "object", "properties": WINDOW}
CLEAR_REASON: Final[Schema] = {
    "type": "object",
    "properties": {"reason": {"type": "string", "maxLength": 500, "format": "line"}},
}

_NO_RECURRENCE: Final[dict[str, tuple[Any, ...]]] = {"recurrence": (None,), "exdates": (None, [])}
_SECRET = re.compile("password|passwd|passphrase|secret|token|credential|apikey|privatekey|accesskey")


def read_environment(values: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """The normal form of `values` by ENVIRONMENT_TO_CREATE, ENVIRONMENT_TO_UPDATE or ORDER_INDEX. Invalid otherwise.

    What is inside `config` has its wire names here too: it is stored as it is.
    """
    given = _on_the_wire(values)
    normal, errors = read(given, schema)
    variables = given["config"].get("variables") if isinstance(given.get("config"), Mapping) else None
    if isinstance(variables, Mapping):
        errors += _variable_names(variables)
    refuse(errors)
    return _for_python(normal)


def read_freeze_window(values: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """The normal form of `values` by FREEZE_WINDOW_TO_CREATE, FREEZE_WINDOW_TO_UPDATE or CLEAR_REASON. Invalid
    otherwise.

    `recurrence` null and `exdates` [] or null say that there is none and are dropped; anything else there is
    refused, because this version would not enforce it (domain.md §5).
    """
    given = _on_the_wire(values)
    errors = []
    for part, nothing in _NO_RECURRENCE.items():
        if part in given and given.pop(part) not in nothing:
            errors.append(FieldError(part, *wrong.not_supported(part)))
    normal, others = read(given, schema)
    refuse(errors + others)
    return _for_python(normal)


def _on_the_wire(values: Mapping[str, Any]) -> dict[str, Any]:
    return {camel(name): value for name, value in values.items()}


def _for_python(values: Mapping[str, Any]) -> dict[str, Any]:
    return {snake(name): value for name, value in values.items()}


def refuse(errors: Iterable[FieldError]) -> None:
    """Raises Invalid when there is an error."""
    fields = list(errors)
    if fields:
        raise Invalid(fields=fields)


def _variable_names(variables: Mapping[str, Any]) -> list[FieldError]:
    """No secret lives in an environment (domain.md §6): a name that promises one is refused with any value."""
    errors = []
    for name in variables:
        place = f"config.variables.{name[:128]}"
        if not re.fullmatch(VARIABLE_NAME, name):
            errors.append(
                FieldError(
                    "config.variables",
                    "A variable's name has 1 to 128 letters, digits, underscores, dots and hyphens, and begins with a "
                    "letter or underscore.",
                    "invalid",
                )
            )
        elif _SECRET.search(re.sub("[^a-z0-9]", "", name.lower())):
            errors.append(
                FieldError(
                    place,
                    "Secrets do not live in environments: keep it where the deployment reads it, and take it out here.",
                    "invalid",
                )
            )
    return errors
