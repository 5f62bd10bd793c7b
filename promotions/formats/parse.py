"""One uploaded file in, the parsed form of each document out: what the isolated child process does (issue 3). Pure.

The payload is one line of JSON `{kind, artifactDigest, parts}` and then the file's bytes; `parts` are
the manifests of which the artifact is the index, each with its platforms. The answer is JSON, of the
first document: place, format, parsed (a form of policies/document_facts.py), producer, generatedAt, predicateType,
subjects, summary, enveloped, payloadDigest, namesArtifact, about, scope. Beside these stand `others`, a list of the
same, and `leftOut`, a list of `{place, reason}`.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import orjson

from promotions.formats import (
    cyclonedx,
    cyclonedx_vex,
    cyclonedx_vulnerabilities,
    envelopes,
    epss,
    grype,
    in_toto,
    kev,
    oci_index,
    openvex,
    osv_scanner,
    spdx,
    trivy,
)
from promotions.formats.cyclonedx_vulnerabilities import may_be_vex
from promotions.formats.document import Context, ReadDocument
from promotions.formats.envelopes import Envelope, Item
from promotions.formats.one_format import ENVELOPE, check_one_format
from promotions.formats.other_reports import what_to_send
from promotions.formats.packages import check_names
from promotions.formats.reading import MISMATCH, DocumentRefused, OtherKind, at, line, read_inside
from promotions.formats.schemas import checked
from promotions.formats.scopes import scope_of
from stellapromote.signing.canonical_json import digest_bytes

Reader = Callable[[dict[str, Any], str, Context], ReadDocument]

FEEDS: Final[dict[str, Callable[[bytes], ReadDocument]]] = {"kev": kev.feed, "epss": epss.feed}

READERS: Final[dict[str, tuple[tuple[str, Callable[[dict[str, Any]], bool], Reader], ...]]] = {
    "sbom": (
        (cyclonedx.FORMAT, cyclonedx.recognises, cyclonedx.sbom),
        (spdx.FORMAT, spdx.recognises, spdx.sbom),
    ),
    "vulnerabilities": (
        (trivy.FORMAT, trivy.recognises, trivy.vulnerabilities),
        (grype.FORMAT, grype.recognises, grype.vulnerabilities),
        (cyclonedx.FORMAT, cyclonedx.recognises, cyclonedx_vulnerabilities.vulnerabilities),
        (osv_scanner.FORMAT, osv_scanner.recognises, osv_scanner.vulnerabilities),
    ),
    "vex": (
        (openvex.FORMAT, openvex.recognises, openvex.vex_statements),
        (cyclonedx.FORMAT, cyclonedx.recognises, cyclonedx_vex.vex_statements),
    ),
    "attestation": ((in_toto.FORMAT, in_toto.is_statement, in_toto.attestation),),
    "index": ((oci_index.FORMAT, oci_index.recognises, oci_index.index),),
}
"""By kind of document: the formats it may have, each with how it is recognised and read."""


def parse(payload: bytes) -> bytes:
    """DocumentRefused, with the place, for a file that cannot be taken as its kind."""
    with _no_collector():
        return _parsed(payload)


def parse_small(payload: bytes) -> bytes:
    """The same, in a child that no large document keeps busy."""
    return parse(payload)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Nothing here makes cycles, and searching for them again and again takes half of the time of a large document."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _parsed(payload: bytes) -> bytes:
    head, _, document = payload.partition(b"\n")
    header = orjson.loads(head)
    kind = header["kind"]
    if kind in FEEDS:
        return orjson.dumps(_answer(FEEDS[kind](document), "$", None))
    parts = header.get("parts", {})
    context = Context(header["artifactDigest"], frozenset(parts), digest_bytes(document), parts)
    answers, left_out = _documents(kind, envelopes.items(document), context)
    return orjson.dumps({**answers[0], "others": answers[1:], "leftOut": left_out})


def _documents(kind: str, found: list[Item], context: Context) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """The reading of each document. Of several, those of another kind are left out and named; no other fault is passed
    over.

    OtherKind when none is of the kind.
    """
    if len(found) == 1:
        return [_document(kind, found[0], context)], []
    answers: list[dict[str, Any]] = []
    left_out: list[dict[str, str]] = []
    places: dict[bytes, str] = {}
    for item in found:
        if item.content in places:
            left_out.append({"place": item.place, "reason": f"This is the same as at {places[item.content]}."})
            continue
        places[item.content] = item.place
        try:
            answers.append(_document(kind, item, context))
        except OtherKind as other:
            left_out.append({"place": other.place, "reason": other.message})
    if not answers:
        raise OtherKind(
            f"None of the {len(found)} documents in this file can be taken as {kind}. {left_out[0]['reason']}",
            left_out[0]["place"],
        )
    return answers, left_out


def _document(kind: str, item: Item, context: Context) -> dict[str, Any]:
    if item.envelope is None:
        value, place = item.value, item.place
    else:
        check_one_format(item.value, item.place, ENVELOPE)
        place = at(item.envelope.place, "payload")
        value = read_inside(item.envelope.payload, place)
        context = replace(context, sent="")
    return _answer(_read(kind, value, place, context), item.place, item.envelope)


def _read(kind: str, document: dict[str, Any], place: str, context: Context) -> ReadDocument:
    if kind == "attestation" or not in_toto.is_statement(document):
        said = _by_format(kind, document, place, context)
        if kind == "vulnerabilities" and may_be_vex(document):
            said = replace(said, names_artifact=False)
        return checked(said, document, place)
    check_one_format(document, place, in_toto.FORMAT)
    named = in_toto.subjects(document, place, context)
    predicate_type = line(document, "predicateType", place)
    carried = in_toto.enclosed_document(document, place, kind)
    read = _by_format(kind, carried.document, carried.place, context)
    times = (*carried.times, *([] if read.generated_at is None else [read.generated_at]))
    stated = replace(
        read,
        generated_at=min(times, default=None),  # an old scan that is signed today is old
        predicate_type=predicate_type,
        subjects=tuple(named),
        names_artifact=carried.is_scan or not (kind == "vulnerabilities" and may_be_vex(carried.document)),
        about=_about(context, set(named), read, place),
    )
    return checked(stated, carried.document, carried.place)


def _about(context: Context, subjects: set[str], read: ReadDocument, place: str) -> str:
    """The part that a statement is about, empty for the artifact. DocumentRefused when what it carries is another's.

    The narrower counts: a statement about the artifact lends nothing to the platforms that its document is not about.
    """
    if read.about and subjects.isdisjoint({context.artifact, read.about}):
        raise DocumentRefused(
            f"The statement carries a document about {read.about}, which is none of its subjects.", place, code=MISMATCH
        )
    return read.about or check_names(context, subjects, place).part


def _by_format(kind: str, document: dict[str, Any], place: str, context: Context) -> ReadDocument:
    for name, recognises, read in READERS[kind]:
        if recognises(document):
            check_one_format(*(spdx.opened(document, place) if name == spdx.FORMAT else (document, place)), name)
            found = read(document, place, context)
            return replace(found, scope=scope_of(found, document))
    known = ", ".join(name for name, _, _ in READERS[kind])
    hint = what_to_send(kind, document)
    raise OtherKind(f"This is in none of the formats that can be taken as {kind}: {known}.{hint}", place)


def _answer(read: ReadDocument, place: str, envelope: Envelope | None) -> dict[str, Any]:
    return {
        "place": place,
        "format": read.format,
        "parsed": read.parsed,
        "producer": read.producer,
        "generatedAt": read.generated_at,
        "predicateType": read.predicate_type,
        "subjects": list(read.subjects),
        "summary": read.summary,
        "enveloped": envelope is not None,
        "payloadDigest": None if envelope is None else envelope.payload_digest,
        "namesArtifact": read.names_artifact,
        "about": read.about,
        "scope": read.scope,
    }
