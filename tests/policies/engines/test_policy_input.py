import json
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from policies.document_facts import EvidenceFact
from policies.engines.policy_input import (
    FROM_DOCUMENTS,
    JSON_SCHEMA,
    SINCE_VERSION_2,
    SITUATION,
    FromDocuments,
    PolicyInput,
    documents_key,
    from_documents,
    no_documents,
    policy_input,
)
from stellapromote.signing.canonical_json import canonical_bytes, digest
from tests.policies.cases import Case, vote

PUBLISHED = Path(__file__).parents[3] / "docs" / "policy-input.schema.json"
ARTIFACT = "sha256:" + "1" * 64
KEY = "sha256:" + "2" * 64


def finding(cve: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": cve,
        "aliases": [],
        "purl": f"pkg:deb/debian/{cve.lower()}@1",
        "component": "openssl",
        "version": "3.0.1",
        "severity": "high",
        "cvss": 7.5,
        "reachable": None,
        "publishedAt": None,
        "fixedVersion": None,
        **changes,
    }


def document(parsed: str, kind: str, **changes: Any) -> dict[str, Any]:
    return {
        "artifactDigest": ARTIFACT,
        "kind": kind,
        "format": "x",
        "digest": "sha256:" + "3" * 64,
        "parsed": parsed,
        "producer": "trivy",
        "uploadedBy": [],
        "uploadedAt": "2026-11-20T08:00:00.000Z",
        "generatedAt": None,
        "signer": None,
        "predicateType": None,
        **changes,
    }


class Bundle:
    """Blobs by digest, and the evidence fact that names them."""

    def __init__(self, findings: list[dict[str, Any]], **more: Any) -> None:
        self.blobs: dict[str, Any] = {}
        scan = self.put({"schema": "stella.findings/v1", "hasScores": True, "findings": findings})
        sbom = self.put(
            {
                "schema": "stella.components/v1",
                "components": [{"name": "openssl", "version": "3.0.1", "purl": None}],
            }
        )
        statement = {
            "vulnerability": "CVE-2026-1",
            "aliases": [],
            "products": [],
            "status": "not_affected",
            "justification": None,
            "statedAt": None,
        }
        vex = self.put({"schema": "stella.vex/v1", "statements": [statement]})
        attestation = self.put(
            {
                "schema": "stella.attestation/v1",
                "predicateType": "https://slsa.dev/provenance/v1",
                "subjects": [ARTIFACT],
            }
        )
        documents = [
            document(scan, "vulnerabilities"),
            document(sbom, "sbom"),
            document(vex, "vex", signer=KEY),
            document(attestation, "attestation", signer="sha256:" + "9" * 64),
        ]
        bundle = self.put({"schema": "stella.evidence-bundle/v1", "artifacts": [ARTIFACT], "documents": documents})
        kev = self.put({"schema": "stella.kev/v1", "entries": [{"cve": "CVE-2026-1", "dateAdded": "2026-11-01"}]})
        epss = self.put({"schema": "stella.epss/v1", "scores": [{"cve": "CVE-2026-1", "epss": 0.91}]})
        feed = {"digest": "sha256:" + "4" * 64, "publishedAt": "2026-11-20T08:00:00.000Z"}
        self.fact: EvidenceFact = {
            "bundleId": "bundle-1",
            "bundleDigest": bundle,
            "currentBundleDigest": None,
            "kev": {**feed, "extract": kev},  # type: ignore[typeddict-item]
            "epss": {**feed, "extract": epss},  # type: ignore[typeddict-item]
            "trustedKeys": [{"keyId": KEY, "name": "release key"}],
            **more,  # type: ignore[typeddict-item]
        }

    def put(self, blob: dict[str, Any]) -> str:
        key = digest(blob)
        self.blobs[key] = blob
        return key

    def documents(self, version: int = 2) -> FromDocuments:
        return from_documents(self.fact, self.blobs.__getitem__, version)

    def read(self, part: str) -> Any:
        return orjson.loads(self.documents().parts[part])


NO_DOCUMENTS = no_documents(2)


def whole(case: Case, documents: FromDocuments = NO_DOCUMENTS) -> Any:
    return orjson.loads(policy_input(case.facts, documents).content)


def with_everything() -> tuple[Case, FromDocuments]:
    bundle = Bundle([finding("CVE-2026-1"), finding("CVE-2026-2", cvss=None, severity="unknown")])
    change = {"ref": "CHG-1", "url": None, "type": "normal", "backout": None}
    case = Case(required=1, votes=[vote("nia")], promotion={"change": change})
    case.facts["evidence"] = bundle.fact
    return case, bundle.documents()


def test_the_published_schema_is_the_one_in_the_code() -> None:
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == JSON_SCHEMA


def test_inputs_are_what_the_schema_says() -> None:
    jsonschema.Draft202012Validator.check_schema(JSON_SCHEMA)
    jsonschema.validate(whole(Case()), JSON_SCHEMA)
    jsonschema.validate(whole(*with_everything()), JSON_SCHEMA)


def test_the_bytes_are_canonical() -> None:
    case, documents = with_everything()
    made = policy_input(case.facts, documents)
    assert made.content == canonical_bytes(orjson.loads(made.content))
    assert made.digest == digest(orjson.loads(made.content))


def test_the_fields_are_those_that_are_named() -> None:
    assert set(whole(Case())) == {*SITUATION, *FROM_DOCUMENTS, *SINCE_VERSION_2}
    assert set(whole(Case(), no_documents(1))) == {*SITUATION, *FROM_DOCUMENTS}


@pytest.mark.parametrize("score", [0.0, 0.1, 5.0, 9.8, 10.0, 1e-5, 9.99e-6, 1e-7, 0.00042, 1.0])
def test_every_score_is_written_as_rfc_8785_writes_it(score: float) -> None:
    content = Bundle([finding("CVE-2026-1", cvss=score)]).documents().parts["findings"]
    assert content == canonical_bytes(orjson.loads(content))
    assert orjson.loads(content)[0]["cvss"] == score


def test_the_order_of_findings_changes_no_byte() -> None:
    findings = [finding(f"CVE-2026-{number}") for number in range(50)]
    shuffled = findings[::-2] + findings[::2]
    assert len(shuffled) == 50
    assert Bundle(findings).documents().parts["findings"] == Bundle(shuffled).documents().parts["findings"]


def test_a_finding_knows_its_feeds() -> None:
    found = {each["id"]: each for each in Bundle([finding("CVE-2026-1"), finding("CVE-2026-2")]).read("findings")}
    assert (found["CVE-2026-1"]["kev"], found["CVE-2026-1"]["epss"]) == (True, 0.91)
    assert (found["CVE-2026-2"]["kev"], found["CVE-2026-2"]["epss"]) == (False, None)


def test_feeds_know_a_finding_by_its_aliases() -> None:
    (found,) = Bundle([finding("GHSA-1", aliases=["CVE-2026-1"])]).read("findings")
    assert (found["kev"], found["epss"]) == (True, 0.91)


def test_trusted_is_what_a_trusted_key_signed() -> None:
    bundle = Bundle([])
    assert (bundle.read("vex")[0]["trusted"], bundle.read("attestations")[0]["trusted"]) == (True, False)


def test_without_a_signer_nothing_is_trusted() -> None:
    bundle = Bundle([finding("CVE-2026-1")], trustedKeys=[])
    assert not any(each["trusted"] for part in ("findings", "vex") for each in bundle.read(part))


def test_a_finding_of_two_reports_counts_once_as_the_worse() -> None:
    bundle = Bundle([finding("CVE-2026-1", severity="low"), finding("CVE-2026-1", severity="critical", cvss=9.8)])
    summary = bundle.read("summary")
    assert (summary["total"], summary["critical"], summary["low"], summary["kev"]) == (1, 1, 0, 1)


def test_another_key_or_feed_makes_another_part() -> None:
    bundle = Bundle([])
    others: list[EvidenceFact] = [
        {**bundle.fact, "trustedKeys": []},
        {**bundle.fact, "kev": None},
        {**bundle.fact, "epss": None},
        {**bundle.fact, "bundleDigest": KEY},
    ]
    keys = {documents_key(each, version) for each in (bundle.fact, *others) for version in (1, 2)}
    assert len(keys) == 10


def test_people_stand_there_by_username_and_candidates_do_not() -> None:
    case = Case(required=1, votes=[vote("nia"), vote("mei")])
    people = whole(case)["people"]
    assert [each["username"] for each in people["votes"]] == ["mei", "nia"]
    assert "id-idris" not in json.dumps(whole(case))


def test_a_missing_document_is_raised() -> None:
    bundle = Bundle([])
    del bundle.blobs[bundle.fact["bundleDigest"]]
    with pytest.raises(KeyError):
        bundle.documents()


def test_the_empty_parts_are_what_an_empty_bundle_gives() -> None:
    bundle = Bundle([])
    empty = bundle.put({"schema": "stella.evidence-bundle/v1", "artifacts": [], "documents": []})
    bundle.fact["bundleDigest"] = empty
    assert [bundle.documents(version).parts == no_documents(version).parts for version in (1, 2)] == [True, True]


def test_the_digest_covers_situation_and_documents() -> None:
    case, documents = with_everything()
    first = policy_input(case.facts, documents)
    other_case = PolicyInput({**first.situation, "instant": "2026-11-23T08:00:00.001Z"}, documents)
    assert len({first.digest, other_case.digest, policy_input(case.facts, NO_DOCUMENTS).digest}) == 3


KNOWN_SINCE: list[dict[str, Any]] = [
    {},
    {"scannerSeverity": "low"},
    {"unscored": True},
    {"suppressed": ".trivyignore"},
    {"scannerSeverity": "low", "unscored": True, "suppressed": ".trivyignore"},
]


@pytest.mark.parametrize("known", KNOWN_SINCE)
def test_a_finding_is_told_with_what_its_report_knows_of_it_and_nothing_else(known: dict[str, Any]) -> None:
    documents = Bundle([finding("CVE-2026-1", **known)]).documents()
    (found,) = orjson.loads(documents.parts["findings"])
    assert {name: each for name, each in found.items() if name in KNOWN_SINCE[-1]} == known
    jsonschema.validate(whole(Case(), documents), JSON_SCHEMA)


def test_version_1_is_told_the_same_of_the_rest() -> None:
    one, two = (dict(Bundle([finding("CVE-2026-1")]).documents(version).parts) for version in (1, 2))
    assert two.pop("documents") != b"[]"
    assert one == two


PART = "sha256:" + "8" * 64


def test_each_document_is_told_whatever_it_says() -> None:
    """Without, nobody could tell a clean scan from none: both have no findings."""
    bundle = Bundle([])
    left_out = [{"reason": "a", "number": 2}, {"reason": "b", "number": 1}]
    report = bundle.put({"schema": "stella.findings/v1", "hasScores": False, "findings": [], "leftOut": left_out})
    sbom = bundle.put({"schema": "stella.components/v1", "components": []})
    documents = [
        document(report, "vulnerabilities", signer=KEY, format="trivy"),
        document(sbom, "sbom", schemaValid=False, about=PART, producer="syft"),
    ]
    bundle.fact["bundleDigest"] = bundle.put(
        {"schema": "stella.evidence-bundle/v1", "artifacts": [ARTIFACT], "documents": documents}
    )
    told = sorted(bundle.read("documents"), key=lambda each: str(each["kind"]))
    assert told == [
        {
            "artifactDigest": ARTIFACT,
            "kind": "sbom",
            "format": "x",
            "producer": "syft",
            "trusted": False,
            "leftOut": 0,
            "schemaValid": False,
            "about": PART,
        },
        {
            "artifactDigest": ARTIFACT,
            "kind": "vulnerabilities",
            "format": "trivy",
            "producer": "trivy",
            "trusted": True,
            "leftOut": 3,
            "schemaValid": None,
            "about": None,
        },
    ]
    jsonschema.validate(whole(Case(), bundle.documents()), JSON_SCHEMA)
