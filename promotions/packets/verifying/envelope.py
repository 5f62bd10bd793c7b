"""A DSSE envelope of ours, check by check (domain.md §8)."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import orjson

from promotions.packets.packet import PAYLOAD_TYPE, STATEMENT_TYPE
from promotions.packets.verifying.keys import KnownKey, check_key
from promotions.packets.verifying.parts import check_content_hash, check_manifest
from promotions.packets.verifying.result import Check, Verification
from promotions.packets.verifying.said import said_by_content, said_by_person, text, type_of_content
from promotions.packets.verifying.stored import Kind, Stored, check_record, check_stored, kept
from promotions.packets.verifying.versions import ENVELOPES, EnvelopeForm
from stellapromote.signing import dsse

_MOST_SIGNATURES = 20


def verify_envelope(envelope: Mapping[str, Any], keys: Mapping[str, KnownKey], stored: Stored) -> Verification:
    key_ids = _signers(envelope)
    key_id = next((each for each in key_ids if each in keys), key_ids[0] if key_ids else None)
    statement, kind, schema = statement_of(envelope)
    predicate = predicate_of(statement) or {}
    if kind == "humanDecision":
        decided_at = predicate.get("recordedAtUtc")
        found = kept("humanDecision", predicate.get("id"), stored)
        checks = [
            schema,
            check_key(key_id, keys, decided_at),
            _envelope_signature(envelope, keys),
            check_stored(found, same=_is_same(found, envelope), key_id=key_id, keys=keys),
        ]
        return Verification(
            "envelope",
            tuple(checks),
            packet_type="human_decision",
            generated_at=text(decided_at),
            key_id=text(key_id),
            said=said_by_person(predicate),
        )
    checks = [schema, check_key(key_id, keys, None), _envelope_signature(envelope, keys)]
    content = predicate.get("content")
    if predicate:
        checks.append(check_content_hash(content, predicate.get("contentHash")))
        checks.append(check_manifest(content))
        checks.append(_subjects(statement, predicate))
    else:
        checks.append(Check("contentHash", "skipped", "There is no readable content."))
    found = kept("capsule", predicate.get("packetId"), stored)
    checks.append(check_stored(found, same=_is_same(found, envelope), key_id=key_id, keys=keys))
    form = _form(envelope)
    if found is not None and form is not None and form.names_record:
        checks.append(check_record(content, stored))
    return Verification(
        "envelope",
        tuple(checks),
        packet_id=text(predicate.get("packetId")),
        packet_type=type_of_content(content),
        key_id=text(key_id),
        said=said_by_content(predicate.get("tenantId"), content),
    )


def statement_of(envelope: Mapping[str, Any]) -> tuple[Any, Kind | None, Check]:
    """The payload as JSON, its subject, and whether the envelope is one of ours; None for an unreadable part."""
    form = _form(envelope)
    if form is None:
        return None, None, Check("schema", "failed", f"payloadType is none of {', '.join(ENVELOPES)}.")
    try:
        statement = orjson.loads(base64.b64decode(envelope["payload"], validate=True))
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None, None, Check("schema", "failed", "The payload is not JSON in base64.")
    if not isinstance(statement, Mapping) or statement.get("_type") != STATEMENT_TYPE:
        return None, None, Check("schema", "failed", f"The payload is no {STATEMENT_TYPE}.")
    kind = form.kinds.get(str(statement.get("predicateType")))
    if kind is None or predicate_of(statement) is None:
        return statement, None, Check("schema", "failed", f"The predicate is no {' and no '.join(form.kinds)}.")
    what = "a promotion" if kind == "capsule" else "what one person decided"
    return statement, kind, Check("schema", "passed", f"A DSSE envelope around an in-toto statement of {what}.")


def _form(envelope: Mapping[str, Any]) -> EnvelopeForm | None:
    payload_type = envelope.get("payloadType")
    return ENVELOPES.get(payload_type) if isinstance(payload_type, str) else None


def predicate_of(statement: Any) -> Mapping[str, Any] | None:
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
    form = _form(envelope) or ENVELOPES[PAYLOAD_TYPE]
    public_keys = {key_id: known.public_key for key_id, known in keys.items()}
    try:
        dsse.verify_envelope(envelope, public_keys, form.verify)
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


def _is_same(found: bytes | None, envelope: Mapping[str, Any]) -> bool:
    """Whether the payload, its type and our signature are the stored ones; others may have signed beside us."""
    signatures = envelope.get("signatures")
    if found is None or not isinstance(signatures, list):
        return False
    try:
        here = orjson.loads(found)
        signed = (here["payloadType"], here["payload"]) == (envelope.get("payloadType"), envelope.get("payload"))
        return signed and all(each in signatures for each in here["signatures"])
    except (KeyError, TypeError, ValueError):  # what is stored was changed
        return False
