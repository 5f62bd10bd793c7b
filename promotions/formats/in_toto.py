"""in-toto statements, and the DSSE envelopes they come in. Pure: who signed is found out elsewhere, from the bytes."""

import base64
import binascii
from typing import Any, Final

from policies.evidence_facts import ATTESTATION_SCHEMA, Attestation
from promotions.formats.document import Context, Read
from promotions.formats.packages import check_names, digest_of_hex
from promotions.formats.reading import (
    MOST_BYTES,
    DocumentRefused,
    an_object,
    at,
    line,
    member,
    objects,
    part,
    read_json,
)

FORMAT = "in-toto"
MOST_SIGNATURES: Final = 20
STATEMENT_TYPES: Final = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")

_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def is_envelope(document: dict[str, Any]) -> bool:
    return "payload" in document and "payloadType" in document and "signatures" in document


def opened(envelope: dict[str, Any], place: str) -> tuple[dict[str, Any], str]:
    """What is inside an envelope, and its place. DocumentRefused for what is no readable DSSE envelope."""
    line(envelope, "payloadType", place)
    signatures = objects(envelope, "signatures", place)
    if not 0 < len(signatures) <= MOST_SIGNATURES:
        raise DocumentRefused(f"An envelope has 1 to {MOST_SIGNATURES} signatures.", at(place, "signatures"))
    for each, where in signatures:
        line(each, "sig", where, longest=8192)
    inside = at(place, "payload")
    text = envelope["payload"]
    if not isinstance(text, str) or len(text) > 2 * MOST_BYTES:
        raise DocumentRefused("The payload must be base64 text.", inside)
    try:
        payload = base64.b64decode(text.translate(_STANDARD_ALPHABET), validate=True)
    except (binascii.Error, ValueError):
        raise DocumentRefused("The payload is not base64.", inside) from None
    try:
        return an_object(read_json(payload), inside), inside
    except DocumentRefused as refused:
        raise DocumentRefused(refused.message, inside + refused.place.removeprefix("$"), code=refused.code) from None


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
    check_names(context.artifact, found, at(place, "subject"))
    return sorted(found)


def predicate(statement: dict[str, Any], place: str) -> tuple[dict[str, Any], str]:
    """The document that a statement carries. Scanners' reports stand inside cosign's vulnerability predicate."""
    inside = at(place, "predicate")
    found = an_object(member(statement, "predicate", place), inside)
    scanner = found.get("scanner")
    if isinstance(scanner, dict) and isinstance(scanner.get("result"), dict):
        return scanner["result"], at(at(inside, "scanner"), "result")
    return found, inside


def attestation(statement: dict[str, Any], place: str, context: Context) -> Read:
    """Its predicate is not looked into: what matters is who says which kind of thing of which artifacts."""
    predicate_type = line(statement, "predicateType", place)
    named = subjects(statement, place, context)
    parsed: Attestation = {"schema": ATTESTATION_SCHEMA, "predicateType": predicate_type, "subjects": named}
    summary = {"predicateType": predicate_type, "subjects": len(named)}
    return Read(FORMAT, parsed, None, None, summary, predicate_type, tuple(named), names_artifact=True)
