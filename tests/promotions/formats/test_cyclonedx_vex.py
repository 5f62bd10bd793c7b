"""CycloneDX as VEX: what an analysis names here, what is left out and why, and what refuses the document."""

from typing import Any

import pytest

from tests.promotions.formats.samples import ARTIFACT, cyclonedx, cyclonedx_entry
from tests.promotions.formats.vex import (
    IMAGE,
    NO_REASON,
    OTHER_IMAGE,
    OTHER_PRODUCT,
    PACKAGE,
    SOME_VERSIONS,
    UNREADABLE,
    UNTOLD,
    cyclonedx_left_out,
    refused,
    said,
    statements,
)

STATES = [
    ("exploitable", {}, "affected"),
    ("in_triage", {}, "under_investigation"),
    ("false_positive", {}, "not_affected"),
    ("not_affected", {"justification": "code_not_reachable"}, "not_affected"),
    ("not_affected", {"detail": "Never called."}, "not_affected"),
    ("resolved", {}, "fixed"),
    ("resolved_with_pedigree", {}, "fixed"),
]


@pytest.mark.parametrize(("state", "fields", "status"), STATES)
def test_states_of_cyclonedx(state: str, fields: dict[str, str], status: str) -> None:
    (one,) = statements(cyclonedx(vulnerabilities=[cyclonedx_entry(analysis={"state": state, **fields})]))
    assert (one["status"], one["products"]) == (status, [PACKAGE])


ELSEWHERE = "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#pkg%3Adeb%2Fdebian%2Fopenssl%403.0"


CYCLONEDX_LEFT_OUT: list[tuple[Any, dict[str, Any], str]] = [
    ([{"ref": "a"}], {"state": "not_affected"}, NO_REASON),
    ([{"ref": "a"}], {"state": "not_affected", "justification": "we_looked"}, NO_REASON),
    ([{"ref": "nowhere"}], {}, UNTOLD),
    # a component of this artifact without a package URL: no finding could be matched
    ([{"ref": "c"}], {}, UNTOLD),
    ([{"ref": OTHER_IMAGE}], {}, OTHER_PRODUCT),
    # all versions of the package, or the one that is named beside it?
    ([{"ref": "pkg:npm/a", "versions": [{"version": "1"}]}], {}, SOME_VERSIONS),
    # other versions than the component's, a range, or its own as affected, which is the schema's default
    ([{"ref": "a", "versions": [{"version": "1.0", "status": "affected"}]}], {}, SOME_VERSIONS),
    ([{"ref": "a", "versions": [{"version": "2.0", "status": "unaffected"}]}], {}, SOME_VERSIONS),
    ([{"ref": "a", "versions": [{"range": "vers:deb/<4", "status": "unaffected"}]}], {}, SOME_VERSIONS),
    ([{"ref": "a", "versions": [{"version": "3.0", "status": "affected"}]}], {}, SOME_VERSIONS),
    ([{"ref": "a", "versions": [{"version": "3.0"}]}], {}, SOME_VERSIONS),
    (
        [{"ref": "a", "versions": [{"version": v, "status": "unaffected"} for v in ("3.0", "2.0")]}],
        {},
        SOME_VERSIONS,
    ),
    ([{"ref": "root", "versions": [{"version": "1", "status": "unaffected"}]}], {}, SOME_VERSIONS),
    ([{"ref": "a", "versions": "all"}], {}, UNREADABLE),
    # a component without a version in its package URL is not every version of the package
    ([{"ref": "d"}], {}, SOME_VERSIONS),
    # a component of another document
    ([{"ref": ELSEWHERE}], {}, OTHER_PRODUCT),
    ([{"ref": "a"}], {"lastUpdated": "yesterday"}, UNREADABLE),
]


@pytest.mark.parametrize(("affects", "fields", "reason"), CYCLONEDX_LEFT_OUT)
def test_what_would_lift_in_cyclonedx_and_cannot_count_is_left_out(
    affects: Any, fields: dict[str, Any], reason: str
) -> None:
    assert cyclonedx_left_out(said(affects, **fields)) == {reason: 1}


CYCLONEDX_PRODUCTS: list[tuple[Any, str, list[str]]] = [
    ([{"ref": "root"}], "resolved", [ARTIFACT]),
    ([{"ref": IMAGE}], "resolved", [ARTIFACT]),
    ([{"ref": "pkg:npm/a@1", "versions": [{"version": "1", "status": "unaffected"}]}], "resolved", ["pkg:npm/a@1"]),
    ([{"ref": "a", "versions": [{"version": "3.0", "status": "unaffected"}]}], "resolved", [PACKAGE]),
    # bad news is about every version
    ([{"ref": "a", "versions": [{"version": "2.0", "status": "affected"}]}], "exploitable", [PACKAGE]),
    ([{"ref": "pkg:npm/a", "versions": [{"version": "1"}]}], "exploitable", ["pkg:npm/a"]),
    # bad news about a component that no finding can be matched with is bad news about the artifact
    ([{"ref": "c"}], "exploitable", [ARTIFACT]),
    ([], "resolved", []),
    # bad news about a component of another document
    ([{"ref": ELSEWHERE}], "exploitable", [PACKAGE]),
    # bad news about what cannot be told, and about an image without a digest
    ([{"ref": "nowhere"}], "exploitable", [ARTIFACT]),
    ([{"ref": "pkg:oci/app"}], "in_triage", [ARTIFACT]),
    ([{"ref": "nowhere"}, {"ref": "a"}], "exploitable", [PACKAGE, ARTIFACT]),
]


@pytest.mark.parametrize(("affects", "state", "expected"), CYCLONEDX_PRODUCTS)
def test_an_analysis_names_what_its_vulnerability_affects(affects: Any, state: str, expected: list[str]) -> None:
    assert statements(said(affects, state))[0]["products"] == expected


NAMED_ROOTS: list[tuple[dict[str, Any], list[str] | None]] = [
    # a package is not the whole image
    ({"type": "application", "purl": "pkg:npm/x@1"}, ["pkg:npm/x@1"]),
    # not even where a digest of this image stands beside it
    ({"type": "container", "purl": "pkg:npm/x@1", "version": ARTIFACT}, ["pkg:npm/x@1"]),
    # the image by its digest
    ({"type": "container", "purl": IMAGE}, [ARTIFACT]),
    ({"type": "container", "version": ARTIFACT}, [ARTIFACT]),
    ({"type": "container", "version": ARTIFACT, "purl": "pkg:docker/app"}, [ARTIFACT]),
    # another thing: some image, a file, what cannot be read
    ({"type": "container", "purl": "pkg:oci/app"}, None),
    ({"type": "application", "hashes": [{"alg": "SHA-256", "content": "e" * 64}]}, None),
    ({"type": "application", "purl": "pkg:"}, None),
]


@pytest.mark.parametrize("affects", [[{"ref": "root"}], []])
@pytest.mark.parametrize(("root", "expected"), NAMED_ROOTS)
def test_what_the_document_is_about_is_the_whole_artifact_only_by_its_digest_or_without_a_name(
    root: dict[str, Any], expected: list[str] | None, affects: list[Any]
) -> None:
    about = {"component": {"bom-ref": "root", "name": "x", **root}}
    document = {**said(affects), "metadata": about}
    if expected is None:
        assert cyclonedx_left_out(document) == {OTHER_PRODUCT: 1}
    else:
        assert statements(document)[0]["products"] == expected
    bad = statements({**said(affects, "exploitable"), "metadata": about})[0]
    assert bad["products"] == ([ARTIFACT] if affects else [])


def test_bad_news_in_cyclonedx_about_another_image_is_left_out() -> None:
    assert cyclonedx_left_out(said([{"ref": OTHER_IMAGE}], "exploitable")) == {OTHER_PRODUCT: 1}


def test_bad_news_in_cyclonedx_that_cannot_be_read_refuses_the_document() -> None:
    place = refused(said([{"ref": "a"}], "exploitable", lastUpdated="yesterday")).place
    assert place == "$.vulnerabilities[0].analysis.lastUpdated"
