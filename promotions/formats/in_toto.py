"""in-toto statements, and the documents that they carry. Pure."""

from dataclasses import dataclass
from typing import Any, Final

from policies.document_facts import ATTESTATION_SCHEMA, Attestation
from promotions.formats.document import Context, ReadDocument
from promotions.formats.packages import check_names, digest_of_hex
from promotions.formats.reading import (
    DocumentRefused,
    OtherKind,
    an_object,
    at,
    line,
    maybe_time,
    objects,
    part,
    read_inside,
)

FORMAT = "in-toto"
STATEMENT_TYPES: Final = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")

SCAN: Final = "cosign.sigstore.dev/attestation/vuln/"
"""Stands in the predicate type of cosign's vulnerability scans; before cosign 2 without https."""

_CUSTOM: Final = frozenset({"Data", "Timestamp"})


@dataclass(frozen=True, slots=True)
class EnclosedDocument:
    """A document inside a statement. `times`: its times by the parts around it; empty without any. `is_scan`: the
    statement names a scanner as its author."""

    document: dict[str, Any]
    place: str
    times: tuple[str, ...] = ()
    is_scan: bool = False


def is_statement(document: dict[str, Any]) -> bool:
    return document.get("_type") in STATEMENT_TYPES


def subjects(statement: dict[str, Any], place: str, context: Context) -> list[str]:
    """The digests that the statement speaks of; DocumentRefused (mismatch) unless the artifact is among them."""
    found = {
        digest
        for each, where in objects(statement, "subject", place)
        if (digest := digest_of_hex(part(each, "digest", where).get("sha256")))
    }
    if not found:
        raise DocumentRefused("The statement has no subject with a sha256 digest.", at(place, "subject"))
    check_names(context, found, at(place, "subject"))
    return sorted(found)


def enclosed_document(statement: dict[str, Any], place: str, kind: str) -> EnclosedDocument:
    """The document that a statement carries, in each of the ways in which cosign writes one.

    Of its type `spdx` it is text. Of no type of its own it is text in `Data`, and SBOMs of cosign 1 are text or an
    object there. A scanner's report stands in `scanner.result`. DocumentRefused, or OtherKind.
    """
    inside = at(place, "predicate")
    given = statement.get("predicate")
    if given is None:
        raise OtherKind("The statement carries no document.", inside)
    if isinstance(given, str):
        return EnclosedDocument(_in_text(given, inside), inside)
    found = an_object(given, inside)
    if "Data" in found and found.keys() <= _CUSTOM:
        data = found["Data"]
        where = at(inside, "Data")
        document = _in_text(data, where) if isinstance(data, str) else an_object(data, where)
        return EnclosedDocument(document, where, _times(found, inside, "Timestamp"))
    if "scanner" in found and "Data" in found:
        raise DocumentRefused(
            "This can be read as a scan (scanner.result) and as a document (Data): it must be one.", inside
        )
    if "scanner" in found or SCAN in line(statement, "predicateType", place):
        return _scan(found, inside, DocumentRefused if kind == "vulnerabilities" else OtherKind)
    return EnclosedDocument(found, inside)


def _scan(predicate: dict[str, Any], place: str, refusal: type[DocumentRefused]) -> EnclosedDocument:
    """The other parts of such a predicate decide nothing: the report is in `scanner.result`."""
    scanner = predicate.get("scanner")
    where = at(at(place, "scanner"), "result")
    result = scanner.get("result") if isinstance(scanner, dict) else None
    if not isinstance(result, dict):
        raise refusal(
            "The scanner's report is missing: in such a predicate scanner.result is the object that the scanner wrote.",
            where,
        )
    metadata = part(predicate, "metadata", place)
    times = _times(metadata, at(place, "metadata"), "scanStartedOn", "scanFinishedOn")
    return EnclosedDocument(result, where, times, is_scan=True)


def _times(holder: dict[str, Any], place: str, *names: str) -> tuple[str, ...]:
    return tuple(found for name in names if (found := maybe_time(holder, name, place)) is not None)


def _in_text(text: str, place: str) -> dict[str, Any]:
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        raise OtherKind(
            "The document is text and no JSON, such as SPDX in tag-value form: attest its JSON form instead.", place
        )
    return read_inside(text.encode(), place)


def attestation(statement: dict[str, Any], place: str, context: Context) -> ReadDocument:
    """Reads no predicate: of an attestation count its signer, its type and its artifacts.

    DocumentRefused without a predicate: an empty object is one, and text, as cosign writes it of type `spdx`.
    """
    predicate_type = line(statement, "predicateType", place)
    predicate, inside = statement.get("predicate"), at(place, "predicate")
    if predicate is None or (isinstance(predicate, str) and not predicate.strip()):
        raise DocumentRefused("The statement says nothing: its predicate is missing.", inside)
    if not isinstance(predicate, str):
        an_object(predicate, inside)
    named = subjects(statement, place, context)
    parsed: Attestation = {"schema": ATTESTATION_SCHEMA, "predicateType": predicate_type, "subjects": named}
    summary = {"predicateType": predicate_type, "subjects": len(named)}
    about = check_names(context, set(named), place).part
    return ReadDocument(
        FORMAT, parsed, None, None, summary, predicate_type, tuple(named), names_artifact=True, about=about
    )
