"""SPDX 2.3 in JSON. Pure."""

import re
from collections.abc import Iterable
from typing import Any

from promotions.formats.components import component, components, summary
from promotions.formats.document import UNBOUND, Bound, Context, Read
from promotions.formats.left_out import Omissions
from promotions.formats.packages import LONGEST_PURL, check_names, digest_of_hex, digests_in, image_digest, normal_purl
from promotions.formats.reading import (
    DocumentRefused,
    a_list,
    at,
    check_line,
    line,
    maybe_line,
    maybe_time,
    objects,
    part,
)

FORMAT = "spdx"
VERSION = "SPDX-2.3"

_TOOL_VERSION = re.compile(r"[-\s]v?[0-9][\w.+-]*$")
_NOTHING = ("NOASSERTION", "NONE")


def recognises(document: dict[str, Any]) -> bool:
    return "spdxVersion" in document


def sbom(document: dict[str, Any], place: str, context: Context) -> Read:
    """DocumentRefused for another version, or for an SBOM of another image."""
    if document["spdxVersion"] != VERSION:
        raise DocumentRefused(f"This version reads {VERSION}.", at(place, "spdxVersion"))
    packages = objects(document, "packages", place)
    bound = _check_root(document, packages, place, context)
    left_out = Omissions()
    parsed = components(
        (component(line(each, "name", where), _version(each, where), _purl(each, where)) for each, where in packages),
        left_out,
        at(place, "packages"),
    )
    creation = part(document, "creationInfo", place)
    inside = at(place, "creationInfo")
    producer, created = _producer(creation, inside), maybe_time(creation, "created", inside)
    return Read(
        FORMAT, parsed, producer, created, summary(parsed, left_out), names_artifact=bound.by_digest, about=bound.part
    )


def _version(package: dict[str, Any], place: str) -> str | None:
    found = maybe_line(package, "versionInfo", place)
    return None if found in _NOTHING else found


def _purl(package: dict[str, Any], place: str) -> str | None:
    found = {
        normal_purl(line(each, "referenceLocator", where, longest=LONGEST_PURL), at(where, "referenceLocator"))
        for each, where in objects(package, "externalRefs", place)
        if each.get("referenceType") == "purl"
    }
    return min(found, default=None)


def _producer(creation: dict[str, Any], place: str) -> str | None:
    inside = at(place, "creators")
    lines = (check_line(each, at(inside, i)) for i, each in enumerate(a_list(creation.get("creators") or [], inside)))
    tools = {
        _TOOL_VERSION.sub("", each.removeprefix("Tool:").strip()).lower()
        for each in lines
        if each and each.startswith("Tool:")
    }
    return ", ".join(sorted(tools))[:128] or None


def _check_root(
    document: dict[str, Any], packages: list[tuple[dict[str, Any], str]], place: str, context: Context
) -> Bound:
    described = set(_described(document, place))
    found = []
    for package, where in packages:
        if maybe_line(package, "SPDXID", where) not in described:
            continue
        names = digests_in(package.get("versionInfo"))
        purl = _purl(package, where)
        names |= {digest for digest in [purl and image_digest(purl)] if digest}
        if package.get("primaryPackagePurpose") == "CONTAINER":
            sums = (digest_of_hex(each.get("checksumValue")) for each, _ in objects(package, "checksums", where))
            names |= {digest for digest in sums if digest}
        found.append(check_names(context, names, where))
    named = [each for each in found if each.by_digest]
    return min(named, key=lambda each: each.part, default=UNBOUND)


def _described(document: dict[str, Any], place: str) -> Iterable[str]:
    yield from (each for each in a_list(document.get("documentDescribes") or [], place) if isinstance(each, str))
    for each, _ in objects(document, "relationships", place):
        if each.get("relationshipType") == "DESCRIBES" and isinstance(each.get("relatedSpdxElement"), str):
            yield each["relatedSpdxElement"]
