"""SPDX 2.3 in JSON. Pure."""

import re
from dataclasses import dataclass
from typing import Any

from promotions.formats.components import component, components, summary
from promotions.formats.document import UNBOUND, Binding, Context, ReadDocument
from promotions.formats.left_out import Omissions
from promotions.formats.packages import (
    check_names,
    digest_of_hex,
    digests_in,
    named_by_purl,
    named_in_reference,
    readable_purl,
)
from promotions.formats.reading import (
    DocumentRefused,
    a_list,
    at,
    check_name,
    maybe_name,
    maybe_time,
    objects,
    part,
)

FORMAT = "spdx"
VERSION = "SPDX-2.3"

_TOOL_VERSION = re.compile(r"[-\s]v?[0-9][\w.+-]*$")
_SOFTWARE = ("APPLICATION", "FRAMEWORK", "LIBRARY", "FIRMWARE", "INSTALL", "OTHER")
"""Purposes of packages that say what is in the artifact."""
_NOTHING = ("NOASSERTION", "NONE")


def recognises(document: dict[str, Any]) -> bool:
    return "spdxVersion" in opened(document, "$")[0]


def sbom(document: dict[str, Any], place: str, context: Context) -> ReadDocument:
    """DocumentRefused for another version, for an SBOM of another image, and for one that lists only the artifact."""
    document, place = opened(document, place)
    if document["spdxVersion"] != VERSION:
        raise DocumentRefused(f"This version reads {VERSION}.", at(place, "spdxVersion"))
    left_out = Omissions()
    packages = [_package(each, where, left_out) for each, where in objects(document, "packages", place)]
    described = _described(document, packages, place)
    bound, about = _bound(described, context), _about(described, context)
    parsed = components(
        (
            (found, each.purpose is None or each.purpose in _SOFTWARE)
            for each in packages
            if each.place not in about
            for found in component(each.name, each.version, each.purls, left_out, each.place)
        ),
        left_out,
        at(place, "packages"),
    )
    creation = part(document, "creationInfo", place)
    inside = at(place, "creationInfo")
    producer, created = _producer(creation, inside), maybe_time(creation, "created", inside)
    read = summary(parsed, left_out)
    return ReadDocument(FORMAT, parsed, producer, created, read, names_artifact=bound.by_digest, about=bound.part)


def opened(document: dict[str, Any], place: str) -> tuple[dict[str, Any], str]:
    """The SPDX document and its place: GitHub's dependency graph answers with it in `sbom`."""
    inside = document.get("sbom")
    return (inside, at(place, "sbom")) if len(document) == 1 and isinstance(inside, dict) else (document, place)


@dataclass(frozen=True, slots=True)
class _Package:
    """`digests` are those by which it says that it is an image."""

    id: object
    place: str
    name: str | None
    version: str | None
    purls: frozenset[str]
    digests: frozenset[str]
    purpose: object

    @property
    def is_container(self) -> bool:
        return self.purpose == "CONTAINER"


def _package(package: dict[str, Any], place: str, left_out: Omissions) -> _Package:
    version = maybe_name(package, "versionInfo", place)
    digests = digests_in(package.get("versionInfo")) | named_in_reference(package.get("name"))
    purls = set()
    for each, where in objects(package, "externalRefs", place):
        if each.get("referenceType") == "purl":
            purl = readable_purl(each, "referenceLocator", where, left_out)
            digests |= named_by_purl(each.get("referenceLocator"), purl)
            purls |= {purl} if purl else set()
    purpose = package.get("primaryPackagePurpose")
    if purpose == "CONTAINER":
        sums = (digest_of_hex(each.get("checksumValue")) for each, _ in objects(package, "checksums", place))
        digests |= {digest for digest in sums if digest}
    return _Package(
        package.get("SPDXID"),
        place,
        maybe_name(package, "name", place),
        None if version in _NOTHING else version,
        frozenset(purls),
        frozenset(digests),
        purpose,
    )


def _producer(creation: dict[str, Any], place: str) -> str | None:
    inside = at(place, "creators")
    creators = enumerate(a_list(creation.get("creators") or [], inside))
    lines = (check_name(each, at(inside, index)) or "" for index, each in creators)
    tools = {
        _TOOL_VERSION.sub("", each.removeprefix("Tool:").strip()).lower() for each in lines if each.startswith("Tool:")
    }
    return ", ".join(sorted(tools))[:128] or None


def _described(document: dict[str, Any], packages: list[_Package], place: str) -> list[_Package]:
    """The packages that the document says it is about."""
    ids = {each for each in a_list(document.get("documentDescribes") or [], place) if isinstance(each, str)}
    for each, _ in objects(document, "relationships", place):
        end = _DESCRIBED_END.get(str(each.get("relationshipType")))
        if end is not None and isinstance(each.get(end), str):
            ids.add(each[end])
    return [each for each in packages if isinstance(each.id, str) and each.id in ids]


_DESCRIBED_END = {"DESCRIBES": "relatedSpdxElement", "DESCRIBED_BY": "spdxElementId"}


def _bound(described: list[_Package], context: Context) -> Binding:
    found = [check_names(context, set(each.digests), each.place) for each in described]
    named = [each for each in found if each.by_digest]
    return min(named, key=lambda each: (not each.part, each.part), default=UNBOUND)


def _about(described: list[_Package], context: Context) -> frozenset[str]:
    """The places of the packages that are the document's subject, and so no components of it.

    Such a package is described, and is the artifact or a part of it by digest, or the only container that is described,
    or the only thing that is described and has no package URL but that of a repository: so tools write a directory that
    they scanned, and GitHub its knowledge of a repository.
    """
    containers = sum(each.is_container for each in described)
    images = {context.artifact, *context.parts}
    return frozenset(
        each.place
        for each in described
        if not each.digests.isdisjoint(images)
        or (each.is_container and containers == 1)
        or (len(described) == 1 and all(purl.startswith("pkg:github/") for purl in each.purls))
    )
