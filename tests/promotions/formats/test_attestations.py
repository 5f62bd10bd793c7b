import json
from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.samples import (
    ARTIFACT,
    OTHER,
    cyclonedx,
    grype,
    openvex,
    osv,
    read,
    spdx,
    statement,
    trivy,
    trivy_entry,
    unsigned_envelope,
)

PROVENANCE = "https://slsa.dev/provenance/v1"


def refused(kind: str, document: Any) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        read(kind, document)
    return caught.value


def test_an_attestation_says_what_it_is_and_of_which_artifacts() -> None:
    answer = read("attestation", unsigned_envelope(statement(PROVENANCE, {}, OTHER, ARTIFACT)))
    assert answer["parsed"] == {
        "schema": "stella.attestation/v1",
        "predicateType": PROVENANCE,
        "subjects": [ARTIFACT, OTHER],
    }
    assert (answer["predicateType"], answer["enveloped"]) == (PROVENANCE, True)


def test_an_attestation_of_another_artifact_is_a_mismatch() -> None:
    problem = refused("attestation", unsigned_envelope(statement(PROVENANCE, {}, OTHER)))
    assert (problem.code, problem.place) == ("EVD_DIGEST_MISMATCH", "$.payload.subject")


@pytest.mark.parametrize("predicate", [None, "", " ", [], [{}], 0, True])
def test_an_attestation_without_a_predicate_is_refused(predicate: Any) -> None:
    assert refused("attestation", statement(PROVENANCE, predicate)).place == "$.predicate"


def test_an_attestation_that_has_no_predicate_at_all_is_refused() -> None:
    document = statement(PROVENANCE, {})
    del document["predicate"]
    assert refused("attestation", document).place == "$.predicate"


def test_text_is_a_predicate() -> None:
    assert read("attestation", statement(PROVENANCE, "SPDXVersion: SPDX-2.3"))["predicateType"] == PROVENANCE


def test_an_attestation_without_a_digest_is_refused() -> None:
    document = {**statement(PROVENANCE, {}), "subject": [{"name": "app", "digest": {"sha1": "00"}}]}
    assert refused("attestation", document).place == "$.subject"


@pytest.mark.parametrize(
    ("kind", "predicate"),
    [
        ("sbom", cyclonedx()),
        ("vex", openvex()),
        ("vulnerabilities", {"scanner": {"result": trivy(trivy_entry())}}),
        ("vulnerabilities", trivy(trivy_entry())),
    ],
)
def test_documents_come_in_attestations(kind: str, predicate: Any) -> None:
    answer = read(kind, unsigned_envelope(statement("https://example.test/predicate", predicate)))
    assert answer["predicateType"] == "https://example.test/predicate"
    assert answer["subjects"] == [ARTIFACT]


def test_a_document_in_an_attestation_of_another_artifact_is_a_mismatch() -> None:
    envelope = unsigned_envelope(statement("https://cyclonedx.org/bom", cyclonedx(), OTHER))
    assert refused("sbom", envelope).code == "EVD_DIGEST_MISMATCH"


def test_a_plain_document_comes_in_an_envelope() -> None:
    assert read("sbom", unsigned_envelope(cyclonedx(), "application/vnd.cyclonedx+json"))["enveloped"]


def test_what_is_wrong_inside_an_envelope_is_named_there() -> None:
    envelope = unsigned_envelope(statement("https://cyclonedx.org/bom", cyclonedx(specVersion="9")))
    assert refused("sbom", envelope).place == "$.payload.predicate.specVersion"


def test_a_name_twice_inside_the_payload_is_refused() -> None:
    envelope = {**unsigned_envelope({}), "payload": "eyJhIjoxLCJhIjoyfQ=="}
    assert "twice" in refused("attestation", envelope).message


@pytest.mark.parametrize(
    "change", [{"payload": "***"}, {"payload": 1}, {"signatures": []}, {"signatures": [{}] * 3}, {"payloadType": ""}]
)
def test_broken_envelopes_are_refused(change: dict[str, Any]) -> None:
    assert (
        refused("attestation", {**unsigned_envelope(statement(PROVENANCE, {})), **change}).code
        == "EVD_INVALID_DOCUMENT"
    )


@pytest.mark.parametrize("data", [trivy(trivy_entry()), json.dumps(trivy(trivy_entry())), None])
def test_a_predicate_with_two_documents_is_refused(data: Any) -> None:
    predicate = {"scanner": {"result": trivy()}, "Data": data}
    problem = refused("vulnerabilities", statement("https://example.test/predicate", predicate))
    assert (problem.place, "and as" in problem.message) == ("$.predicate", True)


SPDX = "https://spdx.dev/Document"
CUSTOM = "https://cosign.sigstore.dev/attestation/v1"
SCAN = "https://cosign.sigstore.dev/attestation/vuln/v1"
IN_TEXT: dict[str, tuple[Any, str]] = {
    "cosign attest --type spdx": (json.dumps(spdx()), ""),
    "with a byte order mark": ("\ufeff" + json.dumps(spdx()), ""),
    "cosign attest without a type": ({"Data": json.dumps(spdx()), "Timestamp": "2026-11-02T08:00:00Z"}, ".Data"),
    "cosign 1, --type spdx": ({"Data": json.dumps(spdx()), "Timestamp": ""}, ".Data"),
    "cosign 1, --type spdxjson": ({"Data": spdx(), "Timestamp": ""}, ".Data"),
}


@pytest.mark.parametrize(("predicate", "place"), IN_TEXT.values(), ids=IN_TEXT)
def test_a_document_stands_as_text_in_what_cosign_writes(predicate: Any, place: str) -> None:
    answer = read("sbom", unsigned_envelope(statement(SPDX, predicate)))
    assert answer["parsed"] == read("sbom", spdx())["parsed"]
    assert (answer["predicateType"], answer["namesArtifact"]) == (SPDX, True)


@pytest.mark.parametrize(
    ("predicate", "place"),
    [
        (json.dumps(spdx(spdxVersion="SPDX-3.0")), "$.payload.predicate.spdxVersion"),
        ({"Data": json.dumps(spdx(spdxVersion="SPDX-3.0"))}, "$.payload.predicate.Data.spdxVersion"),
        ('{"a": [1, 1e999]}', "$.payload.predicate.a[1]"),
        ('{"a": 1, "a": 2}', "$.payload.predicate"),
        ('{"a":\n 1,', "$.payload.predicate, line 2, column 4"),
        ({"Data": ["{}"]}, "$.payload.predicate.Data"),
        ([spdx()], "$.payload.predicate"),
        (None, "$.payload.predicate"),
    ],
)
def test_what_is_wrong_in_a_predicate_that_is_text_has_its_place_there(predicate: Any, place: str) -> None:
    assert refused("sbom", unsigned_envelope(statement(SPDX, predicate))).place == place


@pytest.mark.parametrize("predicate", ["SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0", "", "[]"])
def test_text_that_is_no_json_is_refused_with_what_to_do(predicate: str) -> None:
    for each, place in ((predicate, ""), ({"Data": predicate}, ".Data")):
        problem = refused("sbom", statement(SPDX, each))
        assert (problem.place, "attest its JSON form" in problem.message) == (f"$.predicate{place}", True)


def test_a_predicate_with_more_than_data_is_what_it_is() -> None:
    assert read("sbom", statement("https://cyclonedx.org/bom", {**cyclonedx(), "Data": "x"}))["format"] == "cyclonedx"


def scan(report: Any, **metadata: str) -> dict[str, Any]:
    """A scan as cosign attests it."""
    return statement(SCAN, {"invocation": {}, "scanner": {"uri": "", "result": report}, "metadata": metadata})


REPORTED = "2026-11-01T08:00:00.000Z"
TIMES: list[tuple[Any, dict[str, str], str | None]] = [
    # the report says none: the predicate's counts, the earlier of two
    (osv(), {}, None),
    (osv(), {"scanFinishedOn": "2026-10-01T08:00:00Z"}, "2026-10-01T08:00:00.000Z"),
    (
        osv(),
        {"scanStartedOn": "2026-10-01T07:00:00Z", "scanFinishedOn": "2026-10-01T08:00:00Z"},
        "2026-10-01T07:00:00.000Z",
    ),
    # what Go writes for a time that is not set
    (osv(), {"scanStartedOn": "0001-01-01T00:00:00Z", "scanFinishedOn": "0001-01-01T00:00:00Z"}, None),
    # both say one: the earlier counts
    (trivy(), {"scanFinishedOn": "2026-10-01T08:00:00Z"}, "2026-10-01T08:00:00.000Z"),
    (trivy(), {"scanFinishedOn": "2026-11-20T08:00:00Z"}, REPORTED),
    (trivy(), {"scanFinishedOn": "2026-11-01T09:30:00+02:00"}, "2026-11-01T07:30:00.000Z"),
    (trivy(), {}, REPORTED),
]


@pytest.mark.parametrize(("report", "metadata", "made"), TIMES)
def test_a_scan_is_as_old_as_the_earliest_time_it_gives(report: Any, metadata: Any, made: str | None) -> None:
    assert read("vulnerabilities", unsigned_envelope(scan(report, **metadata)))["generatedAt"] == made


def test_a_document_without_a_time_is_as_old_as_its_attestation() -> None:
    made = statement(CUSTOM, {"Data": json.dumps(osv()), "Timestamp": "2026-10-01T08:00:00Z"})
    assert read("vulnerabilities", made)["generatedAt"] == "2026-10-01T08:00:00.000Z"


def test_a_scan_time_that_is_none_is_refused_at_its_place() -> None:
    problem = refused("vulnerabilities", scan(trivy(), scanFinishedOn="yesterday"))
    assert problem.place == "$.predicate.metadata.scanFinishedOn"


@pytest.mark.parametrize("result", [None, [], "report", [{"id": "CVE-2026-0001"}]])
@pytest.mark.parametrize("kind", ["vulnerabilities", "sbom"])
def test_a_scan_without_the_scanners_report_is_refused_whatever_stands_beside_it(kind: str, result: Any) -> None:
    clean = {**trivy(), "results": [], **cyclonedx(), "scanner": {"uri": "x", "result": result}}
    assert refused(kind, statement("https://example.test/scan", clean)).place == "$.predicate.scanner.result"


@pytest.mark.parametrize("type_", [SCAN, "cosign.sigstore.dev/attestation/vuln/v1"])
@pytest.mark.parametrize("predicate", [{}, trivy(), {"results": []}, {"scanner": None}, {"scanner": "trivy"}])
def test_what_is_called_a_scan_has_the_scanners_report(type_: str, predicate: Any) -> None:
    assert refused("vulnerabilities", statement(type_, predicate)).place == "$.predicate.scanner.result"


NAMING: dict[str, tuple[str, Any]] = {
    "the subject of a statement": ("sbom", statement("https://cyclonedx.org/bom", cyclonedx())),
    "the subject of an attestation": ("attestation", statement(PROVENANCE, {})),
    "a repository digest": ("vulnerabilities", trivy(Metadata={"RepoDigests": [f"app@{ARTIFACT}"]})),
    "the digest of the image that was scanned": ("vulnerabilities", trivy(Metadata={"ImageID": ARTIFACT})),
    "a manifest digest": ("vulnerabilities", grype()),
    "the version of the root component": (
        "sbom",
        cyclonedx(metadata={"component": {"type": "container", "name": "app", "version": ARTIFACT}}),
    ),
    "a package that the SBOM describes": (
        "sbom",
        spdx(
            documentDescribes=["SPDXRef-0"],
            packages=[{"SPDXID": "SPDXRef-0", "name": "app", "versionInfo": ARTIFACT}, *spdx()["packages"]],
        ),
    ),
    "a product": ("vex", openvex({"@id": f"pkg:oci/app@{ARTIFACT}"})),
}
SILENT: dict[str, tuple[str, Any]] = {
    "a report of a tarball": ("vulnerabilities", trivy(trivy_entry())),
    "a report of a tarball, with its own id": ("vulnerabilities", trivy(Metadata={"ImageID": OTHER})),
    "a report of a directory": ("vulnerabilities", grype(source={"type": "directory", "target": "/src"})),
    "a report in a format without digests": ("vulnerabilities", osv()),
    "an SBOM of something": ("sbom", cyclonedx()),
    "an SBOM that describes nothing": ("sbom", spdx()),
    "a VEX document without products": ("vex", openvex()),
    "a VEX document about a package": ("vex", openvex({"@id": "pkg:deb/debian/openssl@1.0"})),
}


@pytest.mark.parametrize(("kind", "document"), NAMING.values(), ids=NAMING)
def test_a_document_names_the_artifact_by(kind: str, document: Any) -> None:
    assert read(kind, document)["namesArtifact"] is True
    assert read(kind, unsigned_envelope(document))["namesArtifact"] is True


@pytest.mark.parametrize(("kind", "document"), SILENT.values(), ids=SILENT)
def test_a_document_does_not_name_the_artifact_as(kind: str, document: Any) -> None:
    assert read(kind, unsigned_envelope(document))["namesArtifact"] is False
