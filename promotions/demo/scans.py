"""The scans of demo artifacts: reports as Trivy writes them, short, with made-up findings."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from stellapromote.clock import rfc3339


@dataclass(frozen=True, slots=True)
class Weakness:
    """A vulnerability that does not exist: its name shows it, and its package is the company's own."""

    name: str
    package: str
    version: str
    fixed_version: str
    severity: str
    score: float


ROUNDING = Weakness("DEMO-2026-0112", "kestrel-fx", "2.3.0", "2.3.1", "MEDIUM", 5.9)


def report(image: str, digest: str, at: datetime, found: Iterable[Weakness] = ()) -> bytes:
    """Of a scan of this artifact, named by its digest, with everything that was ``found`` in its Python packages."""
    return orjson.dumps(
        {
            "SchemaVersion": 2,
            "CreatedAt": rfc3339(at),
            "ArtifactName": image,
            "ArtifactType": "container_image",
            "Metadata": {"RepoDigests": [f"{image}@{digest}"]},
            "Results": [
                {
                    "Target": "Python",
                    "Class": "lang-pkgs",
                    "Type": "python-pkg",
                    "Vulnerabilities": [_entry(each) for each in found],
                }
            ],
        }
    )


def _entry(found: Weakness) -> dict[str, Any]:
    return {
        "VulnerabilityID": found.name,
        "PkgName": found.package,
        "PkgIdentifier": {"PURL": f"pkg:pypi/{found.package}@{found.version}"},
        "InstalledVersion": found.version,
        "FixedVersion": found.fixed_version,
        "Status": "fixed",
        "Severity": found.severity,
        "CVSS": {"demo": {"V3Score": found.score}},
    }
