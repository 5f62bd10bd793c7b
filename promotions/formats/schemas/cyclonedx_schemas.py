"""The official JSON schemas of CycloneDX, as cyclonedx-python-lib ships them, and their compiled form. Pure.

That package lets `version` be absent and `$schema` be any text; else they are the specification's own. A value that
they call a time, a reference or a mail address must be one. Everything is read and compiled when first needed: 5 ms for
a version.
"""

from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import orjson
from cyclonedx.schema import SchemaVersion, _res
from jsonschema_rs import Draft7Validator, RegexOptions, Registry

_VERSIONS: Final = (SchemaVersion.V1_4, SchemaVersion.V1_5, SchemaVersion.V1_6, SchemaVersion.V1_7)
_FILES: Final = {each: Path(_res.BOM_JSON[each] or "") for each in _VERSIONS}
_SHARED: Final = (Path(_res.SPDX_JSON), Path(_res.JSF), Path(_res.CRYPTOGRAPHY_DEFS))

ADDRESSES: Final = {version.to_version(): f"{path.name}#" for version, path in _FILES.items()}
"""The schema of each version. An address is the name of a file and a place in it: `file#/definitions/component`."""

_BASE: Final = "http://cyclonedx.org/schema/"
"""The base of the references between the schemas: a name, never fetched."""

_MOST_PARTS: Final = 64
"""The largest part takes 2 MiB."""


@cache
def whole(address: str) -> Draft7Validator:
    """The schema of a version, compiled."""
    return _compiled({"$ref": _BASE + address})


@lru_cache(maxsize=_MOST_PARTS)
def part(address: str) -> Draft7Validator:
    """A part of a schema, compiled."""
    return _compiled({"$ref": _BASE + address})


def by_keyword(keyword: str, asked: Any) -> Draft7Validator:
    """A schema of one keyword."""
    return _compiled({keyword: asked})


def resolved(address: str) -> tuple[str, dict[str, Any]]:
    """The schema at an address, and its own address when that leads elsewhere."""
    while True:
        file, _, pointer = address.partition("#")
        schema: Any = _schemas()[file]
        for step in pointer.split("/")[1:]:
            schema = schema[int(step)] if isinstance(schema, list) else schema[step]
        if "$ref" not in schema:
            return address, schema
        named, _, pointer = schema["$ref"].partition("#")
        address = f"{named or file}#{pointer}"


def _compiled(schema: dict[str, Any]) -> Draft7Validator:
    """Never fetches anything, and patterns take linear time."""
    linear = RegexOptions()
    return Draft7Validator(schema, registry=_registry(), offline=True, validate_formats=True, pattern_options=linear)


@cache
def _registry() -> Registry:
    return Registry([(_BASE + name, schema) for name, schema in _schemas().items()])


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    """By file name."""
    return {path.name: orjson.loads(path.read_bytes()) for path in (*_FILES.values(), *_SHARED)}
