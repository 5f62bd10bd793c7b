"""A report that names an image for several platforms, and says which of them the scanner looked at."""

from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.samples import ARTIFACT, OTHER, grype, read, statement, trivy

A, B = "sha256:" + "1" * 64, "sha256:" + "2" * 64
SCAN = "https://cosign.sigstore.dev/attestation/vuln/v1"
NAMES = [f"example.test/app@{ARTIFACT}"]
INDEX = {A: ["linux/amd64"], B: ["linux/arm64/v8"]}


def trivy_of(names: list[str], os: Any, architecture: Any, variant: Any = None) -> dict[str, Any]:
    looked_at = {"os": os, "architecture": architecture, "variant": variant}
    return trivy(Metadata={"RepoDigests": names, "ImageConfig": looked_at})


def grype_of(names: list[str], os: Any, architecture: Any, variant: Any = None, **target: Any) -> dict[str, Any]:
    looked_at = {"os": os, "architecture": architecture, "architectureVariant": variant, "repoDigests": names}
    return grype(source={"type": "image", "target": {**looked_at, **target}})


MAKERS = pytest.mark.parametrize("made", [trivy_of, grype_of])

ONE: list[tuple[dict[str, list[str]], tuple[str | None, ...], str]] = [
    (INDEX, ("linux", "amd64"), A),
    # the usual variant may be said, or not
    (INDEX, ("linux", "arm64"), B),
    (INDEX, ("linux", "arm64", "v8"), B),
    (INDEX, ("linux", "amd64", "v1"), A),
    ({A: ["linux/arm64"], B: ["linux/amd64"]}, ("linux", "arm64", "v8"), A),
    ({A: ["linux/arm/v6"], B: ["linux/arm/v7"]}, ("linux", "arm"), B),
    ({A: ["linux/arm/v6"], B: ["linux/arm/v7"]}, ("linux", "arm", "v6"), A),
    # exactly it before one that may be it
    ({A: ["linux/amd64"], B: ["linux/amd64/v3"]}, ("linux", "amd64", "v3"), B),
    ({A: ["linux/amd64"], B: ["linux/amd64/v3"]}, ("linux", "amd64"), A),
    # case says nothing
    (INDEX, ("Linux", "AMD64"), A),
    # half of it, where that is enough
    (INDEX, (None, "arm64"), B),
    # the version of Windows is said by the index only
    ({A: ["windows/amd64 (10.0.17763.6293)"], B: ["linux/amd64"]}, ("windows", "amd64"), A),
    # one manifest for two platforms
    ({A: ["linux/amd64", "linux/386"], B: ["linux/arm64"]}, ("linux", "386"), A),
    # the index does not say the platform of one
    ({A: ["linux/amd64"], B: []}, ("linux", "arm64"), B),
    ({A: ["linux/amd64"], B: []}, ("linux", "amd64"), A),
    # nothing is said: the report is about what it names
    (INDEX, (None, None), ""),
    (INDEX, ("", " "), ""),
    # no index is known
    ({}, ("linux", "amd64"), ""),
]


@MAKERS
@pytest.mark.parametrize(("index", "looked_at", "about"), ONE)
def test_the_platform_says_which_part(made: Any, index: dict[str, list[str]], looked_at: Any, about: str) -> None:
    answer = read("vulnerabilities", made(NAMES, *looked_at), parts=index)
    assert (answer["about"], answer["namesArtifact"]) == (about, True)


NONE: list[tuple[dict[str, list[str]], tuple[str | None, ...], str]] = [
    (INDEX, ("linux", "s390x"), "no manifest"),
    (INDEX, ("windows", "amd64"), "no manifest"),
    (INDEX, (None, "s390x"), "no manifest"),
    ({A: ["linux/arm/v6"], B: ["linux/arm64"]}, ("linux", "arm", "v7"), "no manifest"),
    # which of them nobody can tell
    (INDEX, ("linux", None), "several manifests"),
    ({A: ["linux/amd64"], B: ["linux/amd64"]}, ("linux", "amd64"), "several manifests"),
    ({A: ["windows/amd64 (1)"], B: ["windows/amd64 (2)"]}, ("windows", "amd64"), "several manifests"),
    ({A: [], B: []}, ("linux", "amd64"), "several manifests"),
]


@MAKERS
@pytest.mark.parametrize(("index", "looked_at", "words"), NONE)
def test_a_platform_that_is_no_part_is_a_mismatch(
    made: Any, index: dict[str, list[str]], looked_at: Any, words: str
) -> None:
    with pytest.raises(DocumentRefused) as refused:
        read("vulnerabilities", made(NAMES, *looked_at), parts=index)
    assert refused.value.code == "EVD_DIGEST_MISMATCH"
    assert words in refused.value.message


@MAKERS
def test_the_digest_of_a_part_counts_before_the_platform(made: Any) -> None:
    document = made([*NAMES, f"example.test/app@{B}"], "linux", "amd64")
    assert read("vulnerabilities", document, parts=INDEX)["about"] == B


@MAKERS
def test_a_report_that_names_no_image_is_about_its_platform_too_and_does_not_say_so(made: Any) -> None:
    answer = read("vulnerabilities", made([], "linux", "arm64"), parts=INDEX)
    assert (answer["about"], answer["namesArtifact"]) == (B, False)


@MAKERS
def test_a_statement_about_the_image_lends_nothing_to_the_other_platforms(made: Any) -> None:
    signed = statement(SCAN, {"scanner": {"result": made(NAMES, "linux", "arm64")}}, ARTIFACT)
    assert read("vulnerabilities", signed, parts=INDEX)["about"] == B


def test_a_manifest_that_grype_looked_at_and_the_index_does_not_name_is_a_mismatch() -> None:
    document = grype_of(NAMES, None, None, manifestDigest=OTHER)
    with pytest.raises(DocumentRefused) as refused:
        read("vulnerabilities", document, parts=INDEX)
    assert (refused.value.code, refused.value.place) == ("EVD_DIGEST_MISMATCH", "$.source.target.manifestDigest")
    assert read("vulnerabilities", document)["about"] == ""
