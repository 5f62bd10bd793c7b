"""Files with envelopes: every shape that tools write says the same, and of several all that are of the kind count."""

import base64
import gzip
import json
from typing import Any

import pytest

from promotions.formats import envelopes
from promotions.formats.reading import DocumentRefused
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes
from tests.promotions.formats.samples import (
    ARTIFACT,
    OTHER,
    answered,
    bundle,
    cyclonedx,
    cyclonedx_entry,
    lines,
    openvex,
    osv,
    read,
    shared,
    spdx,
    statement,
    trivy,
    trivy_entry,
    unsigned_envelope,
)

PROVENANCE = "https://slsa.dev/provenance/v1"
MARK = b"\xef\xbb\xbf"


def enveloped(predicate: Any, type_: str = "https://example.test/document", *digests: str) -> dict[str, Any]:
    return unsigned_envelope(statement(type_, predicate, *digests))


def refused(kind: str, document: Any) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        read(kind, document)
    return caught.value


def told(answer: dict[str, Any]) -> list[Any]:
    """What each document of a file says, in their order."""
    return [each["parsed"] for each in (answer, *answer["others"])]


KINDS: dict[str, Any] = {
    "sbom": cyclonedx(),
    "vulnerabilities": trivy(trivy_entry()),
    "vex": openvex(),
    "attestation": {"buildType": "x"},
}
SHAPES: dict[str, Any] = {
    "an envelope": lambda one: one,
    "a Sigstore bundle": bundle,
    "a bundle of before version 0.3": lambda one: bundle(
        one, mediaType="application/vnd.dev.sigstore.bundle+json;version=0.1"
    ),
    "a bundle with an empty other content": lambda one: bundle(one, messageSignature=None),
    "GitHub's answer": lambda one: answered(bundle(one)),
    "one line": lambda one: lines(one),
    "with a byte order mark": lambda one: MARK + lines(bundle(one)),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("kind", "document"), KINDS.items(), ids=KINDS)
def test_every_kind_is_read_in_every_shape_and_says_the_same(kind: str, document: Any, shape: Any) -> None:
    one = enveloped(document)
    answer = read(kind, shape(one))
    assert told(answer) == told(read(kind, one))
    assert (answer["enveloped"], answer["namesArtifact"], answer["leftOut"]) == (True, True, [])
    assert answer["payloadDigest"] == digest_bytes(base64.b64decode(one["payload"]))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", " \t\r\n", "\n" + MARK.decode()])
@pytest.mark.parametrize("before", [b"", b"\n\n", MARK])
def test_several_on_a_line_each_are_read_in_their_order(before: bytes, end: str) -> None:
    documents = [cyclonedx(), spdx(), cyclonedx(components=[{"type": "library", "name": "a"}])]
    sent = before + lines(enveloped(documents[0]), bundle(enveloped(documents[1])), enveloped(documents[2]), end=end)
    answer = read("sbom", sent.removesuffix(MARK))
    assert told(answer) == [read("sbom", each)["parsed"] for each in documents]


def test_several_of_what_github_answers_are_read_in_their_order() -> None:
    answer = read("sbom", answered(bundle(enveloped(cyclonedx())), bundle(enveloped(spdx()))))
    assert [each["format"] for each in (answer, *answer["others"])] == ["cyclonedx", "spdx"]
    assert [each["place"] for each in (answer, *answer["others"])] == [
        "$.attestations[0].bundle",
        "$.attestations[1].bundle",
    ]


def stored(document: bytes) -> list[bytes]:
    return [item.content for item in envelopes.items(document)]


def test_one_document_is_stored_byte_for_byte() -> None:
    for sent in (MARK + b" \n" + lines(bundle(enveloped({}))), json.dumps(bundle(enveloped({})), indent=2).encode()):
        assert stored(sent) == [sent]


def test_a_line_is_stored_byte_for_byte_without_its_end() -> None:
    first, second = (
        b' {"payload": "e30=", "payloadType": "x", "signatures": [{"sig": "AAAA"}] } ',
        lines(bundle(enveloped({}))),
    )
    assert stored(MARK + first + b"\r\n\r\n" + second) == [first, second[:-1]]


def test_what_github_answers_is_stored_as_its_bundles_in_canonical_form() -> None:
    one, two = bundle(enveloped({})), bundle(enveloped({"a": "é"}))
    sent = json.dumps(answered(one, two), indent=3).encode()
    assert stored(sent) == [canonical_bytes(one), canonical_bytes(two)]
    assert stored(canonical_bytes(one)) == [canonical_bytes(one)]


SEVERAL = (
    enveloped(cyclonedx()),
    enveloped(trivy(trivy_entry())),
    enveloped(openvex()),
    enveloped({"buildType": "x"}, PROVENANCE),
    enveloped(cyclonedx(vulnerabilities=[cyclonedx_entry()])),
    enveloped(cyclonedx(components=[], vulnerabilities=[cyclonedx_entry(affects=[], analysis={"state": "resolved"})])),
)
# by kind: the lines that count, the lines that are left out
COUNTS: dict[str, tuple[list[int], list[int]]] = {
    # VEX without components is no SBOM
    "sbom": ([1, 5], [2, 3, 4, 6]),
    # an SBOM without vulnerabilities is no report, nor is VEX without components
    "vulnerabilities": ([2, 5], [1, 3, 4, 6]),
    # a report without an analysis is no VEX
    "vex": ([3, 6], [1, 2, 4, 5]),
    "attestation": ([1, 2, 3, 4, 5, 6], []),
}


@pytest.mark.parametrize("kind", COUNTS)
def test_of_several_those_of_the_kind_count_and_the_others_are_named(kind: str) -> None:
    taken, left = COUNTS[kind]
    answer = read(kind, lines(*SEVERAL))
    assert [each["place"] for each in (answer, *answer["others"])] == [f"line {number}: $" for number in taken]
    assert [each["place"].partition(":")[0] for each in answer["leftOut"]] == [f"line {number}" for number in left]
    assert all(each["reason"] for each in answer["leftOut"])


@pytest.mark.parametrize(
    ("inside", "place"),
    [
        (cyclonedx(), "line 2: $.payload"),
        (statement(PROVENANCE, None), "line 2: $.payload.predicate"),
        (statement(PROVENANCE, "SPDXVersion: SPDX-2.3"), "line 2: $.payload.predicate"),
        (statement(PROVENANCE, {"Data": "free text"}), "line 2: $.payload.predicate.Data"),
        # the in-toto predicate for scans, which is not cosign's
        (statement("https://in-toto.io/attestation/vulns/v0.2", {"scanner": {"result": []}}),
         "line 2: $.payload.predicate.scanner.result"),
    ],
)  # fmt: skip
def test_what_cannot_be_of_the_kind_is_left_out_at_its_place(inside: Any, place: str) -> None:
    kind, first = ("attestation", enveloped({})) if inside == cyclonedx() else ("vex", enveloped(openvex()))
    answer = read(kind, lines(first, unsigned_envelope(inside)))
    assert (len(answer["others"]), [each["place"] for each in answer["leftOut"]]) == (0, [place])


def test_the_same_twice_counts_once_and_is_named() -> None:
    answer = read("sbom", lines(enveloped(cyclonedx()), enveloped(cyclonedx())))
    assert (answer["others"], answer["leftOut"]) == (
        [],
        [{"place": "line 2: $", "reason": "This is the same as at line 1: $."}],
    )


WHOLE: dict[str, tuple[str, Any, str, str]] = {
    "one of the kind that cannot be read": (
        "sbom",
        lines(enveloped(cyclonedx()), enveloped(cyclonedx(specVersion="9"))),
        "line 2: $.payload.predicate.specVersion",
        "EVD_INVALID_DOCUMENT",
    ),
    "one about another artifact": (
        "attestation",
        lines(enveloped({}), enveloped({}, PROVENANCE, OTHER)),
        "line 2: $.payload.subject",
        "EVD_DIGEST_MISMATCH",
    ),
    "one about another artifact, of another kind": (
        "sbom",
        answered(bundle(enveloped(cyclonedx())), bundle(enveloped({}, PROVENANCE, OTHER))),
        "$.attestations[1].bundle.dsseEnvelope.payload.subject",
        "EVD_DIGEST_MISMATCH",
    ),
    "a payload that is no JSON": (
        "sbom",
        lines(enveloped(cyclonedx()), {**enveloped({}), "payload": "AAAA"}),
        "line 2: $.payload",
        "EVD_INVALID_DOCUMENT",
    ),
    "a scan without a report, among reports": (
        "vulnerabilities",
        lines(enveloped(trivy()), enveloped({"scanner": {}})),
        "line 2: $.payload.predicate.scanner.result",
        "EVD_INVALID_DOCUMENT",
    ),
    "a line that is no envelope": (
        "sbom",
        lines(enveloped(cyclonedx()), cyclonedx()),
        "line 2: $",
        "EVD_INVALID_DOCUMENT",
    ),
    "plain documents on lines": ("sbom", lines(cyclonedx(), spdx()), "line 1: $", "EVD_INVALID_DOCUMENT"),
    "a line that is no JSON": (
        "sbom",
        lines(enveloped(cyclonedx()), enveloped(spdx())) + b"\n\n{]\n",
        "line 5, column 2",
        "EVD_INVALID_DOCUMENT",
    ),
    "a name twice on a line": (
        "sbom",
        lines(enveloped(cyclonedx())) + b'{"a": [{"b": 1, "b": 1}]}',
        "line 2: $.a[0]",
        "EVD_INVALID_DOCUMENT",
    ),
    "none of the kind": (
        "vex",
        lines(enveloped({}), enveloped(trivy())),
        "line 1: $.payload.predicate",
        "EVD_INVALID_DOCUMENT",
    ),
    "an empty list": ("attestation", answered(), "$.attestations", "EVD_INVALID_DOCUMENT"),
    "a list that names only where the bundles are": (
        "attestation",
        answered(None),
        "$.attestations[0].bundle",
        "EVD_INVALID_DOCUMENT",
    ),
    "a list of something else": (
        "attestation",
        answered({"a": 1}),
        "$.attestations[0].bundle",
        "EVD_INVALID_DOCUMENT",
    ),
    "a bundle that signs an artifact": (
        "attestation",
        {**bundle(None), "messageSignature": {"messageDigest": {}, "signature": "AAAA"}},
        "$",
        "EVD_INVALID_DOCUMENT",
    ),
    "a bundle without content": ("attestation", bundle(None), "$", "EVD_INVALID_DOCUMENT"),
    "a bundle with two contents": (
        "attestation",
        bundle(enveloped({}), messageSignature={"signature": "AAAA"}),
        "$",
        "EVD_INVALID_DOCUMENT",
    ),
    "a bundle with a second envelope under protobuf's other name": (
        "attestation",
        bundle(enveloped({}), dsse_envelope=enveloped({"a": 1})),
        "$",
        "EVD_INVALID_DOCUMENT",
    ),
    "an envelope and a bundle in one": (
        "attestation",
        {**enveloped({}), **bundle(enveloped({"a": 1}))},
        "$",
        "EVD_INVALID_DOCUMENT",
    ),
    "a bundle and a list in one": (
        "attestation",
        {**bundle(enveloped({})), **answered(bundle(enveloped({"a": 1})))},
        "$",
        "EVD_INVALID_DOCUMENT",
    ),
    "a bundle whose envelope is none": (
        "attestation",
        bundle({"payload": "e30="}),
        "$.dsseEnvelope",
        "EVD_INVALID_DOCUMENT",
    ),
    "a key id that is no text": (
        "attestation",
        {**enveloped({}), "signatures": [{"sig": "AAAA", "keyid": []}]},
        "$.signatures[0].keyid",
        "EVD_INVALID_DOCUMENT",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "document", "place", "code"), WHOLE.values(), ids=WHOLE)
def test_the_whole_file_is_refused_for(kind: str, document: Any, place: str, code: str) -> None:
    problem = refused(kind, document)
    assert (problem.place, problem.code) == (place, code)


def test_a_signature_of_an_artifact_says_what_to_send_instead() -> None:
    problem = refused("attestation", {**bundle(None), "messageSignature": {"signature": "AAAA"}})
    assert "carries no document: send an attestation" in problem.message


def test_a_list_without_bundles_says_how_to_get_them() -> None:
    assert "gh attestation download" in refused("attestation", answered(None)).message


def test_none_of_the_kind_says_how_many_there_are_and_of_which_kind_they_should_be() -> None:
    problem = refused("vex", lines(enveloped({}), enveloped(trivy())))
    assert "None of the 2 documents in this file can be taken as vex." in problem.message


def test_fifty_are_read_and_fifty_one_are_not() -> None:
    many = [enveloped({"number": number}) for number in range(51)]
    for fits, too_many in ((lines(*many[:50]), lines(*many)), (answered(*map(bundle, many[:50])), answered(*many))):
        assert len(told(read("attestation", fits))) == 50
        assert "50" in refused("attestation", too_many).message


def test_so_many_values_around_what_is_signed_are_refused_before_they_are_read_twice() -> None:
    padded = {**enveloped({}), "around": [0] * 50_000}
    assert "around the signed payloads" in refused("attestation", padded).message
    with pytest.raises(DocumentRefused, match="around the signed payloads"):
        envelopes.signed_items(json.dumps([0] * 50_001).encode())


def test_a_compressed_file_is_refused_as_such() -> None:
    assert "compressed" in refused("attestation", gzip.compress(lines(enveloped({}), enveloped({})))).message


def test_a_document_that_is_no_envelope_is_not_counted_so() -> None:
    assert read("sbom", cyclonedx(properties=[{"name": "a"}] * 60_000))["format"] == "cyclonedx"


@pytest.mark.parametrize("name", ["bundle.json", "envelopes.jsonl"])
def test_the_smallest_inputs_that_were_refused_are_read(name: str) -> None:
    answer = read("attestation", shared(f"real-min/07-sigstore-bundle/{name}"))
    assert (answer["predicateType"], answer["subjects"]) == (PROVENANCE, [ARTIFACT])


def test_the_smallest_input_with_a_mark_is_read() -> None:
    assert read("sbom", shared("real-min/16-wrappers-and-encodings/utf8-bom.json"))["summary"]["components"] == 1


def test_a_report_without_a_time_in_a_bundle_is_as_old_as_its_scan() -> None:
    made = enveloped({"scanner": {"result": osv()}, "metadata": {"scanFinishedOn": "2026-10-01T08:00:00Z"}})
    assert read("vulnerabilities", answered(bundle(made)))["generatedAt"] == "2026-10-01T08:00:00.000Z"
