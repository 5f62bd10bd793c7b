"""Parts of stella by themselves: the kind that it finds in a file is one whose reader takes the file; the CI job."""

import base64
import importlib.machinery
import importlib.util
import json
import sys
from types import ModuleType
from typing import Any

import pytest

from promotions.formats import osv_scanner
from promotions.formats.parse import READERS
from tests.clients.stella import PROGRAM


@pytest.fixture(scope="module")
def program() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("stella_program", str(PROGRAM))
    spec = importlib.util.spec_from_loader("stella_program", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["stella_program"] = module  # dataclasses look their module up
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = kept
    return module


CYCLONEDX: dict[str, Any] = {"bomFormat": "CycloneDX", "specVersion": "1.5"}
PLAIN: list[tuple[str, dict[str, Any]]] = [
    ("sbom", {**CYCLONEDX, "components": []}),
    ("sbom", {"spdxVersion": "SPDX-2.3"}),
    ("sbom", {"sbom": {"spdxVersion": "SPDX-2.3"}}),
    ("vulnerabilities", {**CYCLONEDX, "vulnerabilities": [{"id": "CVE-2026-1"}]}),
    ("vex", {**CYCLONEDX, "vulnerabilities": [{"id": "CVE-2026-1", "analysis": {"state": "not_affected"}}]}),
    ("vulnerabilities", {"SchemaVersion": 2, "ArtifactName": "app"}),
    ("vulnerabilities", {"SchemaVersion": 2, "Results": []}),
    ("vulnerabilities", {"matches": [], "descriptor": {"name": "grype"}}),
    ("vulnerabilities", {"results": [{"packages": []}]}),
    ("vulnerabilities", {"results": []}),
    ("vex", {"@context": "https://openvex.dev/ns/v0.2.0", "statements": []}),
    ("index", {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}),
    ("attestation", {"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1"}),
]


@pytest.mark.parametrize(("kind", "document"), PLAIN, ids=lambda each: each if isinstance(each, str) else "")
def test_a_plain_document(program: ModuleType, kind: str, document: dict[str, Any]) -> None:
    assert program.kind_of("it", json.dumps(document).encode()) == kind
    assert any(recognises(document) for _, recognises, _ in READERS[kind])


def test_a_clean_report_of_osv_scanner_has_the_members_that_the_reader_knows(program: ModuleType) -> None:
    assert program.OSV_MEMBERS == osv_scanner._MEMBERS


STATEMENTS = [
    ("vulnerabilities", "https://cosign.sigstore.dev/attestation/vuln/v1", {}),
    ("vex", "https://openvex.dev/ns/v0.2.0", {}),
    ("sbom", "https://spdx.dev/Document", {}),
    ("sbom", "https://cyclonedx.org/bom", {**CYCLONEDX, "components": []}),
    ("vulnerabilities", "https://cyclonedx.org/bom", {**CYCLONEDX, "vulnerabilities": [{"id": "CVE-2026-1"}]}),
    ("attestation", "https://slsa.dev/provenance/v1", {}),
]


@pytest.mark.parametrize(("kind", "predicate_type", "predicate"), STATEMENTS)
@pytest.mark.parametrize("shape", ["envelope", "bundle", "lines"])
def test_a_signed_statement(
    program: ModuleType, kind: str, predicate_type: str, predicate: dict[str, Any], shape: str
) -> None:
    statement = {"predicateType": predicate_type, "predicate": predicate}
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    envelope = {"payload": payload, "payloadType": "application/vnd.in-toto+json", "signatures": []}
    text = json.dumps({"dsseEnvelope": envelope} if shape == "bundle" else envelope)
    assert program.kind_of("it", (f"{text}\n{text}\n" if shape == "lines" else text).encode()) == kind


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"payload": "###", "payloadType": "x"},
        {**CYCLONEDX, "vulnerabilities": [{"id": "CVE-2026-1", "analysis": {}}, {"id": "CVE-2026-2"}]},
    ],
)
def test_a_document_that_may_be_of_two_kinds_or_none(program: ModuleType, document: dict[str, Any]) -> None:
    with pytest.raises(program.Stop, match="The kind of it cannot be told"):
        program.kind_of("it", json.dumps(document).encode())


@pytest.mark.parametrize("content", [b"", b"\xff\xfe{\x00}\x00", b"<html>"])
def test_a_file_that_is_not_json(program: ModuleType, content: bytes) -> None:
    with pytest.raises(program.Stop, match="is not JSON"):
        program.kind_of("it", content)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400), ("3d", 259200)])
def test_durations(program: ModuleType, text: str, seconds: float) -> None:
    assert program.seconds_of(text) == seconds


def test_text_of_others_moves_no_cursor(program: ModuleType) -> None:
    assert program.printable("a\x1b[2Jb\u202ec\nd") == "a?[2Jb?c\nd"


GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_JOB": "deploy",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REF_NAME": "trunk",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_JOB_ID": "70",
    "CI_JOB_URL": "https://gitlab.example/jobs/70",
    "CI_PIPELINE_ID": "7",
    "CI_PIPELINE_URL": "https://gitlab.example/pipelines/7",
    "CI_COMMIT_REF_NAME": "trunk",
}
JENKINS = {
    "JENKINS_URL": "https://jenkins.example/",
    "BUILD_TAG": "jenkins-shop-7",
    "BUILD_ID": "7",
    "BUILD_URL": "https://jenkins.example/job/shop/7/",
    "BRANCH_NAME": "trunk",
}
GITHUB_RUN = "https://github.example/acme/shop/actions/runs/7"


@pytest.mark.parametrize(
    ("env", "job"),
    [
        (GITHUB, ("github-7-2-deploy", GITHUB_RUN, "7", GITHUB_RUN, "trunk")),
        (GITLAB, ("gitlab-70", GITLAB["CI_JOB_URL"], "7", GITLAB["CI_PIPELINE_URL"], "trunk")),
        (JENKINS, ("jenkins-shop-7", JENKINS["BUILD_URL"], "7", JENKINS["BUILD_URL"], "trunk")),
        ({}, ("", "", "", "", "")),
    ],
)
def test_the_job_is_that_of_the_ci(program: ModuleType, env: dict[str, str], job: tuple[str, ...]) -> None:
    found = program.job_of(env)
    assert (found.run_id, found.url, found.build_id, found.pipeline_url, found.branch) == job


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("shop", ("shop", "", "")),
        ("localhost:5000/shop", ("localhost:5000/shop", "", "")),
        ("localhost:5000/shop:1.4", ("localhost:5000/shop", "1.4", "")),
        ("ghcr.io/acme/shop:1.4@sha256:aa", ("ghcr.io/acme/shop", "1.4", "sha256:aa")),
    ],
)
def test_an_image_has_a_repository_a_tag_and_a_digest(
    program: ModuleType, text: str, image: tuple[str, str, str]
) -> None:
    found = program.image_of(text)
    assert (found.repository, found.tag, found.digest) == image


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_this_machine_is_loopback(program: ModuleType, host: str) -> None:
    assert program.is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "127.0.0.1.example", "localhost.example", "10.0.0.1", "2130706433"])
def test_another_machine_is_not(program: ModuleType, host: str) -> None:
    assert not program.is_loopback(host)
