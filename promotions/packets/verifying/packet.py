"""An evidence packet, check by check (domain.md §8)."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from promotions.models import EvidencePacket
from promotions.packets.packet import PACKET_SCHEMA, PACKET_VERSION
from promotions.packets.verifying.envelope import predicate_of, statement_of, verify_envelope
from promotions.packets.verifying.keys import KnownKey, check_key
from promotions.packets.verifying.parts import check_content_hash, check_manifest, instant
from promotions.packets.verifying.result import Check, Verification
from promotions.packets.verifying.said import said_by_content, text
from promotions.packets.verifying.stored import Stored, check_record, check_stored, kept
from promotions.packets.verifying.versions import PACKETS, PacketForm
from stellapromote.signing.canonical_json import CanonicalJsonError, canonical_bytes

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


def verify_packet(document: Mapping[str, Any], keys: Mapping[str, KnownKey], stored: Stored) -> Verification:
    packet = {name: value for name, value in document.items() if name != "envelope"}
    checks = [
        _packet_schema(packet),
        check_content_hash(packet.get("content"), packet.get("contentHash")),
        check_manifest(packet.get("content")),
        check_key(packet.get("signerKeyRef"), keys, packet.get("generatedAt"), tenant_id=text(packet.get("tenantId"))),
        _packet_signature(packet, keys),
    ]
    found = kept("packet", packet.get("id"), stored)
    same = found is not None and found == _canonical(packet)
    checks.append(check_stored(found, same=same, key_id=packet.get("signerKeyRef"), keys=keys))
    form = _form(packet)
    if found is not None and form is not None and form.names_record:
        checks.append(check_record(packet.get("content"), stored))
    if "envelope" in document:
        checks.append(_same_envelope(packet, document["envelope"], keys, stored))
    return Verification(
        "packet",
        tuple(checks),
        packet_id=text(packet.get("id")),
        packet_type=text(packet.get("type")),
        generated_at=text(packet.get("generatedAt")),
        key_id=text(packet.get("signerKeyRef")),
        said=said_by_content(packet.get("tenantId"), packet.get("content")),
    )


def signature_fits(packet: Mapping[str, Any], keys: Mapping[str, KnownKey]) -> bool:
    """Whether a key of this installation signed exactly this packet."""
    return _packet_signature(packet, keys).result == "passed"


def _packet_schema(packet: Mapping[str, Any]) -> Check:
    missing = sorted(_PACKET_FIELDS - packet.keys())
    unknown = sorted(str(name)[:60] for name in packet.keys() - _PACKET_FIELDS)
    if missing or unknown:
        problems = [f"missing: {', '.join(missing)}"] if missing else []
        problems += [f"not part of a packet: {', '.join(unknown[:10])}"] if unknown else []
        return Check("schema", "failed", f"The packet is not complete: {'; '.join(problems)}.")
    if packet["schema"] != PACKET_SCHEMA:
        return Check("schema", "failed", f"schema is not {PACKET_SCHEMA}.")
    form = _form(packet)
    if form is None:
        return Check("schema", "failed", f"version is none of {', '.join(PACKETS)}.")
    if packet["signatureAlgorithm"] != form.algorithm:
        return Check(
            "schema", "failed", f"signatureAlgorithm is not {form.algorithm}, as in version {packet['version']}."
        )
    if not isinstance(packet["type"], str) or packet["type"] not in _TYPES:
        return Check("schema", "failed", f"type is none of {', '.join(sorted(_TYPES))}.")
    if not isinstance(packet["content"], Mapping):
        return Check("schema", "failed", "content is no object.")
    if instant(packet["generatedAt"]) is None:
        return Check("schema", "failed", "generatedAt is no RFC 3339 time.")
    return Check("schema", "passed", f"A {packet['type']} packet, version {packet['version']}.")


def _form(packet: Mapping[str, Any]) -> PacketForm | None:
    version = packet.get("version")
    return PACKETS.get(version) if isinstance(version, str) else None


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
    form = _form(packet) or PACKETS[PACKET_VERSION]
    canonical = base64.b64encode(signature).decode("ascii") == packet["signature"]
    if not canonical or not form.verify(known.public_key, signed, signature):
        return Check("signature", "failed", "The signature does not fit the packet: one of them was changed.")
    return Check("signature", "passed", "The signature fits every byte of the packet.")


def _canonical(packet: Mapping[str, Any]) -> bytes | None:
    try:
        return canonical_bytes(packet)
    except CanonicalJsonError:
        return None


def _same_envelope(packet: Mapping[str, Any], envelope: Any, keys: Mapping[str, KnownKey], stored: Stored) -> Check:
    """The envelope beside a packet holds, and says the same; the record is a check of the packet."""
    if not isinstance(envelope, Mapping):
        return Check("envelope", "failed", "The envelope is no object.")
    inside = verify_envelope(envelope, keys, stored)
    failed = next((check for check in inside.checks if check.result == "failed" and check.name != "record"), None)
    if failed is not None:
        return Check("envelope", "failed", f"The envelope does not hold ({failed.name}): {failed.message}")
    statement, kind, _ = statement_of(envelope)
    predicate = predicate_of(statement) or {}
    about = (kind, predicate.get("packetId"), predicate.get("contentHash"))
    if about != ("capsule", packet.get("id"), packet.get("contentHash")):
        return Check("envelope", "failed", "The envelope is that of another packet.")
    if predicate.get("tenantId", packet.get("tenantId")) != packet.get("tenantId"):
        return Check("envelope", "failed", "The envelope names another tenant than the packet.")
    return Check("envelope", "passed", "The DSSE envelope holds, for the same content.")
