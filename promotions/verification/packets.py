"""Packets, their envelopes and signed human decisions: their signatures, and what they are about."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from promotions.judging.packet_content import OF_SOURCE
from promotions.models import DecisionRecord, EvidencePacket, Override, Promotion, Release
from promotions.packets.verifying import Verification, verify
from promotions.packets.verifying.envelope import predicate_of, statement_of
from promotions.verification.audited import GONE, AuditedEvent, differs
from promotions.verification.differences import first_difference
from promotions.verification.mismatch import Mismatch, MismatchKind
from promotions.verification.records import UNREADABLE, part
from promotions.verification.stored_promotions import InstallationKeys, StoredPromotion
from stellapromote.clock import rfc3339
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes

_ENVELOPE = {"payloadType", "payload", "signatures"}


def check_packets(stored_promotion: StoredPromotion, installation_keys: InstallationKeys) -> Iterator[Mismatch]:
    """One finding for each packet at most: what does not hold in it, else where it does not belong."""
    by_packet: dict[str, list[AuditedEvent]] = {}
    for event in stored_promotion.events_named("evidence.packet_created"):
        by_packet.setdefault(event.metadata["packetId"], []).append(event)
    before: EvidencePacket | None = None
    for packet in stored_promotion.packets:
        place, events = f"packet {packet.pk}", by_packet.pop(str(packet.pk), [])
        try:
            document, envelope = orjson.loads(bytes(packet.document)), orjson.loads(bytes(packet.envelope))
            broken = _as_stored(packet, document, envelope) or failed(
                verify({**document, "envelope": envelope}, installation_keys.keys, stored_promotion.stored)
            )
            elsewhere = None if broken else _misplaced(stored_promotion, installation_keys, packet, document, before)
        except UNREADABLE:
            broken, elsewhere = "The packet or its envelope cannot be read.", None
        if broken is not None:
            yield Mismatch(MismatchKind.PACKET_CHANGED, place, broken)
        elif elsewhere is not None:
            message = f"{elsewhere} is not that of where it is stored."
            yield Mismatch(MismatchKind.PACKET_MISPLACED, f"{place}, {elsewhere}", message)
        elif (other := _differs_from_events(packet, events)) is not None:
            yield Mismatch(MismatchKind.PACKET_CHANGED, place, other)
        before = packet
    for packet_id in sorted(by_packet):
        yield Mismatch(MismatchKind.PACKET_CHANGED, f"packet {packet_id}", GONE)


def check_overrides(stored_promotion: StoredPromotion, installation_keys: InstallationKeys) -> Iterator[Mismatch]:
    """One finding for each signed human decision at most."""
    for override in stored_promotion.overrides:
        place = f"override {override.pk}"
        try:
            envelope = orjson.loads(bytes(override.envelope))
            broken = (
                _other_bytes(override, envelope)
                or failed(verify(envelope, installation_keys.keys, stored_promotion.stored))
                or _other_row(override, installation_keys, envelope)
            )
        except UNREADABLE:
            broken = "The signed human decision cannot be read."
        if broken is not None:
            yield Mismatch(MismatchKind.OVERRIDE_CHANGED, place, broken)


def failed(found: Verification) -> str | None:
    """The first check that does not hold, with its sentence; None where all hold and a signature was verified."""
    for check in found.checks:
        if check.result == "failed":
            return f"{check.name}: {check.message}"
    return None if found.valid else "signature: No signature could be verified."


def _differs_from_events(packet: EvidencePacket, events: list[AuditedEvent]) -> str | None:
    """A holder of the signing key can sign another packet; the audit log still holds the digests of the real one."""
    if len(events) != 1:
        return "Two events of the audit log tell of it." if events else "No event of the audit log tells of it."
    row = {
        "type": packet.type,
        "contentHash": packet.content_hash,
        "documentDigest": digest_bytes(bytes(packet.document)),
        "envelopeDigest": digest_bytes(bytes(packet.envelope)),
    }
    difference = differs(row, events[0].metadata)
    return None if difference is None else f"{difference} is not what the audit log tells of it."


def _as_stored(packet: EvidencePacket, document: Any, envelope: Any) -> str | None:
    if canonical_bytes(document) != bytes(packet.document):
        return "The bytes of the packet are not canonical."
    if orjson.dumps(envelope) != bytes(packet.envelope):
        return "The bytes of the envelope are not those of its JSON."
    return None


def _misplaced(
    stored_promotion: StoredPromotion,
    installation_keys: InstallationKeys,
    packet: EvidencePacket,
    document: Mapping[str, Any],
    before: EvidencePacket | None,
) -> str | None:
    """The first place of the packet that says something else than the rows it stands beside."""
    promotion, content = stored_promotion.promotion, document["content"]
    record = next((each for each in stored_promotion.records if each.pk == packet.decision_id), None)
    beside = {
        "id": str(packet.pk),
        "tenantId": str(promotion.tenant_id),
        "type": packet.type,
        "generatedAt": rfc3339(packet.generated_at),
        "contentHash": packet.content_hash,
        "signerKeyRef": packet.signing_key_id,
        "content": {"installationId": installation_keys.installation}
        | _content(promotion, before)
        | _of_record(content, record)
        | _of_report(stored_promotion, content),
    }
    if packet.tenant_id != promotion.tenant_id:
        return "tenantId"
    return (
        first_difference(part(document, beside), part(beside, document))
        or _other_records(stored_promotion, content)
        or _other_approvers(stored_promotion, content)
        or _other_start(stored_promotion, content)
    )


def _content(promotion: Promotion, before: EvidencePacket | None) -> dict[str, Any]:
    source, target = promotion.source_environment, promotion.target_environment
    return {
        "promotion": {
            "id": str(promotion.pk),
            "number": promotion.number,
            "reason": promotion.reason,
            "requestedAt": rfc3339(promotion.requested_at),
            "isRollback": promotion.is_rollback,
        },
        "change": promotion.change,
        "release": {
            "id": str(promotion.release_id),
            "name": promotion.release.name,
            "product": promotion.product,
            "manifestDigest": promotion.manifest_digest,
            "createdBy": {"id": str(promotion.release.created_by_id)},
            "sourceRef": _source_of(promotion.release),
        },
        "environment": {
            "id": str(target.pk),
            "name": target.name,
            "source": None if source is None else {"id": str(source.pk), "name": source.name},
        },
        "actors": {
            "requester": {
                "id": str(promotion.requested_by_id),
                "username": promotion.requested_by_username,
                "displayName": promotion.requested_by_name,
            },
        },
        "previous": None if before is None else {"packetId": str(before.pk)},
    }


def _source_of(release: Release) -> dict[str, Any] | None:
    """The commit of the packet. Authors stand in a packet by account, so they are not compared."""
    if release.source_ref is None:
        return None
    return {name: release.source_ref.get(name) for name in OF_SOURCE}


def _of_report(stored_promotion: StoredPromotion, content: Mapping[str, Any]) -> dict[str, Any]:
    """The report that the packet of a deployment or rollback seals."""
    told = content["execution"]
    if told is None:
        return {}
    report = next(
        (each for each in stored_promotion.reports if (each.attempt, each.status) == (told["attempt"], told["status"])),
        None,
    )
    if report is None:
        return {"execution": None}
    return {
        "execution": {
            "status": report.status,
            "attempt": report.attempt,
            "message": report.message,
            "url": report.url,
            "manifestReported": report.manifest_reported,
            "reportedBy": {
                "id": str(report.reported_by_id),
                "username": report.reported_by_username,
                "displayName": report.reported_by_name,
            },
            "reportedAt": rfc3339(report.reported_at),
        }
    }


def _of_record(content: Mapping[str, Any], record: DecisionRecord | None) -> dict[str, Any]:
    """The packet's copy of the record that it names; packets of version 1.0 have no digest of it."""
    if record is None:
        return {"decision": {"recordId": None}}
    stored = orjson.loads(bytes(record.document))
    said = {
        "recordId": str(record.pk),
        "sequence": record.sequence,
        "result": record.decision,
        "reasons": stored["reasonCodes"],
        "gates": [
            {name: gate[name] for name in ("name", "type", "status", "reasonCodes", "message")}
            for gate in stored["gates"]
        ],
        **{name: stored[name] for name in ("policyName", "policyVersion", "policyDigest", "approvalPolicies")},
        **{name: stored[name] for name in ("requirementsDigest", "inputDigest", "determinismHash", "subjectDigest")},
        "humanDecisionEnvelopeIds": stored["humanDecisionEnvelopeIds"],
        "evidence": stored["evidence"],
    }
    signed = {"recordDigest": digest_bytes(bytes(record.document)), "inputDigest": digest_bytes(bytes(record.input))}
    # A deployment's packet names its record by id and number alone.
    return {
        "decision": {name: said[name] for name in said if name in content["decision"]},
        **{name: value for name, value in signed.items() if name in content},
    }


def _other_records(stored_promotion: StoredPromotion, content: Mapping[str, Any]) -> str | None:
    """The digests of the records since the packet before, where the packet holds them."""
    stored = {str(each.pk): digest_bytes(bytes(each.document)) for each in stored_promotion.records}
    for number, told in enumerate(content.get("records", ())):
        if stored.get(told["id"]) != told["digest"]:
            return f"content.records[{number}]"
    return None


def _other_approvers(stored_promotion: StoredPromotion, content: Mapping[str, Any]) -> str | None:
    """The approvers, compared with their votes."""
    votes = {(vote["voterId"], vote["at"]): vote for vote in stored_promotion.rows.votes.values()}
    for number, told in enumerate(content["actors"]["approvers"]):
        vote = votes.get((told["id"], told["at"]))
        if vote is None or any(vote[name] != told[name] for name in ("username", "displayName", "verdict")):
            return f"content.actors.approvers[{number}]"
    return None


def _other_start(stored_promotion: StoredPromotion, content: Mapping[str, Any]) -> str | None:
    """Whether the packet of a deployment names when it started and the record that let it; those of version 1.0 name
    the newest one of when they were made."""
    execution = content["execution"]
    if execution is None or "recordDigest" not in content:
        return None
    started = next(
        (each for each in stored_promotion.reports if (each.attempt, each.status) == (execution["attempt"], "started")),
        None,
    )
    if started is None or rfc3339(started.reported_at) != execution["startedAt"]:
        return "content.execution.startedAt"
    until = [each for each in stored_promotion.records if each.evaluated_at <= started.reported_at]
    let = until[-1] if until else None
    if let is None or let.decision != "allow" or str(let.pk) != content["decision"]["recordId"]:
        return "content.decision"
    return None


def _other_bytes(override: Override, envelope: Any) -> str | None:
    """Whether the envelope is exactly what one signing makes. No digest of it is signed or recorded, and a verification
    ignores unknown parts: another field, a second payload, another signature beside ours."""
    if orjson.dumps(envelope) != bytes(override.envelope):
        return "The bytes of the envelope are not those of its JSON."
    [signature] = envelope["signatures"] if len(envelope["signatures"]) == 1 else [{}]
    if envelope.keys() != _ENVELOPE or signature.keys() != {"keyid", "sig"}:
        return "The envelope holds something else than a payload, its type and one signature."
    if signature["keyid"] != override.signing_key_id:
        return "The row names another key."
    return None


def _other_row(override: Override, installation_keys: InstallationKeys, envelope: Any) -> str | None:
    predicate = predicate_of(statement_of(envelope)[0]) or {}
    beside = {
        "id": str(override.pk),
        "installationId": installation_keys.installation,
        "tenantId": str(override.tenant_id),
        "promotionId": str(override.promotion_id),
        "actorId": str(override.actor_id),
        "actor": {"username": override.username, "displayName": override.display_name},
        "authority": override.authority,
        "gate": {"name": override.gate, "type": override.gate_type},
        "reasonCodes": override.reason_codes,
        "findings": override.findings,
        "subjectDigest": override.subject_digest,
        "reason": override.reason,
        "ticket": override.ticket,
        "recordedAtUtc": rfc3339(override.recorded_at),
        "expiresAtUtc": rfc3339(override.expires_at),
        "decisionId": str(override.decision_id),
    }
    difference = first_difference(part(predicate, beside), beside)
    return None if difference is None else f"{difference} is not what the person signed."
