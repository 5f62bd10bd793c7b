"""Evidence over REST: packets, keys, verification (contract.md; domain.md §8)."""

import base64
import json
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.test import Client

from promotions.models import EvidencePacket
from promotions.packets.packet import PAYLOAD_TYPE, sign_packet
from promotions.packets.signing_key import load
from stellapromote.clock import parse_rfc3339
from stellapromote.ids import new_id
from stellapromote.signing import dsse
from stellapromote.signing.canonical_json import canonical_bytes
from tests.database import CommittedDatabase
from tests.promotions.api.world import Caller, World, make_world


def signed_with_id(packet: dict[str, Any], packet_id: UUID) -> dict[str, Any]:
    """The same content under another id, which nobody stores."""
    signed = sign_packet(
        packet_id=packet_id,
        packet_type=packet["type"],
        tenant_id=UUID(packet["tenantId"]),
        generated_at=parse_rfc3339(packet["generatedAt"]),
        content=packet["content"],
        key=load(),
    )
    return {**json.loads(signed.document), "envelope": json.loads(signed.envelope)}


def page_of(caller: Caller, document: Any) -> str:
    """The page /evidence/verify with this document."""
    browser = Client()
    browser.force_login(caller.user)
    return browser.post("/evidence/verify", {"text": json.dumps(document)}).content.decode()


def _without_ids(answer: Any) -> Any:
    return {**answer, "packetId": None}


def test_an_undecided_promotion_has_no_evidence(world: World) -> None:
    answer = world.vera.call("GET", f"promotions/{world.waiting().pk}/evidence")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (404, "RES_NOT_FOUND")
    assert error["message"] == "Nothing is decided yet, so there is no evidence: ask again after the decision."


def test_a_rejected_one_has(world: World) -> None:
    promotion = world.waiting()
    world.nia.ok("POST", f"promotions/{promotion.pk}/reject", {"reason": "No"})
    packets = world.vera.get(f"promotions/{promotion.pk}/evidence")["data"]
    assert [packet["content"]["decision"]["result"] for packet in packets] == ["deny"]


def test_packets_are_the_stored_ones_with_their_envelope(world: World) -> None:
    promotion = world.approved()
    found = world.vera.get(f"promotions/{promotion.pk}/evidence")["data"][0]
    stored = EvidencePacket.objects.get(promotion=promotion)
    envelope = found.pop("envelope")
    assert found == json.loads(bytes(stored.document))
    assert envelope == json.loads(bytes(stored.envelope))


def test_nobody_needs_to_sign_in_to_get_the_keys(world: World) -> None:
    world.approved()
    answer = Client().get("/api/v1/evidence/keys")
    assert answer.status_code == 200
    key = answer.json()["keys"][0]
    assert (key["kty"], key["crv"], key["status"], key["retiredAt"]) == ("EC", "P-256", "active", None)
    assert "alg" not in key  # JOSE has no name for signatures in DER
    assert key["kid"] == EvidencePacket.objects.values_list("signing_key_id", flat=True).first()
    assert key["pem"].startswith("-----BEGIN PUBLIC KEY-----")
    assert "d" not in key


def test_a_new_installation_shows_its_key_before_it_signed_anything(db: None) -> None:
    assert len(Client().get("/api/v1/evidence/keys").json()["keys"]) == 1


def test_retired_keys_stay_and_verify_what_is_stored(committed_db: CommittedDatabase) -> None:
    world = make_world()
    packet = world.vera.get(f"promotions/{world.approved().pk}/evidence")["data"][0]
    call_command("retire_signing_key", packet["signerKeyRef"])
    key = Client().get("/api/v1/evidence/keys").json()["keys"][0]
    assert (key["status"], key["retiredAt"] is None) == ("retired", False)
    assert world.idris.ok("POST", "evidence/verify", packet)["valid"] is True
    assert world.idris.ok("POST", "evidence/verify", packet["envelope"])["valid"] is True


def test_a_packet_as_it_was_given_out_verifies(world: World) -> None:
    packet = world.vera.get(f"promotions/{world.approved().pk}/evidence")["data"][0]
    found = world.idris.ok("POST", "evidence/verify", packet)
    assert (found["valid"], found["kind"], found["packetId"]) == (True, "packet", packet["id"])
    assert {(check["name"], check["result"]) for check in found["checks"]} == {
        ("schema", "passed"),
        ("contentHash", "passed"),
        ("manifest", "passed"),
        ("key", "passed"),
        ("signature", "passed"),
        ("stored", "passed"),
        ("record", "passed"),
        ("envelope", "passed"),
        ("auditHead", "passed"),
    }


def test_an_envelope_verifies_alone(world: World) -> None:
    packet = world.vera.get(f"promotions/{world.approved().pk}/evidence")["data"][0]
    found = world.idris.ok("POST", "evidence/verify", packet["envelope"])
    assert (found["valid"], found["kind"], found["packetId"]) == (True, "envelope", packet["id"])


def _stranger() -> World:
    """A tenant of its own with environments of the same names."""
    return make_world("other-pay", "other-")


def _checks(answer: Any) -> dict[str, str]:
    return {check["name"]: check["result"] for check in answer["checks"]}


def test_evidence_of_another_tenant_is_not_valid(world: World) -> None:
    """One key signs for all tenants, and the other tenant may ask for no approval."""
    packet = world.vera.get(f"promotions/{world.approved().pk}/evidence")["data"][0]
    stranger = _stranger().idris
    for document in (packet, packet["envelope"]):
        answer = stranger.ok("POST", "evidence/verify", document)
        checks = _checks(answer)
        assert (answer["valid"], checks["signature"], checks["stored"]) == (False, "passed", "failed")
        assert "record" not in checks
        assert checks["auditHead"] == "skipped"
        page = page_of(stranger, document)
        assert "Not valid: see which check fails." in page
        assert "Exactly this is stored" not in page


def test_what_another_tenant_stores_is_answered_as_what_nobody_stores(world: World) -> None:
    packet = world.vera.get(f"promotions/{world.approved().pk}/evidence")["data"][0]
    stranger = _stranger().idris
    stored = [stranger.ok("POST", "evidence/verify", each) for each in (packet, packet["envelope"])]
    nowhere = signed_with_id(packet, new_id())
    unknown = [stranger.ok("POST", "evidence/verify", each) for each in (nowhere, nowhere["envelope"])]
    assert [_without_ids(each) for each in stored] == [_without_ids(each) for each in unknown]


def test_what_is_not_stored_and_names_the_tenant_stays_valid(world: World) -> None:
    """The documented case of a database that was restored to an earlier moment."""
    packet = world.vera.get(f"promotions/{world.approved().pk}/evidence")["data"][0]
    nowhere = signed_with_id(packet, new_id())
    for document in (nowhere, nowhere["envelope"]):
        answer = world.idris.ok("POST", "evidence/verify", document)
        assert (answer["valid"], _checks(answer)["stored"]) == (True, "skipped")


def test_an_envelope_without_a_tenant_names_its_environment(world: World) -> None:
    """As earlier versions signed it."""
    packet = world.vera.get(f"promotions/{world.approved().pk}/evidence")["data"][0]
    statement = json.loads(base64.b64decode(packet["envelope"]["payload"]))
    assert statement["predicate"].pop("tenantId") == str(world.tenant.pk)
    statement["predicate"]["packetId"] = str(new_id())
    envelope = dsse.envelope(PAYLOAD_TYPE, canonical_bytes(statement), load())
    answer = world.idris.ok("POST", "evidence/verify", envelope)
    assert (answer["valid"], answer["tenantId"], _checks(answer)["stored"]) == (True, None, "skipped")
    answer = _stranger().idris.ok("POST", "evidence/verify", envelope)
    assert (answer["valid"], _checks(answer)["stored"]) == (False, "failed")


def test_the_answer_says_what_was_signed(world: World) -> None:
    """A denial is valid, too, and so is what was signed for another environment."""
    promotion = world.waiting()
    world.nia.ok("POST", f"promotions/{promotion.pk}/reject", {"reason": "No"})
    packet = world.vera.get(f"promotions/{promotion.pk}/evidence")["data"][0]
    production = world.environments["production"]
    for document in (packet, packet["envelope"]):
        answer = world.idris.ok("POST", "evidence/verify", document)
        assert (answer["valid"], answer["type"], answer["result"]) == (True, "release_decision", "deny")
        assert answer["environment"] == {"id": str(production.pk), "name": "production"}
        assert answer["promotion"] == {"id": str(promotion.pk), "number": promotion.number}
        assert answer["tenantId"] == str(world.tenant.pk)
        page = page_of(world.idris, document)
        assert "What was signed" in page
        assert f"production ({production.pk})" in page
        assert "<dd>deny</dd>" in page
        assert "Valid: every check passes. What was signed is a denial." in page


def test_the_answer_says_how_a_deployment_ended(world: World) -> None:
    promotion = world.approved()
    for status in ("started", "succeeded"):
        world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", {"status": status})
    world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", {"status": "rolled_back", "message": "Slow"})
    envelopes = [each["envelope"] for each in world.vera.get(f"promotions/{promotion.pk}/evidence")["data"]]
    said = [world.idris.ok("POST", "evidence/verify", each) for each in envelopes]
    assert [(each["type"], each["result"]) for each in said] == [
        ("release_decision", "allow"),
        ("deployment", "succeeded"),
        ("rollback", "rolled_back"),
    ]


@pytest.mark.parametrize(
    "content", [None, [], {"execution": 1, "decision": [], "environment": "x", "promotion": {"number": True}}]
)
def test_parts_that_are_not_there_are_null(world: World, content: Any) -> None:
    answer = world.idris.ok("POST", "evidence/verify", {"contentHash": "x", "content": content})
    assert [answer[name] for name in ("tenantId", "result", "environment", "promotion")] == [None] * 4


def test_a_changed_packet_does_not_verify(world: World) -> None:
    packet = world.vera.get(f"promotions/{world.approved().pk}/evidence")["data"][0]
    packet["content"]["actors"]["requester"]["username"] = "somebody-else"
    found = world.idris.ok("POST", "evidence/verify", packet)
    failed = {check["name"] for check in found["checks"] if check["result"] == "failed"}
    assert (found["valid"], failed) == (False, {"contentHash", "signature", "stored"})


@pytest.mark.parametrize("garbage", [{}, {"x": 1}, {"contentHash": None}, {"signatures": {}}, {"payloadType": []}])
def test_garbage_is_told_so(world: World, garbage: dict[str, Any]) -> None:
    assert world.idris.ok("POST", "evidence/verify", garbage)["valid"] is False


@pytest.mark.parametrize("raw", [b"[]", b"1", b'"x"', b"null"])
def test_what_is_no_object_is_400(world: World, raw: bytes) -> None:
    response = world.idris.call("POST", "evidence/verify", raw=raw)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "VAL_INVALID")
