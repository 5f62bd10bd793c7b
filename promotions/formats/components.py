"""Components of an SBOM in their one form: sorted, each once. Pure."""

from collections.abc import Iterable
from typing import Any

from policies.evidence_facts import COMPONENTS_SCHEMA, Components, SbomComponent
from promotions.formats.reading import check_number


def component(name: str, version: str | None, purl: str | None) -> SbomComponent:
    return {"name": name, "version": version, "purl": purl}


def components(found: Iterable[SbomComponent]) -> Components:
    once = {}
    for each in found:
        once[each["name"], each["version"] or "", each["purl"] or ""] = each
        check_number(len(once))
    return {"schema": COMPONENTS_SCHEMA, "components": [once[key] for key in sorted(once)]}


def summary(parsed: Components) -> dict[str, Any]:
    """What a page says about the SBOM in one line."""
    return {
        "components": len(parsed["components"]),
        "withPurl": sum(1 for each in parsed["components"] if each["purl"] is not None),
    }
