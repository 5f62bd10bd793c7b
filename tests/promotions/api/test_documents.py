"""Documents, bundles, feeds and trusted keys through HTTP."""

import base64
import gzip
import hashlib
import json
from io import BytesIO
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from policies.models import WeakeningEdit
from promotions.documents import uploading
from promotions.models import EvidenceBundle, EvidenceDocument, Feed, FeedEntry, TrustedKey
from stellapromote.audit.models import AuditEvent
from stellapromote.isolation import IsolationBusy
from tests import factories
from tests.promotions.api.world import Caller, World
from tests.promotions.formats.samples import (
    ARTIFACT,
    EPSS,
    KEV,
    OTHER,
    cyclonedx,
    openvex,
    statement,
    trivy,
    trivy_entry,
)
from tests.promotions.uploads import Signer


def body(kind: str = "vulnerabilities", document: Any = None, artifact: str = ARTIFACT) -> dict[str, Any]:
    return {"artifactDigest": artifact, "kind": kind, "document": document or trivy(trivy_entry())}


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
    token = factories.make_token(world.tenant, service.user, by=factories.actor_of(world.greta.user, world.tenant))
    made = Caller(service.user, world.tenant, token).ok("POST", "evidence", body(), status=201)
    assert [each["username"] for each in made["uploadedBy"]] == ["greta", "tomas"]


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


def test_the_same_documents_make_the_same_bundle(world: World) -> None:
    world.tomas.ok("POST", "evidence", body(), status=201)
    world.tomas.ok("POST", "evidence", body("sbom", cyclonedx()), status=201)
    one = world.tomas.ok("POST", "evidence/snapshot", {"artifactDigests": [ARTIFACT]}, status=201)
    two = world.ravi.ok("POST", "evidence/snapshot", {"artifactDigests": [ARTIFACT]}, status=201)
    assert (one["bundleId"], one["bundleDigest"]) == (two["bundleId"], two["bundleDigest"])
    assert EvidenceBundle.objects.count() == 1
    assert world.vera.get(f"evidence/{one['bundleId']}") == one


def test_the_same_documents_have_one_digest_in_every_installation(world: World, stranger: World) -> None:
    for each in (stranger, world):
        each.tomas.ok("POST", "evidence", body(), status=201)
    asked = {"artifactDigests": [ARTIFACT]}
    ours, theirs = (each.tomas.ok("POST", "evidence/snapshot", asked, status=201) for each in (world, stranger))
    assert ours["documentsDigest"] == theirs["documentsDigest"]
    assert ours["bundleDigest"] != theirs["bundleDigest"]  # who sent them and when is in it
    world.tomas.ok("POST", "evidence", body("sbom", cyclonedx()), status=201)
    more = world.tomas.ok("POST", "evidence/snapshot", asked, status=201)
    assert more["documentsDigest"] != ours["documentsDigest"]


def test_a_report_replaces_another_of_the_same_tool_and_uploader(world: World) -> None:
    world.tomas.ok("POST", "evidence", body(), status=201)
    later = trivy(CreatedAt="2026-11-02T08:00:00Z")
    newer = world.tomas.ok("POST", "evidence", body(document=later), status=201)
    taken = world.tomas.ok("POST", "evidence/snapshot", {"artifactDigests": [ARTIFACT]}, status=201)
    assert [each["digest"] for each in taken["vulnerabilities"]] == [newer["documentDigest"]]


def test_a_clean_report_of_somebody_else_makes_no_finding_disappear(world: World) -> None:
    world.tomas.ok("POST", "evidence", body(), status=201)
    world.ravi.ok("POST", "evidence", body(document=trivy()), status=201)
    taken = world.tomas.ok("POST", "evidence/snapshot", {"artifactDigests": [ARTIFACT]}, status=201)
    assert len(taken["vulnerabilities"]) == 2


def test_somebody_who_is_not_trusted_cannot_take_the_place_of_who_is(world: World) -> None:
    sent = body("vex", openvex({"@id": "pkg:deb/debian/openssl@1.0"}))
    world.ravi.ok("POST", "evidence", sent, status=201)
    world.tomas.ok("POST", "evidence", sent, status=201)
    taken = world.tomas.ok("POST", "evidence/snapshot", {"artifactDigests": [ARTIFACT]}, status=201)
    people = sorted(each["uploadedBy"][0]["username"] for each in taken["vex"])
    assert people == ["ravi", "tomas"]


def test_the_score_says_what_is_there(world: World) -> None:
    world.tomas.ok("POST", "evidence", body(), status=201)
    world.tomas.ok("POST", "evidence", body("sbom", cyclonedx()), status=201)
    answer = world.vera.get(f"evidence/score?artifactId={ARTIFACT}")
    assert (answer["evidenceScore"], answer["hasSbom"], answer["hasAttestation"]) == (50, True, False)
    assert world.vera.refused("GET", "evidence/score") == (400, "VAL_INVALID")


def test_documents_are_listed_by_artifact_and_kind(world: World) -> None:
    world.tomas.ok("POST", "evidence", body(), status=201)
    world.tomas.ok("POST", "evidence", body("sbom", cyclonedx()), status=201)
    found = world.vera.get(f"evidence?artifactDigest={ARTIFACT}&kind=sbom")["data"]
    assert [each["kind"] for each in found] == ["sbom"]


def trusted(world: World, signer: Signer, name: str = "ci") -> dict[str, Any]:
    answer: dict[str, Any] = world.greta.ok("POST", "trusted-keys", {"name": name, "pem": signer.pem}, status=201)
    return answer


def test_a_signature_of_a_trusted_key_makes_it_the_signer(world: World) -> None:
    signer = Signer()
    key = trusted(world, signer)
    sent = body("sbom", signer.envelope(statement("https://cyclonedx.org/bom", cyclonedx())))
    made = world.tomas.ok("POST", "evidence", sent, status=201)
    assert (made["signer"], made["predicateType"]) == (key["keyId"], "https://cyclonedx.org/bom")


@pytest.mark.parametrize(("kind", "document"), [("vulnerabilities", trivy()), ("vex", openvex())], ids=["clean", "vex"])
def test_a_signed_document_that_names_no_artifact_counts_for_its_uploader_only(
    world: World, kind: str, document: dict[str, Any]
) -> None:
    signer = Signer()
    trusted(world, signer)
    made = world.tomas.ok("POST", "evidence", body(kind, signer.envelope(document)), status=201)
    assert (made["signer"], [each["username"] for each in made["uploadedBy"]]) == (None, ["tomas"])


def test_the_answer_says_what_was_found_of_the_signature_and_what_follows(world: World) -> None:
    def found(document: Any, kind: str = "sbom") -> tuple[str, str]:
        answer = world.tomas.ok("POST", "evidence", body(kind, document), status=201)["signature"]
        return answer["found"], answer["message"]

    trusted_signer, other = Signer(), Signer()
    trusted(world, trusted_signer, "ci-signing")
    signed = statement("https://cyclonedx.org/bom", cyclonedx())
    state, message = found(trusted_signer.envelope(signed))
    assert (state, "ci-signing" in message) == ("trusted", True)
    state, message = found(other.envelope(signed))
    assert state == "unknown"
    assert "by no key that is trusted here: it counts as said by tomas" in message
    assert "upload the document again" in message
    state, message = found(trusted_signer.envelope(openvex()), "vex")
    assert state == "unbound"
    assert "does not name the artifact by its digest: it counts as said by tomas" in message
    state, message = found(cyclonedx())
    assert (state, message.startswith("It is not signed: it counts as said by tomas")) == ("none", True)
    assert "signature" not in world.tomas.get("evidence")["data"][0]


def test_a_signed_document_that_names_its_artifact_has_its_signer(world: World) -> None:
    signer = Signer()
    key = trusted(world, signer)
    report = trivy(Metadata={"RepoDigests": [f"registry.example/app@{ARTIFACT}"]})
    assert (
        world.tomas.ok("POST", "evidence", body(document=signer.envelope(report)), status=201)["signer"] == key["keyId"]
    )


def test_a_key_that_is_trusted_later_counts_when_the_document_is_sent_again(world: World) -> None:
    signer = Signer()
    sent = body("sbom", signer.envelope(statement("https://cyclonedx.org/bom", cyclonedx())))
    assert world.tomas.ok("POST", "evidence", sent, status=201)["signer"] is None
    key = trusted(world, signer)
    assert world.tomas.ok("POST", "evidence", sent, status=201)["signer"] == key["keyId"]


def test_a_key_of_another_tenant_is_not_trusted(world: World, stranger: World) -> None:
    signer = Signer()
    key = trusted(stranger, signer)
    sent = body("sbom", signer.envelope(statement("https://cyclonedx.org/bom", cyclonedx())))
    assert world.tomas.ok("POST", "evidence", sent, status=201)["signer"] is None
    assert world.greta.refused("DELETE", f"trusted-keys/{key['id']}") == (404, "RES_NOT_FOUND")
    assert world.greta.get("trusted-keys")["data"] == []


def test_a_forged_signature_in_the_name_of_a_trusted_key_is_refused(world: World) -> None:
    key = trusted(world, Signer())
    forged = Signer().envelope(statement("https://cyclonedx.org/bom", cyclonedx()), key_id=key["keyId"])
    assert world.tomas.refused("POST", "evidence", body("sbom", forged)) == (422, "EVD_INVALID_DOCUMENT")


def test_trusting_a_key_is_a_weakening_edit_and_audited(world: World) -> None:
    trusted(world, Signer())
    assert "ci" in WeakeningEdit.objects.latest("at").what
    assert AuditEvent.objects.filter(action="trusted_key.added").count() == 1


def test_a_key_is_trusted_once_and_may_come_back_after_it_was_revoked(world: World) -> None:
    signer = Signer()
    key = trusted(world, signer)
    again = {"name": "other", "pem": signer.pem}
    assert world.greta.refused("POST", "trusted-keys", again) == (409, "RES_DUPLICATE")
    assert world.greta.ok("DELETE", f"trusted-keys/{key['id']}")["revokedAt"]
    assert world.greta.refused("DELETE", f"trusted-keys/{key['id']}") == (409, "RES_STATE_CONFLICT")
    world.greta.ok("POST", "trusted-keys", again, status=201)


def test_only_an_administrator_trusts_keys(world: World) -> None:
    assert world.tomas.refused("POST", "trusted-keys", {"name": "x", "pem": Signer().pem}) == (403, "PERM_DENIED")


def test_a_private_key_is_refused_and_shown_nowhere(world: World) -> None:
    secret = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByq\n-----END PRIVATE KEY-----"
    response = world.greta.call("POST", "trusted-keys", {"name": "x", "pem": secret})
    assert response.status_code == 400
    assert b"MIGHAgEA" not in response.content


def test_a_revoked_key_cannot_be_brought_back_in_the_database(world: World) -> None:
    key = trusted(world, Signer())
    world.greta.ok("DELETE", f"trusted-keys/{key['id']}")
    with pytest.raises(DatabaseError), transaction.atomic():
        TrustedKey.objects.update(revoked_at=None, revoked_by=None)


@pytest.mark.parametrize(
    "table", ["promotions_evidencedocument", "promotions_evidencebundle", "promotions_feed", "promotions_trustedkey"]
)
def test_what_came_in_is_never_removed(world: World, table: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")


def test_a_feed_is_kept_with_its_entries(world: World) -> None:
    made = world.greta.ok("POST", "feeds", {"kind": "kev", "document": json.dumps(KEV)}, status=201)
    assert (made["entries"], made["publishedAt"]) == (2, "2026-11-01T17:00:00.000Z")
    assert FeedEntry.objects.count() == 2
    packed = base64.b64encode(gzip.compress(EPSS)).decode()
    world.greta.ok("POST", "feeds", {"kind": "epss", "documentBase64": packed}, status=201)
    assert FeedEntry.objects.get(cve="CVE-2026-0001", feed__kind="epss").score == 0.91234


def test_an_older_feed_does_not_replace_a_newer_one(world: World) -> None:
    world.greta.ok("POST", "feeds", {"kind": "kev", "document": json.dumps(KEV)}, status=201)
    older = {**KEV, "dateReleased": "2026-10-31T17:00:00Z"}
    refused = world.greta.refused("POST", "feeds", {"kind": "kev", "document": json.dumps(older)})
    assert refused == (409, "RES_STATE_CONFLICT")


def test_the_same_feed_again_is_the_one_that_is_there(world: World) -> None:
    sent = {"kind": "kev", "document": json.dumps(KEV)}
    one = world.greta.ok("POST", "feeds", sent, status=201)
    assert world.greta.ok("POST", "feeds", sent, status=201)["id"] == one["id"]
    assert Feed.objects.count() == 1


def test_a_catalogue_that_lists_less_is_a_weakening_edit(world: World) -> None:
    world.greta.ok("POST", "feeds", {"kind": "kev", "document": json.dumps(KEV)}, status=201)
    shorter = {**KEV, "dateReleased": "2026-11-02T17:00:00Z", "count": 1, "vulnerabilities": KEV["vulnerabilities"][1:]}
    world.greta.ok("POST", "feeds", {"kind": "kev", "document": json.dumps(shorter)}, status=201)
    assert "CVE-2026-0001" in WeakeningEdit.objects.latest("at").what
    assert FeedEntry.objects.count() == 1


def test_a_feed_of_the_future_is_refused(world: World) -> None:
    early = {**KEV, "dateReleased": "2126-11-02T17:00:00Z"}
    refused = world.greta.refused("POST", "feeds", {"kind": "kev", "document": json.dumps(early)})
    assert refused == (422, "EVD_INVALID_DOCUMENT")


def test_who_requests_promotions_brings_in_no_feeds(world: World) -> None:
    sent = {"kind": "kev", "document": json.dumps(KEV)}
    assert world.tomas.refused("POST", "feeds", sent) == (403, "PERM_DENIED")


def test_feeds_of_another_tenant_do_not_exist(world: World, stranger: World) -> None:
    world.greta.ok("POST", "feeds", {"kind": "kev", "document": json.dumps(KEV)}, status=201)
    assert stranger.greta.get("feeds")["data"] == []


def test_a_promotion_answers_with_its_bundle_and_takes_a_newer_one(world: World) -> None:
    promotion = world.waiting()
    assert world.vera.get(f"promotions/{promotion.pk}")["evidenceBundle"] is None
    artifact = promotion.release.components.get().digest
    world.tomas.ok("POST", "evidence", body(artifact=artifact), status=201)
    taken = world.tomas.ok("POST", f"promotions/{promotion.pk}/evidence-bundle", {})
    snapshot = world.tomas.ok("POST", "evidence/snapshot", {"artifactDigests": [artifact]}, status=201)
    assert taken["evidenceBundle"] == {"id": snapshot["bundleId"], "digest": snapshot["bundleDigest"]}


def test_a_viewer_takes_no_evidence(world: World, stranger: World) -> None:
    promotion = world.waiting()
    path = f"promotions/{promotion.pk}/evidence-bundle"
    assert world.vera.refused("POST", path, {}) == (403, "PERM_DENIED")
    assert stranger.tomas.refused("POST", path, {}) == (404, "RES_NOT_FOUND")
    assert world.tomas.refused("POST", path, {}) == (422, "EVD_NO_DOCUMENTS")
