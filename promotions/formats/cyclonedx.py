"""CycloneDX JSON 1.4 to 1.7: the components of a document, and its SBOM. Pure.

Components and services are read in all places that the format has for parts of the document's subject: in `components`
and `services`, inside each other, and inside `metadata.component`. The makers and finders of something
(`metadata.tools`, `vulnerabilities[].tools`, `annotations`), its making (`formulation`), its sources (`pedigree`) and
claims about it (`declarations`) are not in the artifact and are not read. Its vulnerabilities as a report are read in
cyclonedx_vulnerabilities.py, as VEX in cyclonedx_vex.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from packageurl import PackageURL

from policies.document_facts import SbomComponent
from promotions.formats import components as sboms
from promotions.formats.document import UNBOUND, Binding, Context, ReadDocument
from promotions.formats.left_out import Omissions
from promotions.formats.packages import (
    check_names,
    digest_of_hex,
    digests_in,
    is_image,
    named_by_purl,
    named_in_reference,
    readable_purl,
)
from promotions.formats.reading import LONGEST_TEXT, DocumentRefused, at, maybe_name, maybe_time, objects, part

FORMAT = "cyclonedx"
VERSIONS: Final = ("1.4", "1.5", "1.6", "1.7")


@dataclass(frozen=True, slots=True)
class NamedComponent:
    """A component that something in the document refers to. `whole`: what the document is about, and `bound` how.

    `nameless`: it has neither a package URL nor a hash. `elsewhere`: it is a component of another document.
    """

    name: str
    version: str | None
    purl: str | None
    whole: bool = False
    bound: Binding = UNBOUND
    nameless: bool = False
    elsewhere: bool = False

    @property
    def own_version(self) -> str | None:
        """The version that a product of it is limited to: of a package, that in its package URL."""
        if self.purl is None or is_image(self.purl):
            return self.version
        version: str | None = PackageURL.from_string(self.purl).version
        return version


def recognises(document: dict[str, Any]) -> bool:
    return document.get("bomFormat") == "CycloneDX"


def sbom(document: dict[str, Any], place: str, context: Context) -> ReadDocument:
    """DocumentRefused for another version, an SBOM of another image, and one that lists only what it is about."""
    root = read_root(document, place, context)
    left_out = Omissions()
    about = part(part(document, "metadata", place), "component", at(place, "metadata"))
    parsed = sboms.components(
        (
            (each, is_software(entry, about))
            for entry, where in entries_in(document, place)
            if not is_same(entry, about)
            for each in components_of(entry, where, left_out)
        ),
        left_out,
        at(place, "components"),
    )
    return read_as(document, place, root, parsed, sboms.summary(parsed, left_out))


def read_as(
    document: dict[str, Any], place: str, root: NamedComponent, parsed: Any, summary: dict[str, Any]
) -> ReadDocument:
    """The read document, with the tool and time in its metadata."""
    metadata, inside = part(document, "metadata", place), at(place, "metadata")
    producer, made_at = _producer(metadata, inside), maybe_time(metadata, "timestamp", inside)
    return ReadDocument(
        FORMAT, parsed, producer, made_at, summary, names_artifact=root.bound.by_digest, about=root.bound.part
    )


def read_root(document: dict[str, Any], place: str, context: Context) -> NamedComponent:
    """The subject of the document; it must be the artifact where the document names it by digest."""
    if document.get("specVersion") not in VERSIONS:
        raise DocumentRefused(f"This version reads CycloneDX {', '.join(VERSIONS)}.", at(place, "specVersion"))
    metadata = part(document, "metadata", place)
    inside = at(at(place, "metadata"), "component")
    root = part(metadata, "component", at(place, "metadata"))
    purl = readable_purl(root, "purl", inside, Omissions())
    names = digests_in(root.get("version")) | named_by_purl(root.get("purl"), purl)
    names |= named_in_reference(root.get("name"), root.get("bom-ref"))
    properties = objects(root, "properties", inside)
    names |= digests_in(*(each.get("value") for each, _ in properties if each.get("name") == _REPO_DIGEST))
    if root.get("type") == "container":
        sums = (digest_of_hex(each.get("content")) for each, _ in objects(root, "hashes", inside))
        names |= {digest for digest in sums if digest}
    bound = check_names(context, names, inside)
    name, version = maybe_name(root, "name", inside) or "artifact", maybe_name(root, "version", inside)
    nameless = not root.get("purl") and not root.get("hashes")
    return NamedComponent(name, version, purl, whole=True, bound=bound, nameless=nameless)


_REPO_DIGEST: Final = "aquasecurity:trivy:RepoDigest"


def _producer(metadata: dict[str, Any], place: str) -> str | None:
    tools = metadata.get("tools")
    if isinstance(tools, dict):  # since 1.5
        inside = at(place, "tools")
        listed = [*objects(tools, "components", inside), *objects(tools, "services", inside)]
    else:
        listed = objects(metadata, "tools", place)
    names = {maybe_name(each, "name", where) for each, where in listed}
    return ", ".join(sorted(name.lower() for name in names if name))[:128] or None


def entries_in(document: dict[str, Any], place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every component and service that is in what the document is about. Depth is bounded by the reader."""
    metadata = at(place, "metadata")
    about = part(part(document, "metadata", place), "component", metadata)
    waiting = [(about, at(metadata, "component"), "components"), *((document, place, name) for name in _LISTS)]
    while waiting:
        holder, where, name = waiting.pop()
        for each, spot in objects(holder, name, where):
            yield each, spot
            if name in each:
                waiting.append((each, spot, name))


_LISTS: Final = ("components", "services")
_IDENTITY: Final = ("group", "name", "version", "purl")
_NAME: Final = ("type", "group", "name", "version")


def is_same(entry: dict[str, Any], about: dict[str, Any]) -> bool:
    """Whether an entry is once more what the document is about."""
    if any(entry.get(name) != about.get(name) for name in _IDENTITY):
        return False
    reference = entry.get("bom-ref")
    return entry.get("purl") is not None or (reference is not None and reference == about.get("bom-ref"))


def is_software(entry: dict[str, Any], about: dict[str, Any]) -> bool:
    """Whether an entry says what is in the artifact: no container or file, and no second entry of the artifact itself.

    A service has no type, and is.
    """
    if all(entry.get(name) == about.get(name) for name in _NAME):
        return False
    return entry.get("scope") != "excluded" and (entry.get("type") is None or entry["type"] in _SOFTWARE)


_SOFTWARE: Final = ("application", "framework", "library", "platform", "firmware", "device-driver")


def components_of(entry: dict[str, Any], place: str, left_out: Omissions) -> Iterator[SbomComponent]:
    """The component that an entry is; none, counted in `left_out`, for one without name and package URL."""
    name, group = maybe_name(entry, "name", place), maybe_name(entry, "group", place)
    full = f"{group}/{name}" if name and group else name
    purl = readable_purl(entry, "purl", place, left_out)
    yield from sboms.component(full, maybe_name(entry, "version", place), [purl] if purl else [], left_out, place)


class References(dict[str, NamedComponent]):
    """The components of a document that can be referred to, by bom-ref. `root` is its subject, `serial` its serial
    number."""

    root: NamedComponent
    serial: str = ""


def by_reference(document: dict[str, Any], place: str, root: NamedComponent) -> References:
    """The component of each bom-ref. DocumentRefused for a bom-ref of two things."""
    found = References()
    found.root = root
    serial = document.get("serialNumber")
    found.serial = serial.lower().removeprefix("urn:uuid:") if isinstance(serial, str) else ""
    about = part(part(document, "metadata", place), "component", at(place, "metadata"))
    if isinstance(about.get("bom-ref"), str):
        found[about["bom-ref"]] = root
    for entry, where in entries_in(document, place):
        reference = entry.get("bom-ref")
        if not isinstance(reference, str) or is_same(entry, about):
            continue
        if reference in found:
            raise DocumentRefused(f"The bom-ref {reference[:80]!r} stands twice.", at(where, "bom-ref"))
        for each in components_of(entry, where, Omissions()):
            found[reference] = NamedComponent(each["name"], each["version"], each["purl"])
    return found


def referred_to(reference: str, place: str, named: References) -> NamedComponent | None:
    """The component in this document, also by a link into it, or the package whose URL the reference or link is."""
    if reference in named:
        return named[reference]
    target, elsewhere = reference, False
    if reference.startswith("urn:cdx:"):
        link, _, element = reference.partition("#")
        target = unquote(element)
        elsewhere = not named.serial or link[8:].partition("/")[0].lower() != named.serial
        if not elsewhere and target in named:
            return named[target]
    purl = readable_purl({"ref": target}, "ref", place, Omissions()) if target.startswith("pkg:") else None
    if purl is None:
        return None
    return NamedComponent(purl.partition("?")[0][:LONGEST_TEXT], None, purl, elsewhere=elsewhere)
