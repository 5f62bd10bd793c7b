"""What another tool would read in another way is refused: no reader passes over another format's part."""

from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from tests.promotions.formats.samples import (
    bundle,
    cyclonedx,
    cyclonedx_entry,
    grype,
    grype_match,
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
BOM = "https://cyclonedx.org/bom"
CLEAN = trivy(Results=[{"Target": "app", "Class": "os-pkgs", "Type": "debian", "Packages": [{"Name": "a"}]}])
RESULT = CLEAN["Results"][0]
INDEX = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}

TWO: dict[str, tuple[str, Any, str]] = {
    "Trivy and Grype": ("vulnerabilities", {**CLEAN, **grype(grype_match())}, "$.matches"),
    "Trivy and Grype's matches": ("vulnerabilities", {**CLEAN, "matches": [grype_match()]}, "$.matches"),
    "Trivy and OSV-Scanner": ("vulnerabilities", {**CLEAN, **osv()}, "$.results"),
    "Trivy and SARIF": ("vulnerabilities", {**CLEAN, "runs": [{}]}, "$.runs"),
    "Trivy and CycloneDX": (
        "vulnerabilities",
        {**CLEAN, "bomFormat": "CycloneDX", "vulnerabilities": [cyclonedx_entry()]},
        "$.bomFormat",
    ),
    "Grype and SPDX": ("vulnerabilities", {**grype(grype_match()), "spdxVersion": "SPDX-2.3"}, "$.spdxVersion"),
    "CycloneDX and SPDX": ("sbom", {**cyclonedx(), **spdx()}, "$.spdxVersion"),
    "OpenVEX and CycloneDX": ("vex", {**openvex(), "bomFormat": "CycloneDX"}, "$.bomFormat"),
    "names of the top in another case": ("vulnerabilities", {**CLEAN, "RESULTS": []}, "$.RESULTS"),
    # readers written in Go take a long s for an s
    "names of the top with a long s": ("vulnerabilities", {**CLEAN, "Re\u017fults": []}, "$['Re\u017fults']"),
    "Trivy's entries in another case": (
        "vulnerabilities",
        {**CLEAN, "Results": [{**RESULT, "vulnerabilities": [trivy_entry()]}]},
        "$.Results[0].vulnerabilities",
    ),
    "Grype's entries in another case": (
        "vulnerabilities",
        grype({**grype_match(), "Vulnerability": {}}),
        "$.matches[0].Vulnerability",
    ),
    "CycloneDX in another case": ("sbom", cyclonedx(Components=[]), "$.Components"),
    "an index in another case": ("index", {**INDEX, "Manifests": []}, "$.Manifests"),
    "an attestation and a report": ("attestation", {**statement(PROVENANCE, {}), **CLEAN}, "$.SchemaVersion"),
    "a statement and an SBOM": (
        "sbom",
        {**statement(BOM, cyclonedx()), "bomFormat": "CycloneDX"},
        "$.bomFormat",
    ),
    "a predicate of two": (
        "sbom",
        statement(BOM, {**cyclonedx(), "spdxVersion": "SPDX-2.3"}),
        "$.predicate.spdxVersion",
    ),
    "an envelope and a report": (
        "vulnerabilities",
        {**unsigned_envelope(statement(BOM, CLEAN)), "matches": []},
        "$.matches",
    ),
    "a bundle and a report": ("vulnerabilities", bundle(unsigned_envelope(CLEAN), runs=[]), "$.runs"),
    "GitHub's graph of two": ("sbom", {"sbom": {**spdx(), "bomFormat": "CycloneDX"}}, "$.sbom.bomFormat"),
}


@pytest.mark.parametrize(("kind", "document", "place"), TWO.values(), ids=TWO)
def test_what_can_be_read_in_two_ways_is_refused(kind: str, document: Any, place: str) -> None:
    with pytest.raises(DocumentRefused) as caught:
        read(kind, document)
    assert (caught.value.place, "This can be read as" in caught.value.message) == (place, True)
