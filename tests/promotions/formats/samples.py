"""Small documents of every format, as tools write them, for tests of what reads them."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from promotions.formats.parse import parse

ARTIFACT = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64

SHARED = Path(__file__).parents[4] / "shared" / "data"


def shared(name: str) -> bytes:
    """A file of real data that the project does not ship."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the shared test data are not here: {name}")
    return path.read_bytes()


def read(
    kind: str, document: Any, artifact: str = ARTIFACT, parts: tuple[str, ...] | dict[str, list[str]] = ()
) -> dict[str, Any]:
    """What the child answers about a document, given as bytes or as what they say. `parts` may have platforms."""
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    known = parts if isinstance(parts, dict) else {each: [] for each in parts}
    header = json.dumps({"kind": kind, "artifactDigest": artifact, "parts": known}).encode()
    answer: dict[str, Any] = json.loads(parse(header + b"\n" + raw))
    return answer


def trivy(*vulnerabilities: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "SchemaVersion": 2,
        "CreatedAt": "2026-11-01T08:00:00Z",
        "ArtifactName": "app",
        "Results": [{"Target": "app", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": list(vulnerabilities)}],
        **fields,
    }


def trivy_entry(cve: str = "CVE-2026-0001", package: str = "openssl", **fields: Any) -> dict[str, Any]:
    return {
        "VulnerabilityID": cve,
        "PkgName": package,
        "PkgIdentifier": {"PURL": f"pkg:deb/debian/{package}@1.0?arch=amd64"},
        "InstalledVersion": "1.0",
        "Severity": "HIGH",
        "CVSS": {"nvd": {"V3Score": 7.5}},
        **fields,
    }


def grype(*matches: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "matches": list(matches),
        "source": {"type": "image", "target": {"manifestDigest": ARTIFACT, "repoDigests": []}},
        "descriptor": {"name": "grype", "version": "0.90.0", "timestamp": "2026-11-01T08:00:00Z"},
        **fields,
    }


def grype_match(name: str = "GHSA-aaaa-bbbb-cccc", related: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    return {
        "vulnerability": {
            "id": name,
            "severity": "Medium",
            "cvss": [
                {
                    "version": "3.1",
                    "vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
                    "metrics": {"baseScore": 9.8},
                }
            ],
            "fix": {"versions": ["2.0"], "state": "fixed"},
            **fields,
        },
        "relatedVulnerabilities": [{"id": each, "severity": "High", "cvss": []} for each in related],
        "artifact": {"name": "left-pad", "version": "1.0", "purl": "pkg:npm/left-pad@1.0"},
    }


def osv(*, groups: list[Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "results": [
            {
                "source": {"path": "package-lock.json", "type": "lockfile"},
                "packages": [
                    {
                        "package": {"name": "@scope/pad", "version": "1.0.0", "ecosystem": "npm"},
                        "vulnerabilities": [
                            {
                                "id": "GHSA-aaaa-bbbb-cccc",
                                "aliases": ["CVE-2026-0002"],
                                "published": "2026-10-01T00:00:00Z",
                                "severity": [
                                    {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}
                                ],
                                "affected": [
                                    {
                                        "package": {"name": "@scope/pad", "ecosystem": "npm"},
                                        "ranges": [
                                            {"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.0"}]}
                                        ],
                                    }
                                ],
                                **fields,
                            }
                        ],
                        "groups": [
                            {
                                "ids": ["GHSA-aaaa-bbbb-cccc"],
                                "max_severity": "9.8",
                                "experimentalAnalysis": {"GHSA-aaaa-bbbb-cccc": {"called": False}},
                            }
                        ]
                        if groups is None
                        else groups,
                    }
                ],
            }
        ]
    }


def cyclonedx(**fields: Any) -> dict[str, Any]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {
            "timestamp": "2026-11-01T08:00:00Z",
            "tools": {"components": [{"type": "application", "name": "Syft", "version": "1.0"}]},
            "component": {"bom-ref": "root", "type": "container", "name": "app"},
        },
        "components": [
            {
                "bom-ref": "a",
                "type": "library",
                "name": "openssl",
                "version": "3.0",
                "purl": "pkg:deb/debian/openssl@3.0",
            },
            {
                "bom-ref": "b",
                "type": "library",
                "group": "org",
                "name": "lib",
                "version": "1",
                "purl": "pkg:maven/org/lib@1",
            },
        ],
        **fields,
    }


def cyclonedx_entry(**fields: Any) -> dict[str, Any]:
    return {
        "id": "CVE-2026-0003",
        "ratings": [{"method": "CVSSv31", "score": 8.1, "severity": "high"}],
        "affects": [{"ref": "a"}],
        **fields,
    }


def openvex(*products: Any, **fields: Any) -> dict[str, Any]:
    return {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.test/vex/1",
        "author": "Kestrel Pay Security",
        "timestamp": "2026-11-01T08:00:00Z",
        "version": 1,
        "statements": [
            {
                "vulnerability": {"name": "CVE-2026-0001"},
                "products": list(products),
                "status": "not_affected",
                "justification": "vulnerable_code_not_present",
                **fields,
            }
        ],
    }


def spdx(**fields: Any) -> dict[str, Any]:
    return {
        "spdxVersion": "SPDX-2.3",
        "SPDXID": "SPDXRef-DOCUMENT",
        "creationInfo": {"created": "2026-11-01T08:00:00Z", "creators": ["Tool: syft-1.2.3", "Organization: Kestrel"]},
        "packages": [
            {
                "SPDXID": "SPDXRef-1",
                "name": "openssl",
                "versionInfo": "3.0",
                "externalRefs": [
                    {"referenceType": "purl", "referenceLocator": "pkg:deb/debian/openssl@3.0"},
                ],
            }
        ],
        **fields,
    }


def statement(predicate_type: str, predicate: Any, *digests: str) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "app", "digest": {"sha256": each.removeprefix("sha256:")}} for each in digests or (ARTIFACT,)
        ],
        "predicateType": predicate_type,
        "predicate": predicate,
    }


def unsigned_envelope(inside: Any, payload_type: str = "application/vnd.in-toto+json") -> dict[str, Any]:
    """An envelope whose signature is nobody's."""
    return {
        "payload": base64.b64encode(json.dumps(inside).encode()).decode(),
        "payloadType": payload_type,
        "signatures": [{"keyid": "", "sig": base64.b64encode(b"no signature").decode()}],
    }


def bundle(envelope: Any, **fields: Any) -> dict[str, Any]:
    """A Sigstore bundle around an envelope, with a key as `cosign attest --key` writes it."""
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "x"}, "tlogEntries": [{"logIndex": "1", "inclusionProof": {}}]},
        "dsseEnvelope": envelope,
        **fields,
    }


def answered(*bundles: Any) -> dict[str, Any]:
    """What GitHub answers when it is asked for the attestations of an artifact."""
    return {
        "attestations": [
            {"bundle": each, "repository_id": 1, "bundle_url": "https://example.test/1.json.sn"} for each in bundles
        ]
    }


def lines(*documents: Any, end: str = "\n") -> bytes:
    """Each on one line."""
    return "".join(json.dumps(each) + end for each in documents).encode()


KEV = {
    "catalogVersion": "2026.11.01",
    "dateReleased": "2026-11-01T17:00:00.0000Z",
    "count": 2,
    "vulnerabilities": [
        {"cveID": "CVE-2026-0001", "dateAdded": "2026-10-01"},
        {"cveID": "CVE-2025-0009", "dateAdded": "2025-02-03"},
    ],
}

EPSS = b"""#model_version:v2025.03.14,score_date:2026-11-01T00:00:00+0000
cve,epss,percentile
CVE-2026-0001,0.91234,0.99
CVE-2025-0009,0.00043,0.07
"""
