"""manifestDigest: what a release is (domain.md §3). Pure."""

from collections.abc import Iterable
from typing import TypedDict

from stellapromote.signing.canonical_json import digest

MANIFEST_SCHEMA = "stella.manifest/v1"


class ManifestComponent(TypedDict):
    name: str
    imageRepository: str
    digest: str
    role: str


def manifest_digest(components: Iterable[ManifestComponent]) -> str:
    """`sha256:…` over name, imageRepository, digest and role of each component, sorted by name; never tag or semver."""
    rows = [
        {name: component[name] for name in ("name", "imageRepository", "digest", "role")} for component in components
    ]
    return digest({"schema": MANIFEST_SCHEMA, "components": sorted(rows, key=lambda row: row["name"])})
