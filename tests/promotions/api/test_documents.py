"""Documents through HTTP: what an upload answers, what refuses it, and who sees it."""

import base64
import hashlib
import json
from io import BytesIO
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from promotions.documents import uploading
from promotions.models import EvidenceDocument
from stellapromote.audit.models import AuditEvent
from stellapromote.isolation import IsolationBusy
from tests import factories
from tests.promotions.api.documents import body
from tests.promotions.api.world import Caller, World
from tests.promotions.formats.samples import ARTIFACT, KEV, OTHER, cyclonedx, trivy, trivy_entry


def form(by: Caller, path: str, fields: dict[str, Any]) -> Any:
    return Client().post(f"/api/v1/{path}", fields, headers={"Authorization": f"Bearer {by.token}"})


def test_an_upload_answers_with_its_digest_and_what_was_read(world: World) -> None:
    text = json.dumps(trivy(trivy_entry()))
    answer = world.tomas.ok("POST", "evidence", body(document=text), status=201)
    assert answer["documentDigest"] == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert answer["summary"] == {
        "findings": 1,
        "bySeverity": {"high": 1},
        "suppressed": 0,
        "hasScores": True,
        "leftOut": 0,
        "leftOutBecause": [],
        "schemaValid": None,  # Trivy publishes no schema
    }
    assert (answer["format"], answer["producer"], answer["signer"]) == ("trivy", "trivy", None)
    assert answer["uploadedBy"] == [{"id": str(world.tomas.user.pk), "username": "tomas"}]


def test_an_upload_beside_another_is_sent_back_and_keeps_no_thread(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def busy(task: str, payload: bytes, **limits: float) -> bytes:
        asked.append(limits["patience"])
        raise IsolationBusy

    monkeypatch.setattr(uploading, "run", busy)
    response = world.tomas.call("POST", "evidence", body())
    assert (response.status_code, response.json()["error"]["code"]) == (503, "SYS_UNAVAILABLE")
    assert (response.headers["Retry-After"], asked) == ("2", [1.0])
    assert not EvidenceDocument.objects.exists()


def test_the_same_bytes_have_the_same_digest_in_every_way_of_sending(world: World) -> None:
    text = json.dumps(trivy(trivy_entry()))
    plain = world.tomas.ok("POST", "evidence", body(document=text), status=201)
    base = {"artifactDigest": ARTIFACT, "kind": "vulnerabilities"}
    packed = {**base, "documentBase64": base64.b64encode(text.encode()).decode()}
    assert world.tomas.ok("POST", "evidence", packed, status=201)["id"] == plain["id"]
    file = BytesIO(text.encode())
    file.name = "report.json"
    sent = form(world.tomas, "evidence", {**base, "document": file})
    assert (sent.status_code, sent.json()["id"]) == (201, plain["id"])
    assert EvidenceDocument.objects.count() == 1


def test_a_document_comes_back_byte_for_byte_and_as_it_was_read(world: World) -> None:
    text = json.dumps(trivy(trivy_entry()), indent=3)
    made = world.tomas.ok("POST", "evidence", body(document=text), status=201)
    assert world.vera.call("GET", f"evidence/documents/{made['id']}/content").content == text.encode()
    parsed = world.vera.get(f"evidence/documents/{made['id']}")["parsed"]
    assert [each["id"] for each in parsed["findings"]] == ["CVE-2026-0001"]


def test_a_document_that_cannot_be_read_is_refused_with_its_place(world: World) -> None:
    broken = trivy(Results=[{"Class": "os-pkgs", "Vulnerabilities": {"0": trivy_entry()}}])
    response = world.tomas.call("POST", "evidence", body(document=broken))
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (422, "EVD_INVALID_DOCUMENT")
    assert error["details"]["place"] == "$.Results[0].Vulnerabilities"
    assert not EvidenceDocument.objects.exists()


HOSTILE = {
    "cut off": "{",
    "empty": "",
    "no object": "null",
    "twice": '{"a": 1, "a": 2}',
    "deep": "[" * 10_000,
    "nul": '{"a": "\u0000"}',
    "endless": "[[]" + ",[]" * 2_100_000 + "]",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused(world: World, text: str) -> None:
    packed = {"artifactDigest": ARTIFACT, "kind": "sbom", "documentBase64": base64.b64encode(text.encode()).decode()}
    assert world.tomas.refused("POST", "evidence", packed) == (422, "EVD_INVALID_DOCUMENT")


def test_a_document_about_another_artifact_is_a_mismatch(world: World) -> None:
    foreign = trivy(Metadata={"RepoDigests": [f"app@{OTHER}"]})
    assert world.tomas.refused("POST", "evidence", body(document=foreign)) == (422, "EVD_DIGEST_MISMATCH")


@pytest.mark.slow
def test_more_than_32_mib_are_refused(world: World) -> None:
    large = base64.b64encode(b" " * (32 * 1024 * 1024 + 1)).decode()
    packed = {"artifactDigest": ARTIFACT, "kind": "sbom", "documentBase64": large}
    assert world.tomas.refused("POST", "evidence", packed) == (413, "VAL_BODY_TOO_LARGE")


def test_a_json_body_of_endless_values_is_refused_before_anything_is_made_of_it(world: World) -> None:
    raw = b'{"document": [' + b"0," * 400_000 + b"0]}"
    response = world.tomas.call("POST", "evidence", raw=raw)
    assert response.status_code == 413


@pytest.mark.parametrize("media_type", ["text/html", "application/xml", "image/png"])
def test_another_media_type_is_refused(world: World, media_type: str) -> None:
    assert world.tomas.refused("POST", "evidence", {**body(), "mediaType": media_type})[0] == 415


def test_an_unreadable_form_is_refused(world: World) -> None:
    sent = world.tomas.refused("POST", "evidence", raw=b"--x", Content_Type="multipart/form-data; boundary=y")
    assert sent[0] == 400


@pytest.mark.parametrize(
    "change",
    [
        {"document": None},
        {"documentBase64": "AAAA"},
        {"documentBase64": "*", "document": None},
        {"artifactDigest": "x"},
        {"kind": "y"},
    ],
)
def test_fields_are_checked(world: World, change: dict[str, Any]) -> None:
    sent = {name: value for name, value in {**body(), **change}.items() if value is not None}
    assert world.tomas.refused("POST", "evidence", sent) == (400, "VAL_INVALID")


def test_a_viewer_uploads_nothing(world: World) -> None:
    assert world.vera.refused("POST", "evidence", body()) == (403, "PERM_DENIED")


def test_an_upload_is_audited_without_its_content(world: World) -> None:
    made = world.tomas.ok("POST", "evidence", body(), status=201)
    event = AuditEvent.objects.get(action="evidence.uploaded")
    assert event.metadata["documentDigest"] == made["documentDigest"]


def test_the_same_key_again_uploads_once(world: World) -> None:
    one = world.tomas.call("POST", "evidence", body(), Idempotency_Key="k1")
    two = world.tomas.call("POST", "evidence", body(), Idempotency_Key="k1")
    assert (one.content, two.headers["Idempotency-Replayed"]) == (two.content, "true")


def no_more_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_given: Any, **_options: Any) -> Any:
        raise IsolationBusy

    monkeypatch.setattr(uploading, "run", busy)


def test_a_stored_answer_is_given_without_reading_the_document_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = {"kind": "kev", "document": json.dumps(KEV)}
    calls = ((world.tomas, "evidence", body()), (world.greta, "feeds", feed))
    first = [by.call("POST", path, sent, Idempotency_Key="k1").content for by, path, sent in calls]
    no_more_reading(monkeypatch)
    for (by, path, sent), content in zip(calls, first, strict=True):
        again = by.call("POST", path, sent, Idempotency_Key="k1")
        assert (again.status_code, again.content, again.headers["Idempotency-Replayed"]) == (201, content, "true")
        assert by.call("POST", path, sent, Idempotency_Key="k2").status_code == 503


def test_a_key_of_another_document_is_refused_without_reading_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.tomas.call("POST", "evidence", body(), Idempotency_Key="k1")
    no_more_reading(monkeypatch)
    other = world.tomas.call("POST", "evidence", body(artifact=OTHER), Idempotency_Key="k1")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "RES_IDEMPOTENCY_KEY_REUSED")


def test_what_a_machine_uploads_counts_for_its_owner_and_who_issued_its_token(world: World) -> None:
    service = factories.make_service(world.tenant, world.tomas.user, "scanner", scopes=["evidence:write"])
    issuer = factories.make_person(world.tenant, "hana", roles=["admin", "operator"])
    token = factories.make_token(world.tenant, service.user, by=factories.actor_of(issuer, world.tenant))
    made = Caller(service.user, world.tenant, token).ok("POST", "evidence", body(), status=201)
    assert [each["username"] for each in made["uploadedBy"]] == ["hana", "tomas"]


def test_documents_of_another_tenant_do_not_exist(world: World, stranger: World) -> None:
    made = world.tomas.ok("POST", "evidence", body(), status=201)
    bundle = world.tomas.ok("POST", "evidence/snapshot", {"artifactDigests": [ARTIFACT]}, status=201)
    assert stranger.tomas.get("evidence")["data"] == []
    assert stranger.tomas.refused("GET", f"evidence/documents/{made['id']}") == (404, "RES_NOT_FOUND")
    assert stranger.tomas.refused("GET", f"evidence/documents/{made['id']}/content") == (404, "RES_NOT_FOUND")
    assert stranger.tomas.refused("GET", f"evidence/{bundle['bundleId']}") == (404, "RES_NOT_FOUND")
    refused = stranger.tomas.refused("POST", "evidence/snapshot", {"artifactDigests": [ARTIFACT]})
    assert refused == (422, "EVD_NO_DOCUMENTS")
    assert stranger.tomas.get(f"evidence/score?artifactId={ARTIFACT}")["evidenceScore"] == 0


def test_documents_are_listed_by_artifact_and_kind(world: World) -> None:
    world.tomas.ok("POST", "evidence", body(), status=201)
    world.tomas.ok("POST", "evidence", body("sbom", cyclonedx()), status=201)
    found = world.vera.get(f"evidence?artifactDigest={ARTIFACT}&kind=sbom")["data"]
    assert [each["kind"] for each in found] == ["sbom"]


@pytest.mark.parametrize(
    "table", ["promotions_evidencedocument", "promotions_evidencebundle", "promotions_feed", "promotions_trustedkey"]
)
def test_what_came_in_is_never_removed(world: World, table: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")
