"""Whether a document can be read in one way only. Pure.

A reader reads the names of its own format. Another tool would read a part under a name of another format, or under the
format's own name in another case: such a part must not seem to have been read here.
"""

from typing import Any, Final

from promotions.formats import cyclonedx, grype, in_toto, oci_index, openvex, osv_scanner, spdx, trivy
from promotions.formats.reading import DocumentRefused, at

SARIF: Final = "sarif"
ENVELOPE: Final = "envelope"

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    trivy.FORMAT: ("SchemaVersion", "Results"),
    grype.FORMAT: ("matches", "ignoredMatches", "descriptor"),
    osv_scanner.FORMAT: ("results",),
    SARIF: ("runs",),
    cyclonedx.FORMAT: ("bomFormat", "specVersion", "components", "services", "vulnerabilities"),
    spdx.FORMAT: ("spdxVersion", "packages"),
    openvex.FORMAT: ("@context", "statements"),
    in_toto.FORMAT: ("_type", "predicateType", "predicate"),
    oci_index.FORMAT: ("schemaVersion", "manifests"),
    ENVELOPE: ("dsseEnvelope", "payload", "payloadType"),
}
"""By format: names at the top of a document that no other format has there."""

_ENTRIES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    trivy.FORMAT: {"Results": ("Class", "Packages", "Vulnerabilities", "ExperimentalModifiedFindings")},
    grype.FORMAT: dict.fromkeys(("matches", "ignoredMatches"), ("vulnerability", "relatedVulnerabilities", "artifact")),
    osv_scanner.FORMAT: {"results": ("packages",)},
    cyclonedx.FORMAT: {
        "components": ("components",),
        "services": ("services",),
        "vulnerabilities": ("id", "affects", "analysis", "ratings"),
    },
    openvex.FORMAT: {"statements": ("vulnerability", "products", "status")},
    oci_index.FORMAT: {"manifests": ("digest", "platform")},
}
"""By format: its lists at the top of a document, each with names in its entries."""

_OWNERS: Final = {
    name.casefold(): [owner for owner, owned in _NAMES.items() if name.casefold() in map(str.casefold, owned)]
    for names in _NAMES.values()
    for name in names
}


def check_one_format(document: dict[str, Any], place: str, known: str) -> None:
    """DocumentRefused for a document of the format `known` that can be read as another's, too, or in another case."""
    for name in document:
        owners = _OWNERS.get(name.casefold())
        if owners is None or name in _NAMES[known]:
            continue
        other = known if known in owners else min(owners)
        raise _two(known, other, name, at(place, name))
    for list_name, names in _ENTRIES.get(known, {}).items():
        folded = {name.casefold() for name in names}
        entries = document.get(list_name)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            for name in entry if isinstance(entry, dict) else ():
                if name.casefold() in folded and name not in names:
                    raise _two(known, known, name, at(f"{at(place, list_name)}[{index}]", name))


def _two(known: str, other: str, name: str, place: str) -> DocumentRefused:
    as_other = f"as {other}" if other != known else "in another way by readers that pass over case"
    return DocumentRefused(
        f"This can be read as {known} and {as_other}, because of {name!r}: send the file as one tool wrote it.", place
    )
