"""Evidence packets and their DSSE envelopes: signed bytes are the stored bytes (domain.md §8). Pure but for the key."""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from stellapromote import VERSION
from stellapromote.clock import rfc3339
from stellapromote.signing import dsse
from stellapromote.signing.canonical_json import canonical_bytes, digest, written
from stellapromote.signing.keyring import SigningKey

PACKET_SCHEMA = "stella.evidence-packet/v1"
PACKET_VERSION = "1.1"
SIGNATURE_ALGORITHM = "ecdsa-p256-sha256-der"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
CAPSULE_SCHEMA = "stella.ops/promotionCapsule@v1"
CAPSULE_PREDICATE_TYPE = "https://stella.ops/promotionCapsule/v1"
HUMAN_DECISION_SCHEMA = "stella.human-decision/v1"
HUMAN_DECISION_PREDICATE_TYPE = "https://stella.ops/humanDecision/v1"


@dataclass(frozen=True, slots=True)
class SignedPacket:
    """``document``: canonical bytes of the packet with its signature. ``envelope``: JSON bytes of the DSSE envelope."""

    document: bytes
    envelope: bytes
    content_hash: str


def sign_packet(
    *,
    packet_id: UUID,
    packet_type: str,
    tenant_id: UUID,
    generated_at: datetime,
    content: dict[str, Any],
    key: SigningKey,
) -> SignedPacket:
    """Signs before anything is stored. ``content`` begins with its schema and names ``components`` by digest."""
    part = written(content)
    content_hash = digest(part)
    unsigned = {
        "schema": PACKET_SCHEMA,
        "id": str(packet_id),
        "version": PACKET_VERSION,
        "type": packet_type,
        "tenantId": str(tenant_id),
        "generatedAt": rfc3339(generated_at),
        "generatorVersion": VERSION,
        "content": part,
        "contentHash": content_hash,
        "signatureAlgorithm": SIGNATURE_ALGORITHM,
        "signerKeyRef": key.key_id,
    }
    signature = base64.b64encode(key.sign(canonical_bytes(unsigned))).decode("ascii")
    predicate = {
        "schema": CAPSULE_SCHEMA,
        "packetId": str(packet_id),
        "tenantId": str(tenant_id),
        "contentHash": content_hash,
        "content": part,
    }
    return SignedPacket(
        document=canonical_bytes({**unsigned, "signature": signature}),
        envelope=_envelope(CAPSULE_PREDICATE_TYPE, predicate, content["release"]["components"], key),
        content_hash=content_hash,
    )


def sign_human_decision(predicate: dict[str, Any], *, components: list[dict[str, Any]], key: SigningKey) -> bytes:
    """JSON bytes of the DSSE envelope around what one person decided alone (domain.md §8, human_decision).

    ``predicate`` has decisionId, promotionId, requestId, actorId, decision, reason, ticket, expiresAtUtc and
    recordedAtUtc; the statement's subjects are the components of the release, as in a packet's envelope.
    """
    return _envelope(HUMAN_DECISION_PREDICATE_TYPE, {"schema": HUMAN_DECISION_SCHEMA, **predicate}, components, key)


def _envelope(
    predicate_type: str, predicate: dict[str, Any], components: list[dict[str, Any]], key: SigningKey
) -> bytes:
    """JSON bytes of the DSSE envelope around an in-toto statement about these components."""
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": _subjects(components),
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return orjson.dumps(dsse.envelope(PAYLOAD_TYPE, canonical_bytes(statement), key))


def _subjects(components: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"name": component["imageRepository"], "digest": {"sha256": component["digest"].removeprefix("sha256:")}}
        for component in components
    ]
