"""Components of an SBOM in their one form: sorted, each once. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from policies.document_facts import COMPONENTS_SCHEMA, Components, SbomComponent
from promotions.formats.left_out import Omissions
from promotions.formats.reading import LONGEST_TEXT, DocumentRefused, OtherKind, check_number

NAMELESS = "components without a name"


def component(
    name: str | None, version: str | None, purls: Iterable[str], left_out: Omissions, place: str
) -> Iterator[SbomComponent]:
    """A component by each of its package URLs, so that what is said of any of them finds it.

    Its first package URL stands in for a name; left out without either.
    """
    known = sorted(set(purls))
    called = name or (_name_of(known[0]) if known else None)
    if called is None:
        left_out.add(NAMELESS, place)
        return
    for purl in known or (None,):
        yield {"name": called, "version": version, "purl": purl}


def _name_of(purl: str) -> str:
    return purl.partition("?")[0][:LONGEST_TEXT]


def components(found: Iterable[tuple[SbomComponent, bool]], left_out: Omissions, place: str) -> Components:
    """The SBOM of components, each with whether it is software in the artifact: not a container, a system or a file.

    OtherKind for what lists no software; DocumentRefused when nothing that it lists can be read.
    """
    once = {}
    has_software = False
    for each, is_software in found:
        once[each["name"], each["version"] or "", each["purl"] or ""] = each
        has_software = has_software or is_software
        check_number(len(once))
    if not once:
        refusal = DocumentRefused if left_out.facts() else OtherKind
        raise refusal(
            "This lists no components, so it is no SBOM: send one that lists what is in the artifact. A report or a VEX"
            " document is sent as its own kind.",
            place,
        )
    if not has_software:
        raise OtherKind(
            "This lists no components that are software in the artifact, only containers, operating systems, files and"
            " the like, or what is excluded from it: send an SBOM that lists its packages.",
            place,
        )
    parsed: Components = {"schema": COMPONENTS_SCHEMA, "components": [once[key] for key in sorted(once)]}
    if facts := left_out.facts():
        parsed["leftOut"] = facts
    return parsed


def summary(parsed: Components, left_out: Omissions) -> dict[str, Any]:
    """The SBOM in one line of a page."""
    return {
        "components": len(parsed["components"]),
        "withPurl": sum(1 for each in parsed["components"] if each["purl"] is not None),
        **left_out.summary(),
    }
