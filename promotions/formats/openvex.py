"""OpenVEX. Pure.

A product is the artifact when it names its digest, and a package when it is a package URL that names no image. With
subcomponents a product must be the artifact: what is said of openssl in another image says nothing of openssl in this.
"""

from collections.abc import Iterator
from typing import Any, Final, get_args

from policies.evidence_facts import VexStatement, VexStatus
from promotions.formats.document import Context, Read
from promotions.formats.findings import identities
from promotions.formats.packages import LONGEST_PURL, digest_of_hex, digests_in, image_digest, is_image, normal_purl
from promotions.formats.reading import (
    DocumentRefused,
    a_list,
    an_object,
    at,
    check_line,
    line,
    maybe_line,
    maybe_time,
    member,
    objects,
    part,
)
from promotions.formats.statements import names_of_products, statement, vex

FORMAT = "openvex"

_STATUSES: Final = get_args(VexStatus)


def recognises(document: dict[str, Any]) -> bool:
    context = document.get("@context")
    return isinstance(context, str) and context.startswith("https://openvex.dev/ns")


def vex_statements(document: dict[str, Any], place: str, context: Context) -> Read:
    """DocumentRefused for a status that OpenVEX does not know, and for a product that names nothing."""
    member(document, "statements", place)
    stated = maybe_time(document, "last_updated", place) or maybe_time(document, "timestamp", place)
    parsed, summary = vex(
        each
        for entry, where in objects(document, "statements", place)
        for each in _statements(entry, where, stated, context)
    )
    author, named = maybe_line(document, "author", place), _names_artifact(document, place, context)
    return Read(FORMAT, parsed, author, stated, summary, names_artifact=named)


def _names_artifact(document: dict[str, Any], place: str, context: Context) -> bool:
    """Whether any product is the artifact, by its digest."""
    return any(
        context.artifact in _identify(product, where)[0]
        for entry, where in objects(document, "statements", place)
        for product in entry.get("products") or []
    )


def _statements(
    entry: dict[str, Any], place: str, stated: str | None, context: Context
) -> Iterator[VexStatement | None]:
    status = line(entry, "status", place)
    if status not in _STATUSES:
        raise DocumentRefused(f"A status is one of {', '.join(_STATUSES)}.", at(place, "status"))
    products = a_list(entry.get("products") or [], at(place, "products"))
    found = [
        name
        for index, product in enumerate(products)
        for name in _names(product, at(at(place, "products"), index), context)
    ]
    for identity in _identities(entry, place):
        yield statement(
            identity,
            status=status,  # type: ignore[arg-type]
            products=names_of_products(found),
            names_products=bool(products),
            justification=maybe_line(entry, "justification", place),
            stated_at=maybe_time(entry, "timestamp", place) or stated,
        )


def _identities(entry: dict[str, Any], place: str) -> list[tuple[str, list[str]]]:
    given = member(entry, "vulnerability", place)
    inside = at(place, "vulnerability")
    if isinstance(given, str):  # before 0.2
        return identities(line(entry, "vulnerability", place))
    named = an_object(given, inside)
    aliases = a_list(named.get("aliases") or [], at(inside, "aliases"))
    lines = (check_line(each, at(at(inside, "aliases"), i)) for i, each in enumerate(aliases))
    return identities(line(named, "name", inside), (each for each in lines if each))


def _names(product: Any, place: str, context: Context) -> Iterator[str | None]:
    digests, purl = _identify(product, place)
    subcomponents = objects(product, "subcomponents", place) if isinstance(product, dict) else []
    is_artifact = context.artifact in digests
    if subcomponents:
        for each, where in subcomponents if is_artifact else ():
            yield _identify(each, where)[1]
    elif is_artifact:
        yield context.artifact
    elif purl is not None and not is_image(purl):
        yield purl


def _identify(thing: Any, place: str) -> tuple[set[str], str | None]:
    """The digests and the package URL by which a product names itself."""
    if isinstance(thing, str):
        thing = {"@id": thing}
    thing = an_object(thing, place)
    identifiers, inside = part(thing, "identifiers", place), at(place, "identifiers")
    hashes = {**part(thing, "hashes", place), **part(identifiers, "hashes", inside)}
    name = maybe_line(thing, "@id", place, longest=LONGEST_PURL) or ""
    given = maybe_line(identifiers, "purl", inside, longest=LONGEST_PURL) or (name if name.startswith("pkg:") else None)
    purl = None if given is None else normal_purl(given, place)
    digests = {digest for digest in [digest_of_hex(hashes.get("sha-256")), purl and image_digest(purl)] if digest}
    return digests | digests_in(name), purl
