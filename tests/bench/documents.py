"""What a document costs in the child process: real files, and 100,000 entries, which are refused (issue 10)."""

import json
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from tests.bench.setting import ROOT

SHARED = ROOT.parent / "shared" / "data"
ENTRIES = 100_000
_KINDS = {"trivy": "vulnerabilities", "cyclonedx": "sbom"}
_DIGEST = "sha256:" + "a" * 64


def real_files() -> tuple[str, float] | None:
    """The slowest real file and its milliseconds; None where there is no shared data."""
    found = [(path, kind) for folder, kind in _KINDS.items() for path in sorted((SHARED / folder).glob("*.json"))]
    times = {path.name: milliseconds(partial(read, kind, path.read_bytes())) for path, kind in found}
    return max(times.items(), key=lambda each: each[1]) if times else None


def largest() -> tuple[str, float]:
    """The format that takes longest for ENTRIES entries, and its seconds."""
    from stellapromote import isolation

    times = {}
    for name, (kind, document) in _LARGE.items():
        raw = json.dumps(document()).encode()
        began = time.perf_counter()
        with suppress(isolation.TaskRefused):
            read(kind, raw)
        times[name] = time.perf_counter() - began
    return max(times.items(), key=lambda each: each[1])


def read(kind: str, raw: bytes) -> None:
    from stellapromote import isolation

    header = {"kind": kind, "artifactDigest": _DIGEST}
    isolation.run("promotions.formats.parse:parse", json.dumps(header).encode() + b"\n" + raw, timeout=20)


def milliseconds(act: Callable[[], Any]) -> float:
    """The median of eleven runs, after one that is not counted."""
    act()
    taken = []
    for _ in range(11):
        began = time.perf_counter()
        act()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def _purl(number: int) -> str:
    return f"pkg:deb/debian/lib{number}@1.2.{number}-3?arch=amd64&distro=debian-12.5"


def _numbers() -> range:
    return range(ENTRIES)


def _trivy() -> dict[str, Any]:
    entries = [
        {
            "VulnerabilityID": f"CVE-2024-{number:06}",
            "PkgName": f"lib{number}",
            "PkgIdentifier": {"PURL": _purl(number)},
            "InstalledVersion": f"1.2.{number}-3",
            "Severity": "HIGH",
            "CVSS": {"nvd": {"V3Score": 7.5}},
        }
        for number in _numbers()
    ]
    result = {"Target": "app", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": entries}
    return {"SchemaVersion": 2, "ArtifactName": "app", "Results": [result]}


def _grype() -> dict[str, Any]:
    matches = [
        {
            "vulnerability": {"id": f"CVE-2024-{number:06}", "severity": "High"},
            "artifact": {"name": f"lib{number}", "version": f"1.2.{number}-3", "purl": _purl(number)},
        }
        for number in _numbers()
    ]
    target = {"manifestDigest": _DIGEST, "repoDigests": []}
    source = {"type": "image", "target": target}
    return {"matches": matches, "source": source, "descriptor": {"name": "grype", "version": "0.90.0"}}


def _osv() -> dict[str, Any]:
    packages = [
        {
            "package": {"name": f"lib{number}", "version": "1.0.0", "ecosystem": "npm"},
            "vulnerabilities": [{"id": f"CVE-2024-{number:06}", "database_specific": {"severity": "HIGH"}}],
            "groups": [{"ids": [f"CVE-2024-{number:06}"], "max_severity": "7.5"}],
        }
        for number in _numbers()
    ]
    return {"results": [{"source": {"path": "package-lock.json", "type": "lockfile"}, "packages": packages}]}


def _cyclonedx() -> dict[str, Any]:
    components = [
        {"bom-ref": f"c{number}", "type": "library", "name": f"lib{number}", "version": "1", "purl": _purl(number)}
        for number in _numbers()
    ]
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}


def _spdx() -> dict[str, Any]:
    packages = [
        {
            "SPDXID": f"SPDXRef-{number}",
            "name": f"lib{number}",
            "versionInfo": "1",
            "downloadLocation": "NOASSERTION",
            "externalRefs": [
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": _purl(number),
                }
            ],
        }
        for number in _numbers()
    ]
    return {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "packages": packages}


def _openvex() -> dict[str, Any]:
    statements = [
        {
            "vulnerability": {"name": f"CVE-2024-{number:06}"},
            "products": [{"@id": f"pkg:npm/lib{number}@1"}],
            "status": "not_affected",
            "justification": "component_not_present",
        }
        for number in _numbers()
    ]
    return {"@context": "https://openvex.dev/ns/v0.2.0", "author": "a", "statements": statements}


_LARGE: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "trivy": ("vulnerabilities", _trivy),
    "grype": ("vulnerabilities", _grype),
    "osv-scanner": ("vulnerabilities", _osv),
    "cyclonedx": ("sbom", _cyclonedx),
    "spdx": ("sbom", _spdx),
    "openvex": ("vex", _openvex),
}
