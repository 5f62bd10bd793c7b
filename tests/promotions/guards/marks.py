"""Which settings there are, read from the schemas, and which are marked as guards."""

import sys
from collections.abc import Iterator, Mapping

from policies import documents
from policies.gates import REGISTRY
from stellapromote.json_schema import Schema


def settings_of(schema: Schema, path: str = "", *, asked: bool = False) -> Iterator[str]:
    """The path of each setting: what has a value of its own, lists and maps, and what is there or not.

    `asked`: it must be given or has a default, so that it is never left out.
    """
    if "oneOf" in schema:
        for branch in schema["oneOf"]:
            yield from settings_of(branch, path, asked=True)
    elif "properties" in schema:
        if path and not asked:
            yield path
        for name, part in schema["properties"].items():
            asked = name in schema.get("required", ()) or "default" in part
            yield from settings_of(part, f"{path}.{name}" if path else name, asked=asked)
    else:
        yield path
        if isinstance(schema.get("items"), Mapping) and {"properties", "oneOf"} & schema["items"].keys():
            yield from settings_of(schema["items"], path, asked=True)


def marks() -> dict[str, tuple[set[str], Mapping[str, str], Schema]]:
    """For each document and each kind of gate: guards, the others with the reason, and the schema."""
    found: dict[str, tuple[set[str], Mapping[str, str], Schema]] = {
        "approval policy": (
            set(documents.APPROVAL_POLICY_GUARDS),
            documents.APPROVAL_POLICY_NO_GUARDS,
            documents.APPROVAL_POLICY_SCHEMA,
        ),
        "promotion policy": (
            set(documents.PROMOTION_POLICY_GUARDS),
            documents.PROMOTION_POLICY_NO_GUARDS,
            documents.PROMOTION_POLICY_SCHEMA,
        ),
    }
    for key in REGISTRY.current.items():
        kind = REGISTRY.kinds[key]
        module = sys.modules[kind.judge.__module__]
        found[kind.kind] = (set(module.GUARDS), module.NO_GUARDS, kind.config_schema)
    return found
