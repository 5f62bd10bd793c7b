"""Checking a packet or envelope that somebody holds, check by check (api.md, POST /evidence/verify; ui.md).

``verify`` is pure: the document, the public keys and what is stored in, findings out, whatever the document is. API and
page share it.

Of a retired key only what is stored here holds: whoever has that key now can write any time into what they sign, and
cannot write into the append-only tables (docs/adr/0111).
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from promotions.evidence import (
    CAPSULE_MEDIA_TYPE,
    CAPSULE_PREDICATE_TYPE,
    HUMAN_DECISION_MEDIA_TYPE,
    HUMAN_DECISION_PREDICATE_TYPE,
    PACKET_SCHEMA,
    PACKET_VERSION,
    SIGNATURE_ALGORITHM,
    STATEMENT_TYPE,
)
from promotions.models import EvidencePacket, Override, PublicSigningKey
from stellapromote.clock import parse_rfc3339, rfc3339
from stellapromote.signing import dsse, keyring
from stellapromote.signing.canonical_json import CanonicalJsonError, canonical_bytes, digest
from stellapromote.signing.signatures import verify_es256

Result = Literal["passed", "failed", "skipped"]
Record = Literal["packet", "capsule", "humanDecision"]
Stored = Callable[[Record, str], bytes | None]
"""What is stored under an id: the document of a packet, or the envelope of a packet or of a human decision."""

_PACKET_FIELDS = frozenset(
    {
        "schema",
        "id",
        "version",
        "type",
        "tenantId",
        "generatedAt",
        "generatorVersion",
        "content",
        "contentHash",
        "signatureAlgorithm",
        "signerKeyRef",
        "signature",
    }
)
_TYPES = frozenset(EvidencePacket.Type.values)
_MOST_SIGNATURES = 20
_PREDICATES = {
    CAPSULE_MEDIA_TYPE: CAPSULE_PREDICATE_TYPE,
    HUMAN_DECISION_MEDIA_TYPE: HUMAN_DECISION_PREDICATE_TYPE,
}


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A public key of this installation; a retired one still verifies what it signed before."""

    public_key: EllipticCurvePublicKey
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: `schema`, `key`, `signature`, `contentHash`, `subjects`, `stored`, `envelope`."""

    name: str
    result: Result
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """``valid`` when nothing failed and a signature was verified; ``complete`` when every check passed, too.

    The rest says what the document claims to be.
    """

    kind: Literal["packet", "envelope", "unknown"]
    checks: tuple[Check, ...]
    packet_id: str | None = None
    packet_type: str | None = None
    generated_at: str | None = None
    key_id: str | None = None

    @property
    def valid(self) -> bool:
        signed = any(check.name == "signature" and check.result == "passed" for check in self.checks)
        return signed and all(check.result != "failed" for check in self.checks)

    @property
    def complete(self) -> bool:
        return self.valid and all(check.result == "passed" for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """The result in wire names."""
        return {
            "valid": self.valid,
            "kind": self.kind,
            "packetId": self.packet_id,
            "type": self.packet_type,
            "generatedAt": self.generated_at,
            "keyId": self.key_id,
            "checks": [{"name": check.name, "result": check.result, "message": check.message} for check in self.checks],
        }


def known_keys() -> dict[str, KnownKey]:
    """Every key this installation ever signed with, by id. One statement."""
    return {
        row.key_id: KnownKey(keyring.public_key_from_pem(row.pem), row.retired_at)
        for row in PublicSigningKey.objects.all()
    }


_FIELDS: Final[dict[Record, tuple[type[EvidencePacket] | type[Override], str]]] = {
    "packet": (EvidencePacket, "document"),
    "capsule": (EvidencePacket, "envelope"),
    "humanDecision": (Override, "envelope"),
}


def stored_here(record: Record, record_id: str) -> bytes | None:
    """The bytes under this id, in whichever tenant: who asks has the document. Cost: one statement."""
    try:
        wanted = UUID(record_id)
    except ValueError:
        return None
    model, field = _FIELDS[record]
    found = model.objects.filter(pk=wanted).values_list(field, flat=True).first()
    return None if found is None else bytes(found)


def verify(document: Any, keys: Mapping[str, KnownKey], stored: Stored) -> Verification:
    """Checks a packet (with its ``envelope`` or without) or a DSSE envelope; never raises, whatever the document is."""
    if not isinstance(document, Mapping):
        return _unknown("This is no JSON object.")
    if "payloadType" in document or "signatures" in document:
        return _verify_envelope(document, keys, stored)
    if "contentHash" in document or "signerKeyRef" in document:
        return _verify_packet(document, keys, stored)
    return _unknown("This is neither an evidence packet nor a DSSE envelope.")


def _unknown(message: str) -> Verification:
    return Verification("unknown", (Check("schema", "failed", message),))


def _verify_packet(document: Mapping[str, Any], keys: Mapping[str, KnownKey], stored: Stored) -> Verification:
    packet = {name: value for name, value in document.items() if name != "envelope"}
    checks = [
        _packet_schema(packet),
        _content_hash(packet.get("content"), packet.get("contentHash")),
        _key(packet.get("signerKeyRef"), keys, packet.get("generatedAt")),
        _packet_signature(packet, keys),
        _stored_packet(packet, keys, stored),
    ]
    if "envelope" in document:
        checks.append(_same_envelope(packet, document["envelope"], keys, stored))
    return Verification(
        "packet",
        tuple(checks),
        packet_id=_text(packet.get("id")),
        packet_type=_text(packet.get("type")),
        generated_at=_text(packet.get("generatedAt")),
        key_id=_text(packet.get("signerKeyRef")),
    )


def _packet_schema(packet: Mapping[str, Any]) -> Check:
    missing = sorted(_PACKET_FIELDS - packet.keys())
    unknown = sorted(str(name)[:60] for name in packet.keys() - _PACKET_FIELDS)
    if missing or unknown:
        problems = [f"missing: {', '.join(missing)}"] if missing else []
        problems += [f"not part of a packet: {', '.join(unknown[:10])}"] if unknown else []
        return Check("schema", "failed", f"The packet is not complete: {'; '.join(problems)}.")
    expected = {"schema": PACKET_SCHEMA, "version": PACKET_VERSION, "signatureAlgorithm": SIGNATURE_ALGORITHM}
    for name, value in expected.items():
        if packet[name] != value:
            return Check("schema", "failed", f"{name} is not {value}.")
    if not isinstance(packet["type"], str) or packet["type"] not in _TYPES:
        return Check("schema", "failed", f"type is none of {', '.join(sorted(_TYPES))}.")
    if not isinstance(packet["content"], Mapping):
        return Check("schema", "failed", "content is no object.")
    if _instant(packet["generatedAt"]) is None:
        return Check("schema", "failed", "generatedAt is no RFC 3339 time.")
    return Check("schema", "passed", f"A {packet['type']} packet, version {PACKET_VERSION}.")


def _content_hash(content: Any, claimed: Any) -> Check:
    try:
        actual = digest(content)
    except CanonicalJsonError:
        return Check("contentHash", "failed", "The content has no canonical form.")
    if actual != claimed:
        return Check("contentHash", "failed", f"The content was changed: its digest is {actual}.")
    return Check("contentHash", "passed", f"The content has the digest {actual}.")


def _key(key_id: Any, keys: Mapping[str, KnownKey], generated_at: Any) -> Check:
    known = keys.get(key_id) if isinstance(key_id, str) else None
    if known is None:
        return Check("key", "failed", "This installation never signed with the key that is named.")
    if known.retired_at is None:
        return Check("key", "passed", f"{key_id} is an active key of this installation.")
    at = _instant(generated_at)
    retired = rfc3339(known.retired_at)
    if at is not None and at > known.retired_at:
        return Check("key", "failed", f"{key_id} was retired at {retired}, before this was generated.")
    return Check("key", "passed", f"{key_id} is a key of this installation, retired at {retired}.")


def _stored_packet(packet: Mapping[str, Any], keys: Mapping[str, KnownKey], stored: Stored) -> Check:
    packet_id = packet.get("id")
    kept = stored("packet", packet_id) if isinstance(packet_id, str) else None
    try:
        same = kept is not None and kept == canonical_bytes(packet)
    except CanonicalJsonError:
        same = False
    return _stored(same, packet.get("signerKeyRef"), keys)


def _stored_envelope(
    envelope: Mapping[str, Any],
    record: Record,
    record_id: Any,
    key_id: Any,
    keys: Mapping[str, KnownKey],
    stored: Stored,
) -> Check:
    """The payload is the stored one, whatever stands around it."""
    kept = stored(record, record_id) if isinstance(record_id, str) else None
    same = kept is not None and orjson.loads(kept)["payload"] == envelope.get("payload")
    return _stored(same, key_id, keys)


def _stored(same: bool, key_id: Any, keys: Mapping[str, KnownKey]) -> Check:
    if same:
        return Check("stored", "passed", "Exactly this is stored in this installation, where nothing is changed.")
    known = keys.get(key_id) if isinstance(key_id, str) else None
    if known is not None and known.retired_at is not None:
        return Check("stored", "failed", "This is not stored here, and of a retired key only what is stored holds.")
    return Check("stored", "skipped", "This is not stored here: ask where it comes from, and who has the key.")


def _packet_signature(packet: Mapping[str, Any], keys: Mapping[str, KnownKey]) -> Check:
    key_id = packet.get("signerKeyRef")
    known = keys.get(key_id) if isinstance(key_id, str) else None
    if known is None:
        return Check("signature", "skipped", "Without a known key the signature cannot be checked.")
    try:
        signature = base64.b64decode(packet["signature"], validate=True)
        signed = canonical_bytes({name: value for name, value in packet.items() if name != "signature"})
    except (CanonicalJsonError, KeyError, TypeError, ValueError, binascii.Error):
        return Check("signature", "failed", "The signature, or what it signs, cannot be read.")
    if not verify_es256(known.public_key, signed, signature):
        return Check("signature", "failed", "The signature does not fit the packet: one of them was changed.")
    return Check("signature", "passed", "The signature fits every byte of the packet.")


def _verify_envelope(envelope: Mapping[str, Any], keys: Mapping[str, KnownKey], stored: Stored) -> Verification:
    key_ids = _signers(envelope)
    key_id = next((each for each in key_ids if each in keys), key_ids[0] if key_ids else None)
    statement, schema = _statement(envelope)
    predicate = _predicate(statement)
    checks = [schema, _envelope_signature(envelope, keys)]
    if envelope.get("payloadType") == HUMAN_DECISION_MEDIA_TYPE:
        at = None if predicate is None else predicate.get("recordedAtUtc")
        checks.insert(1, _key(key_id, keys, at))
        decision_id = None if predicate is None else predicate.get("id")
        checks.append(_stored_envelope(envelope, "humanDecision", decision_id, key_id, keys, stored))
        return Verification("envelope", tuple(checks), packet_type="human_decision", generated_at=_text(at),
                            key_id=_text(key_id))  # fmt: skip
    checks.insert(1, _key(key_id, keys, None))
    if predicate is None:
        checks.append(Check("contentHash", "skipped", "There is no readable content."))
    else:
        checks.append(_content_hash(predicate.get("content"), predicate.get("contentHash")))
        checks.append(_subjects(statement, predicate))
    packet_id = None if predicate is None else predicate.get("packetId")
    checks.append(_stored_envelope(envelope, "capsule", packet_id, key_id, keys, stored))
    return Verification(
        "envelope",
        tuple(checks),
        packet_id=_text(packet_id),
        key_id=_text(key_id),
    )


def _statement(envelope: Mapping[str, Any]) -> tuple[Any, Check]:
    """The payload as JSON, or None, and whether the envelope is one of ours."""
    wanted = _PREDICATES.get(str(envelope.get("payloadType")))
    if wanted is None:
        return None, Check("schema", "failed", f"payloadType is none of {', '.join(_PREDICATES)}.")
    try:
        statement = orjson.loads(base64.b64decode(envelope["payload"], validate=True))
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None, Check("schema", "failed", "The payload is not JSON in base64.")
    if not isinstance(statement, Mapping) or statement.get("_type") != STATEMENT_TYPE:
        return None, Check("schema", "failed", f"The payload is no {STATEMENT_TYPE}.")
    if statement.get("predicateType") != wanted or _predicate(statement) is None:
        return statement, Check("schema", "failed", f"The predicate is no {wanted}.")
    what = "a promotion" if wanted == CAPSULE_PREDICATE_TYPE else "what one person decided"
    return statement, Check("schema", "passed", f"A DSSE envelope around an in-toto statement of {what}.")


def _predicate(statement: Any) -> Mapping[str, Any] | None:
    predicate = statement.get("predicate") if isinstance(statement, Mapping) else None
    return predicate if isinstance(predicate, Mapping) else None


def _signers(envelope: Mapping[str, Any]) -> list[str]:
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list):
        return []
    found = [each.get("keyid") for each in signatures[:_MOST_SIGNATURES] if isinstance(each, Mapping)]
    return [each for each in found if isinstance(each, str)]


def _envelope_signature(envelope: Mapping[str, Any], keys: Mapping[str, KnownKey]) -> Check:
    signatures = envelope.get("signatures")
    if isinstance(signatures, list) and len(signatures) > _MOST_SIGNATURES:
        return Check("signature", "failed", f"There are more than {_MOST_SIGNATURES} signatures.")
    try:
        dsse.verify_envelope(envelope, {key_id: known.public_key for key_id, known in keys.items()})
    except dsse.EnvelopeRejected as rejected:
        return Check("signature", "failed", f"{rejected}.".capitalize())
    return Check("signature", "passed", "The signature fits the payload and its type.")


def _subjects(statement: Any, predicate: Mapping[str, Any]) -> Check:
    """The statement's subjects are the components that its content names."""
    try:
        components = [
            (each["imageRepository"], each["digest"].removeprefix("sha256:"))
            for each in predicate["content"]["release"]["components"]
        ]
        subjects = [(each["name"], each["digest"]["sha256"]) for each in statement["subject"]]
    except (AttributeError, KeyError, TypeError):
        return Check("subjects", "failed", "The subjects or the components cannot be read.")
    if components != subjects:
        return Check("subjects", "failed", "The subjects are not the components of the content.")
    return Check("subjects", "passed", f"{len(subjects)} subjects, the components of the release.")


def _same_envelope(packet: Mapping[str, Any], envelope: Any, keys: Mapping[str, KnownKey], stored: Stored) -> Check:
    """The envelope beside a packet holds, and says the same."""
    if not isinstance(envelope, Mapping):
        return Check("envelope", "failed", "The envelope is no object.")
    inside = _verify_envelope(envelope, keys, stored)
    failed = next((check for check in inside.checks if check.result == "failed"), None)
    if failed is not None:
        return Check("envelope", "failed", f"The envelope does not hold ({failed.name}): {failed.message}")
    statement, _ = _statement(envelope)
    predicate = _predicate(statement)
    same = predicate is not None and (predicate.get("packetId"), predicate.get("contentHash")) == (
        packet.get("id"),
        packet.get("contentHash"),
    )
    if not same:
        return Check("envelope", "failed", "The envelope is that of another packet.")
    return Check("envelope", "passed", "The DSSE envelope holds, for the same content.")


def _instant(value: Any) -> datetime | None:
    try:
        return parse_rfc3339(value)
    except (TypeError, ValueError):
        return None


def _text(value: Any) -> str | None:
    return value[:200] if isinstance(value, str) else None
