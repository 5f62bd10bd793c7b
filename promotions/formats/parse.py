"""One uploaded document in, its parsed form out: what the isolated child process does (issue 3). Pure.

The payload is one line of JSON `{kind, artifactDigest, parts}` and then the document's bytes. The answer is JSON:
format, parsed (a form of policies/evidence_facts.py), producer, generatedAt, predicateType, subjects, summary,
enveloped, namesArtifact, about.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import orjson

from promotions.formats import cyclonedx, epss, grype, in_toto, kev, openvex, osv_scanner, spdx, trivy
from promotions.formats.document import Context, Read
from promotions.formats.reading import OtherKind, an_object, line, read_json
from promotions.formats.schemas import checked

Reader = Callable[[dict[str, Any], str, Context], Read]

FEEDS: Final[dict[str, Callable[[bytes], Read]]] = {"kev": kev.feed, "epss": epss.feed}

READERS: Final[dict[str, tuple[tuple[str, Callable[[dict[str, Any]], bool], Reader], ...]]] = {
    "sbom": (
        (cyclonedx.FORMAT, cyclonedx.recognises, cyclonedx.sbom),
        (spdx.FORMAT, spdx.recognises, spdx.sbom),
    ),
    "vulnerabilities": (
        (trivy.FORMAT, trivy.recognises, trivy.vulnerabilities),
        (grype.FORMAT, grype.recognises, grype.vulnerabilities),
        (cyclonedx.FORMAT, cyclonedx.recognises, cyclonedx.vulnerabilities),
        (osv_scanner.FORMAT, osv_scanner.recognises, osv_scanner.vulnerabilities),
    ),
    "vex": (
        (openvex.FORMAT, openvex.recognises, openvex.vex_statements),
        (cyclonedx.FORMAT, cyclonedx.recognises, cyclonedx.vex_statements),
    ),
    "attestation": ((in_toto.FORMAT, in_toto.is_statement, in_toto.attestation),),
}
"""By kind of document: the formats it may have, each with how it is recognised and read."""


def parse(payload: bytes) -> bytes:
    """DocumentRefused, with the place, for what cannot be taken as its kind."""
    head, _, document = payload.partition(b"\n")
    header = orjson.loads(head)
    kind = header["kind"]
    if kind in FEEDS:
        return _answer(FEEDS[kind](document), enveloped=False)
    value = an_object(read_json(document), "$")
    enveloped = in_toto.is_envelope(value)
    inside, place = in_toto.opened(value, "$") if enveloped else (value, "$")
    return _answer(
        _read(kind, inside, place, Context(header["artifactDigest"], frozenset(header.get("parts", ())))),
        enveloped=enveloped,
    )


def _read(kind: str, document: dict[str, Any], place: str, context: Context) -> Read:
    if kind == "attestation" or not in_toto.is_statement(document):
        return checked(_by_format(kind, document, place, context), document, place)
    named = in_toto.subjects(document, place, context)
    predicate_type = line(document, "predicateType", place)
    carried = in_toto.carried(document, place, kind)
    read = _by_format(kind, carried.document, carried.place, context)
    times = (*carried.times, *([] if read.generated_at is None else [read.generated_at]))
    stated = replace(
        read,
        generated_at=min(times, default=None),  # an old scan that is signed today is old
        predicate_type=predicate_type,
        subjects=tuple(named),
        names_artifact=True,
    )
    return checked(stated, carried.document, carried.place)


def _by_format(kind: str, document: dict[str, Any], place: str, context: Context) -> Read:
    for _, recognises, read in READERS[kind]:
        if recognises(document):
            return read(document, place, context)
    known = ", ".join(name for name, _, _ in READERS[kind])
    raise OtherKind(f"This is in none of the formats that can be taken as {kind}: {known}.", place)


def _answer(read: Read, *, enveloped: bool) -> bytes:
    return orjson.dumps(
        {
            "format": read.format,
            "parsed": read.parsed,
            "producer": read.producer,
            "generatedAt": read.generated_at,
            "predicateType": read.predicate_type,
            "subjects": list(read.subjects),
            "summary": read.summary,
            "enveloped": enveloped,
            "namesArtifact": read.names_artifact,
            "about": read.about,
        }
    )
