"""A DSSE envelope of ours, check by check (domain.md §8)."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import orjson

from promotions.evidence import (
    CAPSULE_MEDIA_TYPE,
    CAPSULE_PREDICATE_TYPE,
    HUMAN_DECISION_MEDIA_TYPE,
    HUMAN_DECISION_PREDICATE_TYPE,
    STATEMENT_TYPE,
)
from promotions.verifying.keys import KnownKey, check_key
from promotions.verifying.parts import text
from promotions.verifying.result import Check, Verification
from promotions.verifying.stored import Record, Stored, check_stored
from stellapromote.signing import dsse
from stellapromote.signing.canonical_json import CanonicalJsonError, digest

_MOST_SIGNATURES = 20
_PREDICATES = {
    CAPSULE_MEDIA_TYPE: CAPSULE_PREDICATE_TYPE,
    HUMAN_DECISION_MEDIA_TYPE: HUMAN_DECISION_PREDICATE_TYPE,
}


def verify_envelope(envelope: Mapping[str, Any], keys: Mapping[str, KnownKey], stored: Stored) -> Verification:
    key_ids = _signers(envelope)
    key_id = next((each for each in key_ids if each in keys), key_ids[0] if key_ids else None)
    statement, schema = statement_of(envelope)
    predicate = predicate_of(statement)
    checks = [schema, _envelope_signature(envelope, keys)]
    if envelope.get("payloadType") == HUMAN_DECISION_MEDIA_TYPE:
        at = None if predicate is None else predicate.get("recordedAtUtc")
        checks.insert(1, check_key(key_id, keys, at))
        decision_id = None if predicate is None else predicate.get("id")
        checks.append(_stored_envelope(envelope, "humanDecision", decision_id, key_id, keys, stored))
        return Verification("envelope", tuple(checks), packet_type="human_decision", generated_at=text(at),
                            key_id=text(key_id))  # fmt: skip
    checks.insert(1, check_key(key_id, keys, None))
    if predicate is None:
        checks.append(Check("contentHash", "skipped", "There is no readable content."))
    else:
        checks.append(check_content_hash(predicate.get("content"), predicate.get("contentHash")))
        checks.append(_subjects(statement, predicate))
    packet_id = None if predicate is None else predicate.get("packetId")
    checks.append(_stored_envelope(envelope, "capsule", packet_id, key_id, keys, stored))
    return Verification(
        "envelope",
        tuple(checks),
        packet_id=text(packet_id),
        key_id=text(key_id),
    )


def statement_of(envelope: Mapping[str, Any]) -> tuple[Any, Check]:
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
    if statement.get("predicateType") != wanted or predicate_of(statement) is None:
        return statement, Check("schema", "failed", f"The predicate is no {wanted}.")
    what = "a promotion" if wanted == CAPSULE_PREDICATE_TYPE else "what one person decided"
    return statement, Check("schema", "passed", f"A DSSE envelope around an in-toto statement of {what}.")


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


def check_content_hash(content: Any, claimed: Any) -> Check:
    try:
        actual = digest(content)
    except CanonicalJsonError:
        return Check("contentHash", "failed", "The content has no canonical form.")
    if actual != claimed:
        return Check("contentHash", "failed", f"The content was changed: its digest is {actual}.")
    return Check("contentHash", "passed", f"The content has the digest {actual}.")
