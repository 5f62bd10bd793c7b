"""OpenVEX. Pure.

A product is the artifact when it names its digest, and a package when it is a package URL that names no image. With
subcomponents a product must be the artifact to lift anything: a statement about openssl in another product does not
concern openssl in this one. A statement of "affected" or "under investigation" counts for the subcomponents of any
product, and for the whole artifact where the product is unknown.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, get_args
from urllib.parse import SplitResult, urlsplit

from policies.document_facts import VexStatement, VexStatus
from promotions.formats.document import Context, ReadDocument
from promotions.formats.left_out import Omissions
from promotions.formats.lines import escaped_line
from promotions.formats.packages import (
    LONGEST_PURL,
    digest_of_hex,
    digests_in,
    image_digest,
    is_image,
    names_some_versions,
    normal_purl,
)
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
from promotions.formats.statements import (
    LIFTING,
    NO_REASON,
    ONE_PLATFORM,
    OTHER_PRODUCT,
    SOME_VERSIONS,
    TWO_NAMES,
    UNTOLD,
    affected,
    identities,
    product,
    readable,
    statement,
    vex,
)

FORMAT = "openvex"

_STATUSES: Final[dict[str, VexStatus]] = {each: each for each in get_args(VexStatus)}
_JUSTIFICATIONS: Final = frozenset(
    {
        "component_not_present",
        "vulnerable_code_not_present",
        "vulnerable_code_not_in_execute_path",
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "inline_mitigations_already_exist",
    }
)
_ADVISORY: Final = re.compile(
    r"(?i:CVE)-[0-9]+-[0-9]+|GHSA(?:-[0-9a-z]{4}){3}|(?!CVE)[A-Z][A-Z0-9]{1,15}-[0-9]{4}-[0-9]+"
)
"""An id that an address can end in: a CVE, a GHSA, or the like of GO-2024-2687 and RUSTSEC-2024-0001."""


@dataclass(slots=True)
class _Reading:
    """One document while it is read. `digests`: those that its products name; `speaks_of_all`: one statement has no
    product.

    A lift without a time of its own has the time at which the document was issued: a later change of the document does
    not renew it. Bad news without one has the time of the last change.
    """

    context: Context
    issued: str | None
    changed: str | None
    left_out: Omissions = field(default_factory=Omissions)
    digests: set[str] = field(default_factory=set)
    speaks_of_all: bool = False

    @property
    def names_artifact(self) -> bool:
        """Whether the document says by digest what it speaks of.

        A statement without products speaks of the whole artifact, so a part of it is not enough then.
        """
        if self.context.artifact in self.digests:
            return True
        return not self.speaks_of_all and not self.digests.isdisjoint(self.context.parts)


def recognises(document: dict[str, Any]) -> bool:
    context = document.get("@context")
    return isinstance(context, str) and context.startswith("https://openvex.dev/ns")


def vex_statements(document: dict[str, Any], place: str, context: Context) -> ReadDocument:
    """DocumentRefused for a status that OpenVEX does not know, for bad news that cannot be read, and for a document of
    which nothing counts here."""
    member(document, "statements", place)
    entries = objects(document, "statements", place)
    issued, changed = (maybe_time(document, name, place) for name in ("timestamp", "last_updated"))
    reading = _Reading(context, issued or changed, changed or issued)
    parsed, summary = vex(
        (each for entry, where in entries for each in _statements(entry, where, reading)),
        reading.left_out,
        at(place, "statements"),
        context=context,
        first_product=_first_product(entries),
    )
    author = maybe_line(document, "author", place)
    return ReadDocument(FORMAT, parsed, author, reading.changed, summary, names_artifact=reading.names_artifact)


def _first_product(entries: list[tuple[dict[str, Any], str]]) -> str | None:
    for entry, _ in entries:
        products = entry.get("products")
        for each in products if isinstance(products, list) else ():
            name = each.get("@id") or part(each, "identifiers", "").get("purl") if isinstance(each, dict) else each
            if isinstance(name, str):
                return escaped_line(name)[:200]
    return None


def _statements(entry: dict[str, Any], place: str, reading: _Reading) -> Iterator[VexStatement]:
    status = _STATUSES.get(line(entry, "status", place))
    if status is None:
        raise DocumentRefused(f"A status is one of {', '.join(_STATUSES)}.", at(place, "status"))
    yield from readable(status, lambda: _read_statements(entry, place, status, reading), reading.left_out)


def _read_statements(entry: dict[str, Any], place: str, status: VexStatus, reading: _Reading) -> Iterator[VexStatement]:
    justification = maybe_line(entry, "justification", place)
    if status == "not_affected" and justification not in _JUSTIFICATIONS and not _has_impact(entry):
        reading.left_out.add(NO_REASON, place)
        return
    identified = _identities(entry, place, status)
    inherited = reading.issued if status in LIFTING else reading.changed
    stated_at = maybe_time(entry, "last_updated", place) or maybe_time(entry, "timestamp", place) or inherited
    products = _products(entry, place, status, reading)
    if products is None:
        return
    reading.speaks_of_all |= not products
    for identity in identified:
        yield statement(identity, status=status, products=products, justification=justification, stated_at=stated_at)


def _has_impact(entry: dict[str, Any]) -> bool:
    said = entry.get("impact_statement")
    return isinstance(said, str) and bool(said.strip())


def _identities(entry: dict[str, Any], place: str, status: VexStatus) -> list[tuple[str, list[str]]]:
    given = member(entry, "vulnerability", place)
    inside = at(place, "vulnerability")
    if isinstance(given, str):  # before 0.2
        return identities(status, line(entry, "vulnerability", place))
    named = an_object(given, inside)
    aliases = a_list(named.get("aliases") or [], at(inside, "aliases"))
    lines = (check_line(each, at(at(inside, "aliases"), i)) for i, each in enumerate(aliases))
    return identities(status, maybe_line(named, "name", inside) or _id(named, inside), [each for each in lines if each])


def _id(vulnerability: dict[str, Any], place: str) -> str:
    """The name of a vulnerability that has only an `@id`: an id itself, or an address that ends in one."""
    text = maybe_line(vulnerability, "@id", place)
    if text is None:
        raise DocumentRefused("name is missing or empty.", place)
    if not text.startswith(("https://", "http://")):
        if ":" not in text and "/" not in text:
            return text
    else:
        address = _address(text)
        last = address.path.rstrip("/").rpartition("/")[2]
        if _ADVISORY.fullmatch(last) and not address.query and not address.fragment:
            return last
    raise DocumentRefused("This does not contain the name of the vulnerability: write it in name.", at(place, "@id"))


def _address(text: str) -> SplitResult:
    """The parts of an address; empty ones for what is none."""
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("")


def _products(entry: dict[str, Any], place: str, status: VexStatus, reading: _Reading) -> list[str] | None:
    """The packages and digests of a statement; empty: the whole artifact; None: nothing here, which is counted.

    Before 0.2 subcomponents are the statement's, and those of each of its products.
    """
    products, older = _listed(entry, "products", place), _listed(entry, "subcomponents", place)
    if older and not products and status in LIFTING:
        reading.left_out.add(UNTOLD, place)
        return None
    found: set[str] = set()
    reasons: list[str] = []
    for each, where in products:
        subcomponents = [*older, *(_listed(each, "subcomponents", where) if isinstance(each, dict) else ())]
        names, reason = _names(each, where, subcomponents, status, reading)
        found |= names
        reasons.append(reason)
    if products and not found:
        reading.left_out.add(min(reasons, key=_TELLING.index), place)
        return None
    return sorted(found)


_TELLING: Final = (TWO_NAMES, SOME_VERSIONS, ONE_PLATFORM, OTHER_PRODUCT, UNTOLD)
"""Of several reasons for one statement, the first in this order is counted."""


def _listed(holder: dict[str, Any], name: str, place: str) -> list[tuple[Any, str]]:
    inside, given = at(place, name), holder.get(name)
    return [(each, f"{inside}[{index}]") for index, each in enumerate(a_list([] if given is None else given, inside))]


def _names(
    given: Any, place: str, subcomponents: list[tuple[Any, str]], status: VexStatus, reading: _Reading
) -> tuple[set[str], str]:
    """The names of a statement in one of its products, and the reason where there are none."""
    context = reading.context
    itself = _identify(given, place)
    reading.digests |= itself.digests
    told = [_identify(each, where) for each, where in subcomponents]
    packages = {purl for each in told for purl in each.purls}
    if status not in LIFTING:
        packages = {purl for purl in packages if not is_image(purl)}
        if packages and all(not packages.isdisjoint(each.purls) for each in told):
            return packages, OTHER_PRODUCT
        return packages | affected(itself.purls, itself.digests, context), OTHER_PRODUCT
    if any(each.contradicts(context) for each in (itself, *told)):
        return set(), TWO_NAMES
    if any(map(names_some_versions, itself.purls | packages)):
        return set(), SOME_VERSIONS
    if not subcomponents:
        named = itself.purls or itself.digests
        return set(
            product(min(itself.purls, default=None), itself.digests, context)
        ), OTHER_PRODUCT if named else UNTOLD
    if context.artifact in itself.digests:
        return packages, UNTOLD
    return set(), OTHER_PRODUCT if itself.digests.isdisjoint(context.parts) else ONE_PLATFORM


@dataclass(frozen=True, slots=True)
class _Names:
    """All digests and package URLs by which a product names itself."""

    digests: set[str]
    purls: set[str]

    def contradicts(self, context: Context) -> bool:
        """Whether they are of several things: two packages, a package and an image, this image and another one."""
        packages = {purl for purl in self.purls if not is_image(purl)}
        here = context.parts | {context.artifact}
        if packages:
            return len(self.purls) > 1 or not here.isdisjoint(self.digests)
        return not here.isdisjoint(self.digests) and not self.digests <= here


def _identify(thing: Any, place: str) -> _Names:
    if isinstance(thing, str):
        thing = {"@id": thing}
    thing = an_object(thing, place)
    identifiers, inside = part(thing, "identifiers", place), at(place, "identifiers")
    hashes = [each.get("sha-256") for each in (part(thing, "hashes", place), part(identifiers, "hashes", inside))]
    name = maybe_line(thing, "@id", place, longest=LONGEST_PURL) or ""
    given = maybe_line(identifiers, "purl", inside, longest=LONGEST_PURL)
    written = [(name, at(place, "@id"))] if name.startswith("pkg:") else []
    if given is not None:
        written.append((given, at(inside, "purl")))
    purls = {normal_purl(text, where) for text, where in written}
    digests = {digest for digest in (*map(digest_of_hex, hashes), *map(image_digest, purls)) if digest}
    return _Names(digests | digests_in(name), purls)
