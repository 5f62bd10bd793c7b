"""An upload, as the body of its call."""

from typing import Any

from tests.promotions.formats.samples import ARTIFACT, trivy, trivy_entry


def body(kind: str = "vulnerabilities", document: Any = None, artifact: str = ARTIFACT) -> dict[str, Any]:
    return {"artifactDigest": artifact, "kind": kind, "document": document or trivy(trivy_entry())}
