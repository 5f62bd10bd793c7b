"""The index of an image: which manifests are parts of it, as the registry's own bytes say."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotions.formats.oci_index import MEDIA_TYPES
from promotions.formats.reading import DocumentRefused
from stellapromote.signing.canonical_json import digest_bytes
from tests.promotions.formats.samples import OTHER, read, statement, unsigned_envelope

AMD64 = "sha256:" + "1" * 64
ARM64 = "sha256:" + "2" * 64
BESIDE = "sha256:" + "3" * 64
UNKNOWN = {"os": "unknown", "architecture": "unknown"}
SAYS_SO = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": AMD64}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ATTESTATIONS = "attestations that are stored beside the images"


def entry(digest: str, platform: Any = None, **fields: Any) -> dict[str, Any]:
    described = {"mediaType": MANIFEST, "digest": digest, "size": 1024, **fields}
    return described if platform is None else {**described, "platform": platform}


LINUX = entry(AMD64, {"os": "linux", "architecture": "amd64"})
ARM = entry(ARM64, {"os": "linux", "architecture": "arm64", "variant": "v8"})
ATTESTATION = entry(BESIDE, UNKNOWN, annotations=SAYS_SO)


def index(*manifests: Any, **fields: Any) -> dict[str, Any]:
    """As buildx writes it."""
    return {"schemaVersion": 2, "mediaType": MEDIA_TYPES[0], "manifests": list(manifests), **fields}


def written(document: Any) -> bytes:
    return document if isinstance(document, bytes) else json.dumps(document, indent=2).encode()


def taken(document: Any) -> dict[str, Any]:
    """What is read in an index that is sent for its own digest."""
    raw = written(document)
    return read("index", raw, artifact=digest_bytes(raw))


def refused(document: Any, artifact: str | None = None) -> DocumentRefused:
    raw = written(document)
    with pytest.raises(DocumentRefused) as caught:
        read("index", raw, artifact=artifact or digest_bytes(raw))
    return caught.value


def parts(*manifests: Any) -> list[tuple[str, str | None]]:
    return [(each["digest"], each["platform"]) for each in taken(index(*manifests))["parsed"]["manifests"]]


def test_an_index_names_the_manifests_of_its_platforms() -> None:
    answer = taken(index(ARM, LINUX, ATTESTATION))
    assert answer["format"] == "oci-index"
    assert answer["parsed"] == {
        "schema": "stella.index/v1",
        "manifests": [
            {"digest": AMD64, "platform": "linux/amd64"},
            {"digest": ARM64, "platform": "linux/arm64/v8"},
        ],
        "leftOut": [{"reason": ATTESTATIONS, "number": 1}],
    }
    assert (answer["summary"]["manifests"], answer["summary"]["leftOut"]) == (2, 1)
    assert (answer["namesArtifact"], answer["about"]) == (True, "")


@pytest.mark.parametrize("document", [index(LINUX, mediaType=each) for each in MEDIA_TYPES])
def test_both_kinds_of_index_are_read(document: Any) -> None:
    assert taken(document)["summary"]["manifests"] == 1


def test_an_index_need_not_name_its_type() -> None:
    assert taken({"schemaVersion": 2, "manifests": [LINUX]})["summary"]["manifests"] == 1


PLATFORMS: list[tuple[Any, str | None]] = [
    (None, None),
    ({}, None),
    ({"os": "linux"}, "linux/unknown"),
    # Windows has an image for each of its versions
    (
        {"os": "windows", "architecture": "amd64", "os.version": "10.0.17763.6293"},
        "windows/amd64 (10.0.17763.6293)",
    ),
    ({"os": "linux", "architecture": "arm", "variant": "v7"}, "linux/arm/v7"),
]


@pytest.mark.parametrize(("platform", "text"), PLATFORMS)
def test_a_platform_is_written_in_one_way(platform: Any, text: str | None) -> None:
    assert parts(entry(AMD64, platform)) == [(AMD64, text)]


IMAGES: dict[str, tuple[dict[str, Any], str | None]] = {
    # it runs somewhere, whatever it calls its platform
    "no platform that is known": (entry(BESIDE, UNKNOWN), "unknown/unknown"),
    "the annotation, and a platform": (
        entry(BESIDE, {"os": "linux", "architecture": "s390x"}, annotations=SAYS_SO),
        "linux/s390x",
    ),
    "the annotation, and no platform": (entry(BESIDE, annotations=SAYS_SO), None),
    "the annotation, and half a platform": (entry(BESIDE, {"os": "unknown"}, annotations=SAYS_SO), "unknown/unknown"),
    "another annotation": (
        entry(BESIDE, UNKNOWN, annotations={"vnd.docker.reference.type": "image"}),
        "unknown/unknown",
    ),
    "an index inside the index": (entry(BESIDE, mediaType=MEDIA_TYPES[0]), None),
    "an artifact of another kind": (entry(BESIDE, artifactType="application/vnd.example"), None),
}


@pytest.mark.parametrize(("manifest", "platform"), IMAGES.values(), ids=IMAGES)
def test_all_else_is_a_part_of_the_image(manifest: dict[str, Any], platform: str | None) -> None:
    assert (BESIDE, platform) in parts(LINUX, manifest)


def test_a_manifest_that_stands_twice_is_one_part() -> None:
    assert parts(LINUX, LINUX) == [(AMD64, "linux/amd64")]


def test_one_manifest_may_be_of_two_platforms() -> None:
    answer = taken(index(LINUX, {**ARM, "digest": AMD64}))
    assert [each["platform"] for each in answer["parsed"]["manifests"]] == ["linux/amd64", "linux/arm64/v8"]
    assert answer["summary"]["manifests"] == 1


def test_what_is_an_attestation_and_an_image_is_a_part() -> None:
    assert parts(ATTESTATION, entry(BESIDE, {"os": "linux", "architecture": "amd64"})) == [(BESIDE, "linux/amd64")]


REFUSED: dict[str, tuple[Any, str, str]] = {
    "no manifests": (index(), "$.manifests", "names no image"),
    "manifests missing": ({"schemaVersion": 2, "mediaType": MEDIA_TYPES[0]}, "$.manifests", "names no image"),
    "attestations only": (index(ATTESTATION), "$.manifests", "names no image"),
    "a manifest without a digest": (index({"mediaType": MANIFEST}), "$.manifests[0].digest", "sha256"),
    "another kind of digest": (index(LINUX, entry("sha512:" + "1" * 128)), "$.manifests[1].digest", "sha256"),
    "a digest in capitals": (index(entry("sha256:" + "A" * 64)), "$.manifests[0].digest", "sha256"),
    "a platform that is no object": (index(entry(AMD64, "linux/amd64")), "$.manifests[0].platform", "object"),
    "an entry that is no object": (index(AMD64), "$.manifests[0]", "object"),
    "a manifest of one image": (
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": []},
        "$",
        "manifest of one image",
    ),
    "manifest and index at once": (index(LINUX, layers=[]), "$", "manifest of one image"),
    "the type of something else": (index(LINUX, mediaType=MANIFEST), "$.mediaType", "types"),
    "another schema version": (index(LINUX, schemaVersion=1), "$.schemaVersion", "version 2"),
}


@pytest.mark.parametrize(("document", "place", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_index_is_refused_at_its_place(document: Any, place: str, words: str) -> None:
    refusal = refused(document)
    assert (refusal.code, refusal.place) == ("EVD_INVALID_DOCUMENT", place)
    assert words in refusal.message


def test_an_index_of_another_image_is_a_mismatch_that_says_what_to_send() -> None:
    refusal = refused(index(LINUX), artifact=OTHER)
    assert refusal.code == "EVD_DIGEST_MISMATCH"
    assert "exactly as the registry gives it" in refusal.message


def test_the_bytes_must_be_those_of_the_registry() -> None:
    raw = written(index(LINUX))
    assert refused(json.dumps(index(LINUX)).encode(), artifact=digest_bytes(raw)).code == "EVD_DIGEST_MISMATCH"
    assert refused(raw + b"\n", artifact=digest_bytes(raw)).code == "EVD_DIGEST_MISMATCH"


@pytest.mark.parametrize("wrapped", [unsigned_envelope(index(LINUX)), statement("index", index(LINUX), OTHER)])
def test_an_index_inside_something_else_is_not_its_own_bytes(wrapped: Any) -> None:
    refused(wrapped, artifact=OTHER)


def test_an_index_in_an_envelope_is_refused_with_what_to_send() -> None:
    assert "as it is, not in an envelope" in refused(unsigned_envelope(index(LINUX)), artifact=OTHER).message


@pytest.mark.parametrize("document", [{"bomFormat": "CycloneDX"}, {"manifests": []}, {"schemaVersion": "2"}])
def test_other_documents_are_in_no_format_of_an_index(document: Any) -> None:
    assert "none of the formats" in refused(document).message


ADDED = st.sampled_from([LINUX, ARM, ATTESTATION, entry(BESIDE, UNKNOWN), entry(BESIDE, annotations=SAYS_SO)])


@given(before=st.lists(ADDED, max_size=4), added=st.lists(ADDED, max_size=3))
def test_no_entry_that_is_added_makes_a_part_disappear(before: list[Any], added: list[Any]) -> None:
    assert set(parts(LINUX, *before)) <= set(parts(*added, LINUX, *before))
