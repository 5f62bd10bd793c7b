"""Whatever stands in a document, it is read or refused: nothing else comes out of a reader."""

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promotions.formats.reading import DocumentRefused
from stellapromote.signing.canonical_json import digest_bytes
from tests.examples import examples
from tests.promotions.formats.samples import (
    ARTIFACT,
    KEV,
    OTHER,
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

ANALYSED = cyclonedx(vulnerabilities=[cyclonedx_entry(analysis={"state": "resolved", "justification": "x"})])
IGNORED_BY_TRIVY = {
    "Target": "b",
    "Class": "lang-pkgs",
    "Packages": [{"Name": "a"}],
    "ExperimentalModifiedFindings": [
        {
            "Type": "vulnerability",
            "Status": "fixed",
            "Source": "vex.json",
            "Finding": trivy_entry(VendorSeverity={"a": 1}),
        }
    ],
}
IGNORED_BY_GRYPE = {
    "ignoredMatches": [{**grype_match(), "appliedIgnoreRules": [{"vulnerability": "x", "vex-status": "fixed"}]}],
    "descriptor": {
        "name": "grype",
        "configuration": {"only-fixed": True, "by-cve": True, "exclude": ["/a"], "ignore": [{"match-type": ""}]},
        "db": {"status": {"valid": True, "error": ""}},
    },
}
AFFECTED = [
    {
        "package": {"name": "@scope/pad"},
        "severity": [{"type": "Ubuntu", "score": "low"}],
        "database_specific": {"cvss": "x", "severity": "low"},
        "ecosystem_specific": {"urgency": "low"},
        "ranges": [{"type": "SEMVER", "events": [{"fixed": "1"}]}],
    }
]
SAMPLES: list[tuple[str, Any]] = [
    (
        "vulnerabilities",
        trivy(trivy_entry(), Metadata={"RepoDigests": [], "ImageID": "", "OS": {"Family": "debian", "Name": "12"}}),
    ),
    ("vulnerabilities", trivy(Results=[IGNORED_BY_TRIVY])),
    ("vulnerabilities", grype(grype_match(related=("CVE-2026-0005",)))),
    ("vulnerabilities", grype(**IGNORED_BY_GRYPE)),
    ("vulnerabilities", osv()),
    ("vulnerabilities", osv(affected=AFFECTED, upstream=["CVE-2026-0004"], database_specific={"severity": "LOW"})),
    ("vulnerabilities", cyclonedx(vulnerabilities=[cyclonedx_entry(references=[{"id": "GHSA-1"}])])),
    ("vulnerabilities", {"results": [], "errors": [], "scan": {}, "vulnerabilities": [], "runs": []}),
    ("vex", ANALYSED),
    ("vex", openvex({"@id": "pkg:npm/a@1", "identifiers": {"purl": "pkg:npm/a@1"}, "subcomponents": [{"@id": "x"}]})),
    ("sbom", cyclonedx()),
    ("sbom", spdx(documentDescribes=["SPDXRef-1"], relationships=[{"relationshipType": "DESCRIBES"}])),
    ("sbom", statement("https://cyclonedx.org/bom", cyclonedx())),
    (
        "sbom",
        cyclonedx(
            metadata={"component": {"bom-ref": "root", "name": "app", "components": [{"name": "inner"}]}},
            services=[{"name": "payments", "services": [{"bom-ref": "s", "name": "ledger"}]}],
        ),
    ),
    ("sbom", {"sbom": spdx(relationships=[{"relationshipType": "DESCRIBED_BY", "spdxElementId": "SPDXRef-1"}])}),
    (
        "vex",
        cyclonedx(
            serialNumber="urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
            vulnerabilities=[
                cyclonedx_entry(
                    affects=[
                        {"ref": "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#a", "versions": [{"version": "1"}]}
                    ],
                    analysis={"state": "exploitable", "firstIssued": "2026-11-01T08:00:00Z"},
                )
            ],
        ),
    ),
    ("vex", openvex("pkg:npm/a@1", subcomponents=["pkg:npm/b@1"], vulnerability={"@id": "CVE-1"}, status="affected")),
    (
        "index",
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [
                {"digest": ARTIFACT, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
                {
                    "digest": ARTIFACT,
                    "platform": {"os": "unknown", "architecture": "unknown"},
                    "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
                },
            ],
        },
    ),
    ("attestation", unsigned_envelope(statement("https://slsa.dev/provenance/v1", {}))),
    ("kev", KEV),
]
WRONG: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    "",
    " ",
    "x",
    "a\0b",
    "\u202e",
    "pkg:",
    "sha256:",
    [],
    [None],
    [[]],
    {},
    {"a": {}},
    "y" * 2000,
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found.extend(places(item, (*path, key)))
    return found


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(document)
    inside = changed
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return changed


def read_or_refused(kind: str, document: Any) -> None:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    artifact = digest_bytes(raw) if kind == "index" else ARTIFACT
    with contextlib.suppress(DocumentRefused):
        read(kind, raw, artifact, parts=(OTHER,))


@pytest.mark.parametrize(("kind", "document"), SAMPLES, ids=lambda each: each if isinstance(each, str) else "")
def test_any_value_in_any_place_is_read_or_refused(kind: str, document: Any) -> None:
    for path in places(document):
        for wrong in WRONG:
            read_or_refused(kind, replaced(document, path, wrong))


@pytest.mark.parametrize(("kind", "document"), SAMPLES, ids=lambda each: each if isinstance(each, str) else "")
def test_a_document_without_any_of_its_parts_is_read_or_refused(kind: str, document: Any) -> None:
    for path in places(document):
        changed = copy.deepcopy(document)
        inside = changed
        for key in path[:-1]:
            inside = inside[key]
        del inside[path[-1]]
        read_or_refused(kind, changed)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(kind=st.sampled_from(["sbom", "vulnerabilities", "vex", "attestation", "index", "kev"]), document=JSON)
@settings(max_examples=examples(300))
def test_any_json_is_read_or_refused(kind: str, document: Any) -> None:
    read_or_refused(kind, document)


@given(
    kind=st.sampled_from(["sbom", "vulnerabilities", "vex", "attestation", "index", "kev", "epss"]),
    document=st.binary(max_size=300),
)
@settings(max_examples=examples(300))
def test_any_bytes_are_read_or_refused(kind: str, document: bytes) -> None:
    read_or_refused(kind, document)
