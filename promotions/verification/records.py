"""Decision records and their inputs: every byte, the rows beside them, the digests that were signed or noted."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from promotions.documents.blobs import blobs
from promotions.models import DecisionRecord, Promotion
from promotions.verification.audited import GONE
from promotions.verification.differences import first_difference
from promotions.verification.mismatch import Mismatch, MismatchKind
from promotions.verification.record_again import difference_made_again, evaluation_of
from promotions.verification.record_rows import difference_in_rows
from promotions.verification.stored_promotions import StoredPromotion
from stellapromote.clock import rfc3339
from stellapromote.signing.canonical_json import digest_bytes

UNREADABLE: Final = (AttributeError, LookupError, TypeError, ValueError)


def check_records(stored_promotion: StoredPromotion) -> Iterator[Mismatch]:
    """One finding for each record at most, its first; and the place of a record that is missing."""
    expected = 1
    before: DecisionRecord | None = None
    for record in stored_promotion.records:
        if record.sequence != expected:
            yield Mismatch(
                MismatchKind.RECORD_CHANGED, f"record {expected}", "The record is missing: they count without a gap."
            )
            expected = record.sequence
        expected += 1
        yield from _check(stored_promotion, record, before)
        before = record
    yield from _check_noted(stored_promotion)


def _check(
    stored_promotion: StoredPromotion, record: DecisionRecord, before: DecisionRecord | None
) -> Iterator[Mismatch]:
    place = f"record {record.sequence}"
    try:
        stored, gate_input = orjson.loads(bytes(record.document)), orjson.loads(bytes(record.input))
        if digest_bytes(bytes(record.input)) != stored["inputDigest"]:
            yield Mismatch(
                MismatchKind.INPUT_CHANGED, place, f"Its input should have the digest {stored['inputDigest']}."
            )
            return
        difference = (
            difference_made_again(record, stored, gate_input, _bundle(gate_input), evaluation_of(stored))
            or difference_in_rows(record, stored, gate_input, stored_promotion.rows)
            or _request_difference(stored_promotion.promotion, gate_input)
            or _failing_otherwise(before, gate_input)
        )
    except UNREADABLE:
        yield Mismatch(MismatchKind.RECORD_CHANGED, place, "The record or its input cannot be read.")
        return
    noted = stored_promotion.noted_digests.get(str(record.pk))
    if difference is not None:
        message = f"{difference} does not fit its input or the rows that it tells of."
        yield Mismatch(MismatchKind.RECORD_CHANGED, f"{place}, {difference}", message)
    elif noted is not None and noted != {digest_bytes(bytes(record.document))}:
        message = f"The audit log holds another digest of its bytes: {', '.join(sorted(noted))}."
        yield Mismatch(MismatchKind.RECORD_CHANGED, place, message)


def _check_noted(stored_promotion: StoredPromotion) -> Iterator[Mismatch]:
    """The audit log has each record from the first that it has, and each that it has is stored."""
    noted, sequences = (
        stored_promotion.noted_digests,
        {str(record.pk): record.sequence for record in stored_promotion.records},
    )
    for record_id in sorted(noted.keys() - sequences.keys()):
        yield Mismatch(MismatchKind.RECORD_CHANGED, f"record {record_id}", GONE)
    first = min((sequences[record_id] for record_id in noted if record_id in sequences), default=None)
    for record_id, sequence in sequences.items():
        if first is not None and sequence > first and record_id not in noted:
            message = "No event of the audit log tells of it: it was not judged here."
            yield Mismatch(MismatchKind.RECORD_CHANGED, f"record {sequence}", message)


def _bundle(gate_input: Mapping[str, Any]) -> dict[str, Any] | None:
    evidence = gate_input.get("evidence")
    if evidence is None:
        return None
    digest = evidence["bundleDigest"]
    bundle: dict[str, Any] = orjson.loads(blobs([digest])[digest])
    return bundle


def _request_difference(promotion: Promotion, gate_input: Mapping[str, Any]) -> str | None:
    """A request never changes, so every input agrees with the row of the promotion."""
    requirements = orjson.loads(bytes(promotion.requirements))
    del requirements["schema"]
    source, target = promotion.source_environment, promotion.target_environment
    asked = {
        "promotion": {
            "id": str(promotion.pk),
            "number": promotion.number,
            "product": promotion.product,
            "isRollback": promotion.is_rollback,
            "requestedAt": rfc3339(promotion.requested_at),
            "requestedById": str(promotion.requested_by_id),
            "change": promotion.change,
        },
        "release": {"id": str(promotion.release_id), "name": promotion.release.name},
        "source": None if source is None else {"id": str(source.pk), "name": source.name},
        "target": {"id": str(target.pk), "name": target.name},
        "subject": {"manifestDigest": promotion.manifest_digest},
        "requirements": requirements,
        "requirementsDigest": promotion.requirements_digest,
    }
    told = {name: part(value, asked[name]) for name, value in gate_input.items() if name in asked}
    if digest_bytes(bytes(promotion.requirements)) != promotion.requirements_digest:
        return "requirementsDigest"
    return first_difference(told, asked)


def failing_since(gate: Mapping[str, Any]) -> str | None:
    """Since when a judged gate fails that may be overridden."""
    possible = gate["details"].get("overridePossible")
    return None if possible is None else possible["since"]


def _failing_otherwise(before: DecisionRecord | None, gate_input: Mapping[str, Any]) -> str | None:
    """Since when a gate fails is what the record before said: until when it may be overridden counts from there."""
    told = gate_input.get("failingSince")
    if told is None:
        return None
    gates = [] if before is None else orjson.loads(bytes(before.document))["gates"]
    since = {gate["name"]: at for gate in gates if (at := failing_since(gate)) is not None}
    return first_difference({"failingSince": told}, {"failingSince": since})


def part(value: Any, like: Any) -> Any:
    """Of an object the fields that another has, at any depth; anything else as it is."""
    if isinstance(value, dict) and isinstance(like, dict):
        return {name: part(each, like[name]) for name, each in value.items() if name in like}
    return value
