"""CISA's catalogue of known exploited vulnerabilities, as JSON. Pure."""

import re
from datetime import date
from typing import Any

from policies.document_facts import KEV_SCHEMA, Kev
from promotions.formats.document import ReadDocument
from promotions.formats.reading import DocumentRefused, a_list, at, line, maybe_time, member, objects, read_json

FORMAT = "kev"

_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def feed(document: bytes) -> ReadDocument:
    """DocumentRefused for what is no catalogue, or one that does not say when it was released."""
    catalogue = read_json(document)
    if not isinstance(catalogue, dict) or "catalogVersion" not in catalogue:
        raise DocumentRefused("This is not the KEV catalogue: catalogVersion is missing.")
    released = maybe_time(catalogue, "dateReleased", "$")
    if released is None:
        raise DocumentRefused("The catalogue does not say when it was released.", "$.dateReleased")
    listed = a_list(member(catalogue, "vulnerabilities", "$"), "$.vulnerabilities")
    added: dict[str, str] = {}
    for entry, place in objects(catalogue, "vulnerabilities", "$"):
        cve, day = _cve(entry, place), _day(entry, place)
        added[cve] = min(day, added.get(cve, day))
    _check_count(catalogue, len(listed))
    parsed: Kev = {"schema": KEV_SCHEMA, "entries": [{"cve": cve, "dateAdded": added[cve]} for cve in sorted(added)]}
    return ReadDocument(FORMAT, parsed, "cisa", released, {"entries": len(added)})


def _check_count(catalogue: dict[str, Any], listed: int) -> None:
    """A catalogue that was cut short would clear what it lost."""
    count = member(catalogue, "count", "$")
    if isinstance(count, bool) or count != listed:
        raise DocumentRefused(f"The catalogue says it has {count} entries and has {listed}.", "$.count")
    if not listed:
        raise DocumentRefused("The catalogue lists nothing.", "$.vulnerabilities")


def _cve(entry: dict[str, Any], place: str) -> str:
    cve = line(entry, "cveID", place, longest=64).upper()
    if not _CVE.fullmatch(cve):
        raise DocumentRefused("A CVE is written CVE-2026-0001.", at(place, "cveID"))
    return cve


def _day(entry: dict[str, Any], place: str) -> str:
    text = line(entry, "dateAdded", place, longest=32)
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise DocumentRefused("A date is written 2026-11-23.", at(place, "dateAdded")) from None
