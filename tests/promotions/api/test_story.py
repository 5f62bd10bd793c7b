"""The curl story of the issue's Done-when, through HTTP alone."""

import base64
import json
from typing import Any

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.test import Client
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from tests.promotions.api.world import World


def _keys() -> dict[str, Any]:
    found = json.loads(Client().get("/api/v1/evidence/keys").content)["keys"]
    return {key["kid"]: key for key in found}


def test_from_release_to_running_in_production(world: World) -> None:
    digest = "sha256:" + "ab" * 32
    release = world.ravi.ok(
        "POST",
        "releases",
        {
            "name": "2026.47.1",
            "components": [{"name": "api", "imageRepository": "registry.example/kestrel/api", "digest": digest}],
            "finalize": True,
        },
        status=201,
    )
    assert release["manifestDigest"].startswith("sha256:")

    wish = {"releaseName": "2026.47.1", "targetEnvironment": "production", "reason": "Month end"}
    assert world.ravi.refused("POST", "promotions", wish) == (422, "PROM_SEQUENCE_VIOLATION")

    for target in ("dev", "staging"):
        body = {"releaseId": release["id"], "targetEnvironment": target, "reason": "Month end"}
        promotion = world.tomas.ok("POST", "promotions", body, status=201)
        if promotion["status"] != "approved":
            world.nia.ok("POST", f"promotions/{promotion['id']}/approve", {})
        for status in ("started", "succeeded"):
            world.ci.ok("POST", f"promotions/{promotion['id']}/deployment", {"status": status})

    promotion = world.ravi.ok("POST", "promotions", wish, status=201)
    place = f"promotions/{promotion['id']}"
    seen = {"subjectDigest": promotion["subjectDigest"]}
    assert promotion["status"] == "awaiting_approval"
    assert world.ravi.refused("POST", f"{place}/approve", {}) == (403, "PERM_SEPARATION_OF_DUTIES")
    assert world.nia.ok("POST", f"{place}/approve", {"comment": "Looks right"})["status"] == "awaiting_approval"
    assert world.mei.ok("POST", f"{place}/approve", seen)["status"] == "approved"

    first, second = (world.vera.call("GET", f"{place}/decision") for _ in range(2))
    assert first.content == second.content
    record = json.loads(first.content)
    assert record["decision"] == "allow"
    assert record["policyDigest"].startswith("sha256:")
    packets = world.vera.get(f"{place}/evidence")["data"]
    assert record["evidence"]["packetId"] == packets[0]["id"]
    replayed = world.idris.ok("POST", f"{place}/decision/replay", {})
    assert replayed["equal"] is True

    assert world.ci.ok("POST", f"{place}/deployment", {"status": "started"})["status"] == "deploying"
    assert world.ci.ok("POST", f"{place}/deployment", {"status": "succeeded"})["status"] == "deployed"
    where = world.vera.get(f"releases/{release['id']}")["deployments"]
    assert [(each["environmentName"], each["current"]) for each in where] == [
        ("dev", True),
        ("staging", True),
        ("production", True),
    ]


def test_the_packet_verifies_with_another_library(world: World) -> None:
    """cryptography's DER verifier over rfc8785's bytes, with the PEM of /evidence/keys: nothing of ours."""
    packet = world.vera.get(f"promotions/{world.approved().pk}/evidence")["data"][0]
    key = load_pem_public_key(_keys()[packet["signerKeyRef"]]["pem"].encode())
    assert isinstance(key, EllipticCurvePublicKey)
    signature = base64.b64decode(packet.pop("signature"))
    packet.pop("envelope")

    key.verify(signature, rfc8785.dumps(packet), ECDSA(SHA256()))

    packet["content"]["release"]["name"] += "x"
    with pytest.raises(InvalidSignature):
        key.verify(signature, rfc8785.dumps(packet), ECDSA(SHA256()))


def test_the_untouched_envelope_verifies_with_securesystemslib(world: World) -> None:
    packet = world.vera.get(f"promotions/{world.approved().pk}/evidence")["data"][0]
    key_id = packet["signerKeyRef"]
    crypto = load_pem_public_key(_keys()[key_id]["pem"].encode())
    key = SSlibKey.from_crypto(crypto, keyid=key_id, scheme="ecdsa-sha2-nistp256")
    envelope = Envelope.from_dict(packet["envelope"])

    assert set(envelope.verify([key], 1)) == {key_id}

    assert envelope.payload_type == "application/vnd.in-toto+json"
    statement = json.loads(envelope.payload)
    assert statement["predicateType"] == "https://stella.ops/promotionCapsule/v1"
    assert statement["predicate"]["contentHash"] == packet["contentHash"]
    assert [each["name"] for each in statement["subject"]] == ["registry.example/kestrel/api"]
