"""One promotion: the targets of its row, the components of its release, the documents that its records name."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson

from policies.facts import policies_named
from policies.outcomes import blocks
from promotions.documents.manifest import manifest_digest
from promotions.judging.subject import subject_digest
from promotions.models import DecisionRecord, EvidencePacket, Promotion
from promotions.states import Status
from promotions.verification.audited import check_acts, check_release, check_release_status, events_of_acts
from promotions.verification.documents import VerifiedDigests
from promotions.verification.ends import check_ends
from promotions.verification.mismatch import Mismatch, MismatchKind
from promotions.verification.packets import check_overrides, check_packets
from promotions.verification.promotion_state import check_excluded, check_request, check_state
from promotions.verification.records import UNREADABLE, check_records, failing_since
from promotions.verification.reports import check_reports, check_reviews
from promotions.verification.stored_promotions import InstallationKeys, StoredPromotion
from promotions.verification.uploads import MEANWHILE

_OF_GATE = ("name", "type", "status", "message")
_IN_OTHER_WORDS = ("message", "details", "nextChangeAt", "kindVersion")
"""The fields in which a newer result may differ without another record: a newer version of the kind may give the same
verdict."""
_SEALED = ("succeeded", "failed", "rolled_back")
_DECIDED = {Status.APPROVED: "allow", Status.DEPLOYING: "allow", Status.REJECTED: "deny"}


def check_promotion(
    stored_promotion: StoredPromotion, installation_keys: InstallationKeys, verified: VerifiedDigests
) -> list[Mismatch]:
    """Everything about it that is not as it was signed or recorded."""
    return [
        *_check_row(stored_promotion),
        *_check_tenants(stored_promotion),
        *check_state(stored_promotion),
        *check_request(stored_promotion),
        *_check_excluded(stored_promotion),
        *_check_manifest(stored_promotion),
        *check_records(stored_promotion),
        *check_packets(stored_promotion, installation_keys),
        *check_overrides(stored_promotion, installation_keys),
        *check_acts(stored_promotion.acts, events_of_acts(stored_promotion.events)),
        *check_ends(stored_promotion),
        *check_reports(stored_promotion),
        *check_reviews(stored_promotion),
        *check_release(stored_promotion.promotion.release, stored_promotion.release_events),
        *check_release_status(stored_promotion.release_status),
        *_check_documents(stored_promotion, verified),
        *_check_gathered(stored_promotion, verified),
    ]


def _check_row(stored_promotion: StoredPromotion) -> Iterator[Mismatch]:
    promotion = stored_promotion.promotion
    record = stored_promotion.records[-1] if stored_promotion.records else None
    packet = stored_promotion.packets[-1] if stored_promotion.packets else None
    if (None if record is None else record.pk) != promotion.decision_id:
        yield Mismatch(MismatchKind.PROMOTION_CHANGED, "decision", "The promotion does not point to its newest record.")
    elif record is not None and record.sequence != promotion.decision_sequence:
        yield Mismatch(
            MismatchKind.PROMOTION_CHANGED, "decisionSequence", "The promotion has another number of records."
        )
    if (None if packet is None else packet.pk) != promotion.evidence_packet_id:
        yield Mismatch(
            MismatchKind.PROMOTION_CHANGED, "evidencePacket", "The promotion does not point to its newest packet."
        )
    if subject_digest(promotion.subject) != promotion.subject_digest:
        yield Mismatch(MismatchKind.PROMOTION_CHANGED, "subject", f"Its digest should be {promotion.subject_digest}.")
    if record is not None and not _shows(promotion, record):
        yield Mismatch(
            MismatchKind.PROMOTION_CHANGED, "gates", "The gates that are shown are not those of the newest record."
        )
    sealed = {_report_of(packet) for packet in stored_promotion.packets}
    for report in stored_promotion.reports:
        if report.status in _SEALED and (report.attempt, report.status) not in sealed:
            place = f"report {report.attempt} {report.status}"
            yield Mismatch(MismatchKind.PROMOTION_CHANGED, place, "No packet seals this report of a deployment.")
    wanted = _DECIDED.get(Status(promotion.status))
    if wanted is not None and record is not None and record.decision != wanted:
        message = f"The promotion is {promotion.status}, and its newest record says {record.decision}."
        yield Mismatch(MismatchKind.PROMOTION_CHANGED, "status", message)


def _check_excluded(stored_promotion: StoredPromotion) -> Iterator[Mismatch]:
    try:
        yield from check_excluded(stored_promotion)
    except UNREADABLE:
        yield Mismatch(MismatchKind.PROMOTION_CHANGED, "request", "The snapshot taken at the request cannot be read.")


def _check_tenants(stored_promotion: StoredPromotion) -> Iterator[Mismatch]:
    """Everything that belongs to a promotion is of its tenant: a row of another tenant would be missing in the tenant's
    lists."""
    tenant = stored_promotion.promotion.tenant_id
    of = {f"{kind} {act}": row["tenant_id"] for (kind, act), row in stored_promotion.rows.acts.items()}
    of |= {f"record {each.sequence}": each.tenant_id for each in stored_promotion.records}
    of |= {f"override {each.pk}": each.tenant_id for each in stored_promotion.overrides}
    of |= {f"report {each.attempt} {each.status}": each.tenant_id for each in stored_promotion.reports}
    of |= {
        f"review of {each.pk}": each.review.tenant_id for each in stored_promotion.overrides if hasattr(each, "review")
    }
    for place in sorted(place for place, each in of.items() if each != tenant):
        yield Mismatch(
            MismatchKind.PROMOTION_CHANGED, f"{place}, tenant", "It is of another tenant than its promotion."
        )


def _shows(promotion: Promotion, record: DecisionRecord) -> bool:
    """Whether the gates repeat the record. A newer result stands beside it where it says the same in other words, such
    as until when: with other statuses or codes there would be another record (docs/adr/0100)."""
    try:
        judged = orjson.loads(bytes(record.document))["gates"]
        results = [shown.get("newer", each) for shown, each in zip(promotion.gates, judged, strict=True)]
        return all(map(_repeats, promotion.gates, judged)) and _counts(promotion, results)
    except UNREADABLE:
        return False


def _counts(promotion: Promotion, results: list[dict[str, Any]]) -> bool:
    """Whether the values of lists, which have no room for gates, agree with the gates."""
    approval = next(each["details"] for each in results if each["type"] == "approval")
    given = {"required": promotion.approvals_required, "given": promotion.approvals_given}
    told = {name: approval[name] for name in given if name in approval}
    return given | told == given and promotion.blocked_by == [
        each["name"] for each in results if blocks(each["status"])
    ]


def _repeats(shown: dict[str, Any], judged: dict[str, Any]) -> bool:
    newer = shown.get("newer", judged)
    wanted = {name: newer[name] for name in _OF_GATE}
    since = failing_since(judged)
    if since is not None:
        wanted["failingSince"] = since
    if newer is not judged:
        wanted["newer"] = newer
    same = {name: judged[name] for name in judged if name not in _IN_OTHER_WORDS}
    return shown == wanted and {name: newer[name] for name in newer if name not in _IN_OTHER_WORDS} == same


def _report_of(packet: EvidencePacket) -> tuple[int, str] | None:
    """Attempt and status of the report that the packet seals."""
    try:
        execution = orjson.loads(bytes(packet.document))["content"]["execution"]
        return None if execution is None else (execution["attempt"], execution["status"])
    except UNREADABLE:
        return None


def _check_manifest(stored_promotion: StoredPromotion) -> Iterator[Mismatch]:
    promotion = stored_promotion.promotion
    found = manifest_digest(stored_promotion.components)
    if not found == promotion.manifest_digest == promotion.release.manifest_digest:
        message = f"The components of release {promotion.release.name} have the digest {found}; requested were "
        yield Mismatch(MismatchKind.MANIFEST_CHANGED, "release", f"{message}those of {promotion.manifest_digest}.")


def _check_documents(stored_promotion: StoredPromotion, verified: VerifiedDigests) -> Iterator[Mismatch]:
    tenant = stored_promotion.promotion.tenant_id
    policies: set[str] = set()
    contents: set[str] = set()
    bundles: set[str] = set()
    for record in stored_promotion.records:
        try:
            _named(orjson.loads(bytes(record.input)), policies, contents, bundles)
        except UNREADABLE:
            continue  # a finding already
    for digest in sorted(verified.unfit_policies(tenant, policies)):
        yield Mismatch(
            MismatchKind.POLICY_CHANGED, f"policy {digest}", "No version of a policy has this digest any more."
        )
    unfit = verified.unfit(contents | bundles)
    for digest in sorted(unfit):
        yield Mismatch(MismatchKind.DOCUMENT_CHANGED, f"document {digest}", "What is stored does not have this digest.")
    yield from verified.wrong_in_bundles(tenant, bundles - unfit)


def _check_gathered(stored_promotion: StoredPromotion, verified: VerifiedDigests) -> Iterator[Mismatch]:
    for record in stored_promotion.records:
        try:
            gate_input, at = orjson.loads(bytes(record.input)), record.evaluated_at
            places = list(
                verified.gathering.other_places(stored_promotion.promotion.tenant_id, gate_input.get("evidence"), at)
            )
            if not _ran_there(stored_promotion, gate_input["source"], at):
                places.append("source.deployed")
        except UNREADABLE:
            continue  # a finding already
        for place in places:
            message = f"{place} is not what counted then, by the reports, uploads and keys that there are."
            yield Mismatch(MismatchKind.INPUT_CHANGED, f"record {record.sequence}, {place}", message)


def _ran_there(stored_promotion: StoredPromotion, source: Mapping[str, Any] | None, at: datetime) -> bool:
    """Whether the release was deployed in its source as the input says. A report of the minute around may or may not
    have counted."""
    if source is None:
        return True
    soon, late = at - MEANWHILE, at + MEANWHILE
    there = [each for each in stored_promotion.deployed_spans if str(each.environment_id) == source["id"]]
    if source["deployed"]:
        return any(each.begin <= late and (each.end is None or each.end >= soon) for each in there)
    return not any(each.begin < soon and (each.end is None or each.end > late) for each in there)


def _named(gate_input: dict[str, Any], policies: set[str], contents: set[str], bundles: set[str]) -> None:
    policies.update(each["digest"] for each in policies_named(gate_input["requirements"]))
    candidates, evidence = gate_input["candidates"], gate_input.get("evidence") or {}
    if isinstance(candidates, dict):
        contents.add(candidates["digest"])
    contents.update(evidence[feed]["extract"] for feed in ("kev", "epss") if evidence.get(feed) is not None)
    bundles.update(
        evidence[bundle] for bundle in ("bundleDigest", "currentBundleDigest") if evidence.get(bundle) is not None
    )
