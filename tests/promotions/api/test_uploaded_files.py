"""Files with envelopes through HTTP: bundles, what GitHub answers, several on a line each, other encodings."""

import base64
import json
from io import BytesIO
from typing import Any

import pytest
from django.test import Client

from promotions.models import EvidenceDocument, FeedEntry
from stellapromote.signing.canonical_json import canonical_bytes
from tests.promotions.api.world import World
from tests.promotions.formats.samples import (
    ARTIFACT,
    EPSS,
    KEV,
    OTHER,
    answered,
    bundle,
    cyclonedx,
    lines,
    openvex,
    shared,
    spdx,
    statement,
    trivy,
    unsigned_envelope,
)
from tests.promotions.uploads import Signer

MARK = b"\xef\xbb\xbf"
PROVENANCE = "https://slsa.dev/provenance/v1"


def sent(kind: str, content: bytes, **fields: Any) -> dict[str, Any]:
    packed = base64.b64encode(content).decode()
    return {"artifactDigest": ARTIFACT, "kind": kind, "documentBase64": packed, **fields}


def uploads(world: World, kind: str, content: bytes, **fields: Any) -> dict[str, Any]:
    answer: dict[str, Any] = world.tomas.ok("POST", "evidence", sent(kind, content, **fields), status=201)
    return answer


def content_of(world: World, document: dict[str, Any]) -> bytes:
    content: bytes = world.vera.call("GET", f"evidence/documents/{document['id']}/content").content
    return content


def test_one_document_is_answered_alone(world: World) -> None:
    answer = uploads(world, "sbom", json.dumps(cyclonedx()).encode())
    assert (answer["others"], answer["leftOut"]) == ([], [])


def test_several_envelopes_are_answered_with_the_first_before_the_others(world: World) -> None:
    signer = Signer("p384-der")
    key = world.greta.ok("POST", "trusted-keys", {"name": "ci", "pem": signer.pem}, status=201)
    assert key["algorithm"] == "ECDSA P-384"
    envelopes = [
        unsigned_envelope(statement(PROVENANCE, {})),
        signer.envelope(statement("https://cyclonedx.org/bom", cyclonedx())),
        bundle(unsigned_envelope(statement("https://spdx.dev/Document", json.dumps(spdx())))),
    ]
    answer = uploads(world, "sbom", lines(*envelopes), mediaType="application/x-ndjson")
    assert (answer["format"], answer["signer"], answer["signature"]["found"]) == ("cyclonedx", key["keyId"], "trusted")
    (other,) = answer["others"]
    assert (other["format"], other["signer"], other["signature"]["found"]) == ("spdx", None, "unknown")
    assert [each["place"] for each in answer["leftOut"]] == ["line 1: $.payload.predicate"]
    assert "none of the formats" in answer["leftOut"][0]["reason"]
    assert [content_of(world, each) for each in (answer, other)] == [
        json.dumps(each).encode() for each in envelopes[1:]
    ]
    assert len(world.vera.get(f"evidence?artifactDigest={ARTIFACT}")["data"]) == 2


def test_what_github_answers_is_kept_as_bundles(world: World) -> None:
    one, two = (bundle(unsigned_envelope(statement(PROVENANCE, {"number": number}))) for number in range(2))
    body = {"artifactDigest": ARTIFACT, "kind": "attestation", "document": answered(one, two)}
    answer = world.tomas.ok("POST", "evidence", body, status=201)
    found = [content_of(world, each) for each in (answer, *answer["others"])]
    assert found == [canonical_bytes(one), canonical_bytes(two)]


def test_one_about_another_artifact_refuses_the_file_and_nothing_is_kept(world: World) -> None:
    content = lines(*(unsigned_envelope(statement(PROVENANCE, {}, each)) for each in (ARTIFACT, OTHER)))
    error = world.tomas.call("POST", "evidence", sent("attestation", content)).json()["error"]
    assert (error["code"], error["details"]["place"]) == ("EVD_DIGEST_MISMATCH", "line 2: $.payload.subject")
    assert not EvidenceDocument.objects.exists()


REFUSED: dict[str, tuple[str, Any, str]] = {
    "a signature of an artifact": (
        "attestation",
        {**bundle(None), "messageSignature": {"signature": "AAAA"}},
        "carries no document",
    ),
    "a list without bundles": ("attestation", answered(None), "gh attestation download"),
    "none of the kind": (
        "vex",
        lines(*(unsigned_envelope(statement(PROVENANCE, {"number": number})) for number in range(2))),
        "None of the 2 documents",
    ),
    "too many": (
        "attestation",
        lines(*(unsigned_envelope(statement(PROVENANCE, {"number": number})) for number in range(51))),
        "more than 50 lines",
    ),
    "UTF-16": ("sbom", json.dumps(cyclonedx()).encode("utf-16"), "save it as UTF-8"),
    "two reports": ("vulnerabilities", lines(trivy(), trivy()), "DSSE envelopes or Sigstore bundles"),
    "a key id that is no text": (
        "attestation",
        {**unsigned_envelope(statement(PROVENANCE, {})), "signatures": [{"sig": "AAAA", "keyid": []}]},
        "This must be text",
    ),
}


@pytest.mark.parametrize(("kind", "document", "words"), REFUSED.values(), ids=REFUSED)
def test_a_file_is_refused_in_words(world: World, kind: str, document: Any, words: str) -> None:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    response = world.tomas.call("POST", "evidence", sent(kind, content))
    error = response.json()["error"]
    assert (response.status_code, error["code"], words in error["message"]) == (422, "EVD_INVALID_DOCUMENT", True)
    assert not EvidenceDocument.objects.exists()


@pytest.mark.parametrize(
    ("kind", "document"),
    [("sbom", cyclonedx()), ("vulnerabilities", trivy()), ("vex", openvex()), ("attestation", statement("x", {}))],
)
def test_a_byte_order_mark_changes_nothing_but_the_stored_bytes(world: World, kind: str, document: Any) -> None:
    for each in (document, unsigned_envelope(statement("x", document)), bundle(unsigned_envelope(document))):
        plain = json.dumps(each).encode()
        marked = uploads(world, kind, MARK + plain)
        assert content_of(world, marked) == MARK + plain
        assert marked["parsedDigest"] == uploads(world, kind, plain)["parsedDigest"]


def test_a_mark_before_an_envelope_hides_no_signature(world: World) -> None:
    signer = Signer()
    key = world.greta.ok("POST", "trusted-keys", {"name": "ci", "pem": signer.pem}, status=201)
    envelope = signer.envelope(statement("https://cyclonedx.org/bom", cyclonedx()))
    assert uploads(world, "sbom", MARK + json.dumps(envelope).encode())["signer"] == key["keyId"]


@pytest.mark.parametrize("name", ["document", "kind"])
def test_what_stands_twice_in_a_form_is_refused_and_none_is_dropped_in_silence(world: World, name: str) -> None:
    def file(document: Any) -> BytesIO:
        made = BytesIO(json.dumps(document).encode())
        made.name = "report.json"
        return made

    fields: dict[str, Any] = {"artifactDigest": ARTIFACT, "kind": "sbom", "document": file(cyclonedx())}
    fields[name] = [fields[name], file(spdx()) if name == "document" else "sbom"]
    headers = {"Authorization": f"Bearer {world.tomas.token}"}
    response = Client().post("/api/v1/evidence", fields, headers=headers)
    assert (response.status_code, response.json()["error"]["validationErrors"][0]["field"]) == (400, name)
    assert not EvidenceDocument.objects.exists()


def test_feeds_with_a_mark_are_taken(world: World) -> None:
    for kind, content in (("kev", json.dumps(KEV).encode()), ("epss", EPSS)):
        packed = base64.b64encode(MARK + content).decode()
        world.greta.ok("POST", "feeds", {"kind": kind, "documentBase64": packed}, status=201)
    assert FeedEntry.objects.count() == 4


def test_a_file_with_several_is_uploaded_once_by_its_idempotency_key(world: World) -> None:
    content = lines(*(unsigned_envelope(statement(PROVENANCE, {"number": number})) for number in range(2)))
    one, two = (
        world.tomas.call("POST", "evidence", sent("attestation", content), Idempotency_Key="k1") for _ in range(2)
    )
    assert (one.content, two.headers["Idempotency-Replayed"]) == (two.content, "true")
    assert len(one.json()["others"]) == 1


@pytest.mark.parametrize(
    ("kind", "name", "number"),
    [
        ("attestation", "07-sigstore-bundle/bundle.json", 1),
        # the same envelope twice
        ("attestation", "07-sigstore-bundle/envelopes.jsonl", 1),
        ("sbom", "16-wrappers-and-encodings/utf8-bom.json", 1),
    ],
)
def test_the_smallest_inputs_that_were_refused_are_taken(world: World, kind: str, name: str, number: int) -> None:
    uploads(world, kind, shared(f"real-min/{name}"))
    assert EvidenceDocument.objects.count() == number
