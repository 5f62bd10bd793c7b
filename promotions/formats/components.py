"""Components of an SBOM in their one form: sorted, each once. Pure."""

from collections.abc import Iterable
from typing import Any

from policies.evidence_facts import COMPONENTS_SCHEMA, Components, SbomComponent


def component(name: str, version: str | None, purl: str | None) -> SbomComponent:
    return {"name": name, "version": version, "purl": purl}


def components(found: Iterable[SbomComponent]) -> Components:
    once = {(each["name"], each["version"] or "", each["purl"] or ""): each for each in found}
    return {"schema": COMPONENTS_SCHEMA, "components": [once[key] for key in sorted(once)]}


def summary(parsed: Components) -> dict[str, Any]:
    """What a page says about the SBOM in one line."""
    return {
        "components": len(parsed["components"]),
        "withPurl": sum(1 for each in parsed["components"] if each["purl"] is not None),
    }
