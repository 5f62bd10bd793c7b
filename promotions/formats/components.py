"""Components of an SBOM in their one form: sorted, each once. Pure."""

from collections.abc import Iterable
from typing import Any

from policies.evidence_facts import COMPONENTS_SCHEMA, Components, SbomComponent
from promotions.formats.left_out import Omissions
from promotions.formats.reading import DocumentRefused, check_number


def component(name: str, version: str | None, purl: str | None) -> SbomComponent:
    return {"name": name, "version": version, "purl": purl}


def components(found: Iterable[SbomComponent], left_out: Omissions, place: str) -> Components:
    """The SBOM. DocumentRefused without any component: a document that lists nothing is no SBOM."""
    once = {}
    for each in found:
        once[each["name"], each["version"] or "", each["purl"] or ""] = each
        check_number(len(once))
    if not once:
        raise DocumentRefused(
            "This lists no components, so it is no SBOM: make one that lists what is in the artifact.", place
        )
    parsed: Components = {"schema": COMPONENTS_SCHEMA, "components": [once[key] for key in sorted(once)]}
    if facts := left_out.facts():
        parsed["leftOut"] = facts
    return parsed


def summary(parsed: Components, left_out: Omissions) -> dict[str, Any]:
    """What a page says about the SBOM in one line."""
    return {
        "components": len(parsed["components"]),
        "withPurl": sum(1 for each in parsed["components"] if each["purl"] is not None),
        **left_out.summary(),
    }
