"""A DSSE envelope of ours, check by check (domain.md §8)."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import orjson

from promotions.evidence import PAYLOAD_TYPE, STATEMENT_TYPE
from promotions.verifying.keys import KnownKey, check_key
from promotions.verifying.parts import check_content_hash, check_manifest, text
from promotions.verifying.result import Check, Verification
from promotions.verifying.stored import Record, Stored, check_stored
from promotions.verifying.versions import ENVELOPES, EnvelopeForm
from stellapromote.signing import dsse

_MOST_SIGNATURES = 20


def verify_envelope(envelope: Mapping[str, Any], keys: Mapping[str, KnownKey], stored: Stored) -> Verification:
    key_ids = _signers(envelope)
    key_id = next((each for each in key_ids if each in keys), key_ids[0] if key_ids else None)
    statement, record, schema = statement_of(envelope)
    predicate = predicate_of(statement) or {}
    decides = record == "humanDecision"
    at = predicate.get("recordedAtUtc") if decides else None
    checks = [schema, check_key(key_id, keys, at), _envelope_signature(envelope, keys)]
    if decides:
        checks.append(_stored_envelope(envelope, "humanDecision", predicate.get("id"), key_id, keys, stored))
        return Verification(
            "envelope", tuple(checks), packet_type="human_decision", generated_at=text(at), key_id=text(key_id)
        )
    if predicate:
        checks.append(check_content_hash(predicate.get("content"), predicate.get("contentHash")))
        checks.append(check_manifest(predicate.get("content")))
        checks.append(_subjects(statement, predicate))
    else:
        checks.append(Check("contentHash", "skipped", "There is no readable content."))
    checks.append(_stored_envelope(envelope, "capsule", predicate.get("packetId"), key_id, keys, stored))
    return Verification("envelope", tuple(checks), packet_id=text(predicate.get("packetId")), key_id=text(key_id))


def statement_of(envelope: Mapping[str, Any]) -> tuple[Any, Record | None, Check]:
    """The payload as JSON, what it is about, and whether the envelope is one of ours; None for what cannot be read."""
    form = _form(envelope)
    if form is None:
        return None, None, Check("schema", "failed", f"payloadType is none of {', '.join(ENVELOPES)}.")
    try:
        statement = orjson.loads(base64.b64decode(envelope["payload"], validate=True))
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None, None, Check("schema", "failed", "The payload is not JSON in base64.")
    if not isinstance(statement, Mapping) or statement.get("_type") != STATEMENT_TYPE:
        return None, None, Check("schema", "failed", f"The payload is no {STATEMENT_TYPE}.")
    record = form.records.get(str(statement.get("predicateType")))
    if record is None or predicate_of(statement) is None:
        return statement, None, Check("schema", "failed", f"The predicate is no {' and no '.join(form.records)}.")
    what = "a promotion" if record == "capsule" else "what one person decided"
    return statement, record, Check("schema", "passed", f"A DSSE envelope around an in-toto statement of {what}.")


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
    return check_stored(same, key_id, keys)
