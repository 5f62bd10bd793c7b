"""Documents of a release, as facts: what scanners, VEX authors and feeds say of its artifacts.

mei uploads reports and the policy trusts her; greta created the release and is excluded; `release-key` signs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from policies.document_facts import DocumentFact, Finding, VexStatement
from stellapromote.signing.canonical_json import canonical_bytes, digest, digest_bytes
from tests.policies.cases import BEFORE, Case

WEB = "sha256:" + "1" * 64
JOBS = "sha256:" + "2" * 64
KEY = "sha256:" + "7" * 64
OTHER_KEY = "sha256:" + "8" * 64
MUSL = "pkg:apk/alpine/musl@1.1.22-r2?distro=3.10.2"
MUSL_ITSELF = "pkg:apk/alpine/musl@1.1.22-r2"
"""As findings and overrides call it: without what scanners write about the distribution."""
OPENSSL = "pkg:apk/alpine/openssl@1.1.1c-r0?distro=3.10.2"
AMD64 = "sha256:" + "5" * 64
ARM64 = "sha256:" + "6" * 64

MEI: Any = {"id": "id-mei", "username": "mei"}
NIA: Any = {"id": "id-nia", "username": "nia"}
GRETA: Any = {"id": "id-greta", "username": "greta"}
TOMAS: Any = {"id": "id-tomas", "username": "tomas"}


def finding(vulnerability: str = "CVE-2019-14697", purl: str | None = MUSL, **changes: Any) -> Finding:
    name, _, version = (purl or "pkg:generic/openssl").partition("?")[0].rpartition("/")[2].partition("@")
    cvss = changes.get("cvss", 9.8)
    return {
        "id": vulnerability,
        "aliases": [],
        "purl": purl,
        "component": name,
        "version": version or None,
        "severity": band(cvss),
        "cvss": cvss,
        "reachable": None,
        "publishedAt": None,
        "fixedVersion": None,
        **changes,
    }  # type: ignore[typeddict-item]


def band(cvss: float | None) -> Any:
    if cvss is None:
        return "unknown"
    return next(word for least, word in BANDS if cvss >= least)


BANDS = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"), (0.0, "none"))


def not_affected(vulnerability: str = "CVE-2019-14697", *products: str, **changes: Any) -> VexStatement:
    return {
        "vulnerability": vulnerability,
        "aliases": [],
        "products": list(products),
        "status": "not_affected",
        "justification": "vulnerable_code_not_in_execute_path",
        "statedAt": None,
        **changes,
    }  # type: ignore[typeddict-item]


def _left_out(reasons: Sequence[tuple[str, int]]) -> dict[str, Any]:
    return {"leftOut": [{"reason": reason, "number": number} for reason, number in reasons]} if reasons else {}


class Evidence:
    """A bundle being put together: each call adds a document and gives it back, so that a test can change it."""

    def __init__(self, *artifacts: str) -> None:
        self.artifacts = list(artifacts or (WEB,))
        self.documents: list[DocumentFact] = []
        self.indexes: dict[str, list[str]] = {}
        self.blobs: dict[str, Any] = {}

    def blob(self, content: Mapping[str, Any]) -> str:
        raw = canonical_bytes(dict(content))
        self.blobs[digest_bytes(raw)] = raw
        return digest_bytes(raw)

    def document(self, kind: str, content: Mapping[str, Any], **changes: Any) -> DocumentFact:
        parsed = self.blob(content)
        made: Any = {
            "artifactDigest": self.artifacts[0],
            "kind": kind,
            "format": {"sbom": "cyclonedx", "vulnerabilities": "trivy", "vex": "openvex"}.get(kind, "in-toto"),
            "digest": digest({"of": parsed, "number": len(self.documents)}),
            "parsed": parsed,
            "producer": f"tool-{len(self.documents)}",
            "uploadedBy": [MEI],
            "uploadedAt": BEFORE,
            "generatedAt": None,
            "signer": None,
            "predicateType": None,
            **changes,
        }
        self.documents.append(made)
        return made  # type: ignore[no-any-return]

    def report(self, *findings: Finding, left_out: Sequence[tuple[str, int]] = (), **changes: Any) -> DocumentFact:
        scored = any(each["cvss"] is not None for each in findings)
        content = {"schema": "stella.findings/v1", "hasScores": scored, "findings": list(findings)}
        return self.document("vulnerabilities", {**content, **_left_out(left_out)}, **changes)

    def vex(self, *statements: VexStatement, left_out: Sequence[tuple[str, int]] = (), **changes: Any) -> DocumentFact:
        content = {"schema": "stella.vex/v1", "statements": list(statements)}
        return self.document("vex", {**content, **_left_out(left_out)}, **changes)

    def sbom(self, **changes: Any) -> DocumentFact:
        return self.document("sbom", {"schema": "stella.components/v1", "components": []}, **changes)

    def attestation(self, predicate_type: str, *subjects: str, **changes: Any) -> DocumentFact:
        content = {"schema": "stella.attestation/v1", "predicateType": predicate_type, "subjects": list(subjects)}
        return self.document("attestation", content, **{"predicateType": predicate_type, "signer": KEY, **changes})

    def bundle(self) -> str:
        indexes = [{"artifact": each, "manifests": sorted(self.indexes[each])} for each in sorted(self.indexes)]
        return self.blob(
            {
                "schema": "stella.evidence-bundle/v1",
                "artifacts": self.artifacts,
                "documents": self.documents,
                **({"indexes": indexes} if indexes else {}),
            }
        )

    def feed(self, schema: str, name: str, entries: Sequence[Mapping[str, Any]]) -> Any:
        extract = self.blob({"schema": schema, name: list(entries)})
        return {"digest": digest({"feed": extract}), "publishedAt": BEFORE, "extract": extract}

    def kev(self, **listed: str) -> Any:
        """`CVE_2019_14697="2021-11-03"`."""
        entries = [{"cve": cve.replace("_", "-"), "dateAdded": day} for cve, day in listed.items()]
        return self.feed("stella.kev/v1", "entries", entries)

    def epss(self, **scores: float) -> Any:
        return self.feed(
            "stella.epss/v1", "scores", [{"cve": cve.replace("_", "-"), "epss": score} for cve, score in scores.items()]
        )

    def into(self, case: Case, **changes: Any) -> Case:
        """The case with this bundle taken for it."""
        case.facts["evidence"] = {
            "bundleId": "id-bundle",
            "bundleDigest": self.bundle(),
            "currentBundleDigest": None,
            "kev": None,
            "epss": None,
            "trustedKeys": [{"keyId": KEY, "name": "release-key"}],
            "readBy": 1,
            **changes,
        }
        case.documents.update(self.blobs)
        return case


TRUSTING: Any = {"trustedKeys": ["release-key"], "trustedUploaders": ["greta", "mei", "tomas"]}


def guarded(rules: Mapping[str, Any], *, current: str | None = None, **config: Any) -> Case:
    """A promotion whose policy has a security gate `cve` with these rules."""
    gate = {"name": "cve", "kind": "security", "config": {"rules": dict(rules), **TRUSTING, **config}}
    if "onError" in config:
        gate["onError"] = gate["config"].pop("onError")
    return Case(gates_=[gate], target={"currentReleaseId": current})


NO_CRITICAL: Any = {"release-aggregate-cve": {}}
