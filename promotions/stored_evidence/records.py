"""Decision records and their inputs: every byte, the rows beside them, the digests that were signed or noted."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from promotions.blobs import blobs
from promotions.differences import first_difference
from promotions.models import DecisionRecord, Promotion
from promotions.record_again import difference_made_again, evaluation_of
from promotions.record_rows import difference_in_rows
from promotions.stored_evidence.mismatch import Mismatch, What
from promotions.stored_evidence.reading import Kept
from stellapromote.clock import rfc3339
from stellapromote.signing.canonical_json import digest_bytes

UNREADABLE: Final = (AttributeError, LookupError, TypeError, ValueError)


def check_records(kept: Kept) -> Iterator[Mismatch]:
    """One finding for each record at most, its first; and the place of a record that is missing."""
    expected = 1
    for record in kept.records:
        if record.sequence != expected:
            yield Mismatch(
                What.RECORD_CHANGED, f"record {expected}", "The record is missing: they count without a gap."
            )
            expected = record.sequence
        expected += 1
        yield from _check(kept, record)


def _check(kept: Kept, record: DecisionRecord) -> Iterator[Mismatch]:
    place = f"record {record.sequence}"
    try:
        stored, gate_input = orjson.loads(bytes(record.document)), orjson.loads(bytes(record.input))
        if digest_bytes(bytes(record.input)) != stored["inputDigest"]:
            yield Mismatch(What.INPUT_CHANGED, place, f"Its input should have the digest {stored['inputDigest']}.")
            return
        difference = (
            difference_made_again(record, stored, gate_input, _bundle(gate_input), evaluation_of(stored))
            or difference_in_rows(record, stored, gate_input, kept.rows)
            or _asked_otherwise(kept.promotion, gate_input)
        )
    except UNREADABLE:
        yield Mismatch(What.RECORD_CHANGED, place, "The record or its input cannot be read.")
        return
    noted = kept.noted.get(str(record.pk))
    if difference is not None:
        message = f"{difference} does not fit its input or the rows that it tells of."
        yield Mismatch(What.RECORD_CHANGED, f"{place}, {difference}", message)
    elif noted is not None and noted != digest_bytes(bytes(record.document)):
        yield Mismatch(What.RECORD_CHANGED, place, f"The audit log holds another digest of its bytes: {noted}.")


def _bundle(gate_input: Mapping[str, Any]) -> dict[str, Any] | None:
    evidence = gate_input.get("evidence")
    if evidence is None:
        return None
    digest = evidence["bundleDigest"]
    bundle: dict[str, Any] = orjson.loads(blobs([digest])[digest])
    return bundle


def _asked_otherwise(promotion: Promotion, gate_input: Mapping[str, Any]) -> str | None:
    """What was asked for never changes, so every input says what the row of the promotion says."""
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


def part(value: Any, like: Any) -> Any:
    """Of an object the fields that another has, at any depth; anything else as it is."""
    if isinstance(value, dict) and isinstance(like, dict):
        return {name: part(each, like[name]) for name, each in value.items() if name in like}
    return value
