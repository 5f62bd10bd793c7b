"""One promotion: what its row points to, what its release is made of, the documents that its records name."""

from collections.abc import Iterator
from typing import Any

import orjson

from promotions.manifest import manifest_digest
from promotions.models import DecisionRecord, EvidencePacket
from promotions.states import Status
from promotions.stored_evidence.documents import Fitting
from promotions.stored_evidence.mismatch import Mismatch, What
from promotions.stored_evidence.packets import check_overrides, check_packets
from promotions.stored_evidence.reading import Kept, Known
from promotions.stored_evidence.records import UNREADABLE, check_records
from promotions.subject import subject_digest

_OF_GATE = ("name", "type", "status", "message")
_SEALED = ("succeeded", "failed", "rolled_back")
_DECIDED = {Status.APPROVED: "allow", Status.DEPLOYING: "allow", Status.REJECTED: "deny"}


def check_promotion(kept: Kept, known: Known, fitting: Fitting) -> list[Mismatch]:
    """Everything about it that is not as it was signed or recorded."""
    return [
        *_check_row(kept),
        *_check_manifest(kept),
        *check_records(kept),
        *check_packets(kept, known),
        *check_overrides(kept, known),
        *_check_documents(kept, fitting),
    ]


def _check_row(kept: Kept) -> Iterator[Mismatch]:
    promotion = kept.promotion
    record = kept.records[-1] if kept.records else None
    packet = kept.packets[-1] if kept.packets else None
    if (None if record is None else record.pk) != promotion.decision_id:
        yield Mismatch(What.PROMOTION_CHANGED, "decision", "The promotion does not point to its newest record.")
    elif record is not None and record.sequence != promotion.decision_sequence:
        yield Mismatch(What.PROMOTION_CHANGED, "decisionSequence", "The promotion has another number of records.")
    if (None if packet is None else packet.pk) != promotion.evidence_packet_id:
        yield Mismatch(What.PROMOTION_CHANGED, "evidencePacket", "The promotion does not point to its newest packet.")
    if subject_digest(promotion.subject) != promotion.subject_digest:
        yield Mismatch(What.PROMOTION_CHANGED, "subject", f"Its digest should be {promotion.subject_digest}.")
    if record is not None and _shown(promotion.gates) != _judged(record):
        yield Mismatch(What.PROMOTION_CHANGED, "gates", "The gates that are shown are not those of the newest record.")
    sealed = {_report_of(packet) for packet in kept.packets}
    for report in kept.reports:
        if report.status in _SEALED and (report.attempt, report.status) not in sealed:
            place = f"report {report.attempt} {report.status}"
            yield Mismatch(What.PROMOTION_CHANGED, place, "No packet seals this report of a deployment.")
    wanted = _DECIDED.get(Status(promotion.status))
    if wanted is not None and record is not None and record.decision != wanted:
        message = f"The promotion is {promotion.status}, and its newest record says {record.decision}."
        yield Mismatch(What.PROMOTION_CHANGED, "status", message)


def _shown(gates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: gate.get(name) for name in _OF_GATE} for gate in gates]


def _judged(record: DecisionRecord) -> list[dict[str, Any]] | None:
    """The same of the record; None where it cannot be read, which is a finding already."""
    try:
        return _shown(orjson.loads(bytes(record.document))["gates"])
    except UNREADABLE:
        return None


def _report_of(packet: EvidencePacket) -> tuple[int, str] | None:
    """Attempt and status of the report that the packet seals."""
    try:
        execution = orjson.loads(bytes(packet.document))["content"]["execution"]
        return None if execution is None else (execution["attempt"], execution["status"])
    except UNREADABLE:
        return None


def _check_manifest(kept: Kept) -> Iterator[Mismatch]:
    promotion = kept.promotion
    found = manifest_digest(kept.components)
    if not found == promotion.manifest_digest == promotion.release.manifest_digest:
        message = f"The components of release {promotion.release.name} have the digest {found}; requested were "
        yield Mismatch(What.MANIFEST_CHANGED, "release", f"{message}those of {promotion.manifest_digest}.")


def _check_documents(kept: Kept, fitting: Fitting) -> Iterator[Mismatch]:
    policies: set[str] = set()
    contents: set[str] = set()
    for record in kept.records:
        try:
            _named(orjson.loads(bytes(record.input)), policies, contents)
        except UNREADABLE:
            continue  # a finding already
    for digest in sorted(fitting.unfit_policies(kept.promotion.tenant_id, policies)):
        yield Mismatch(What.POLICY_CHANGED, f"policy {digest}", "No version of a policy has this digest any more.")
    for digest in sorted(fitting.unfit(contents)):
        yield Mismatch(What.DOCUMENT_CHANGED, f"document {digest}", "What is stored does not have this digest.")


def _named(gate_input: dict[str, Any], policies: set[str], contents: set[str]) -> None:
    requirements = gate_input["requirements"]
    policies.update(each["digest"] for each in (requirements["promotionPolicy"], *requirements["approvalPolicies"]))
    candidates, evidence = gate_input["candidates"], gate_input.get("evidence") or {}
    if isinstance(candidates, dict):
        contents.add(candidates["digest"])
    contents.update(evidence[feed]["extract"] for feed in ("kev", "epss") if evidence.get(feed) is not None)
    contents.update(
        evidence[bundle] for bundle in ("bundleDigest", "currentBundleDigest") if evidence.get(bundle) is not None
    )
