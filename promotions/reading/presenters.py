"""Promotions as plain documents in wire names: the API sends them, the pages show them (contract.md, Promotions)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from policies.decision import decide
from policies.outcomes import waits_for_people_only
from promotions.models import Confirmation, DecisionRecord, Override, Promotion, Release, Vote
from promotions.reading.acts import act_document
from promotions.states import status_for
from promotions.voting.blindness import gates_shown
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import rfc3339

Document = dict[str, Any]


def request_answer(promotion: Promotion, *, blind: bool) -> Document:
    """The answer to a request: its input, its state, and the decision in short.

    ``blind``: for a reader from whom the votes are hidden (promotions/voting/blindness.py).
    """
    source = promotion.source_environment
    gates = gates_shown(promotion.gates, promotion, blind=blind)
    return {
        "id": str(promotion.pk),
        "number": promotion.number,
        "releaseId": str(promotion.release_id),
        "releaseName": promotion.release.name,
        "product": promotion.product,
        "sourceEnvironmentId": None if source is None else str(source.pk),
        "sourceEnvironmentName": None if source is None else source.name,
        "targetEnvironmentId": str(promotion.target_environment_id),
        "targetEnvironmentName": promotion.target_environment.name,
        "status": promotion.status,
        "statusReason": promotion.status_reason or None,
        "statusDetail": promotion.status_detail or None,
        "retryClosed": promotion.retry_closed,
        "requestedBy": str(promotion.requested_by_id),
        "requestedByName": promotion.requested_by_name,
        "requestedAt": rfc3339(promotion.requested_at),
        "reason": promotion.reason,
        "change": promotion.change,
        "isRollback": promotion.is_rollback,
        "subjectDigest": promotion.subject_digest,
        "manifestDigest": promotion.manifest_digest,
        "evidenceBundle": None
        if promotion.evidence_bundle_id is None
        else {"id": str(promotion.evidence_bundle_id), "digest": promotion.evidence_bundle_digest},
        "approvalCount": approval_count(promotion),
        "votesHidden": blind,
        "blockedBy": promotion.blocked_by,
        "decision": {
            "id": None if promotion.decision_id is None else str(promotion.decision_id),
            "sequence": promotion.decision_sequence,
            "decision": decide(gate["status"] for gate in promotion.gates),
            "gates": [{name: gate[name] for name in ("name", "type", "status", "message")} for gate in gates],
            "nextChangeAt": instant(promotion.next_change_at),
        },
        "evidencePacketId": None if promotion.evidence_packet_id is None else str(promotion.evidence_packet_id),
        "decidedAt": instant(promotion.decided_at),
        "startedAt": instant(promotion.started_at),
        "completedAt": instant(promotion.completed_at),
        "attempt": promotion.attempt,
    }


def detail(
    promotion: Promotion,
    *,
    blind: bool,
    run_id: str,
    record: DecisionRecord,
    acts: Iterable[Vote | Confirmation],
    eligible: list[Document],
    diff: Document,
    timeline: list[Document],
) -> Document:
    """The whole promotion. ``eligible`` are the people whose vote can still be used.

    The record is left out for a reader who is ``blind``; ``acts``, ``eligible`` and ``timeline`` hold only the parts
    that they may see.
    """
    return {
        **request_answer(promotion, blind=blind),
        "pendingExpiresAt": rfc3339(promotion.pending_expires_at),
        "approvalExpiresAt": instant(promotion.approval_expires_at),
        "overdueAt": instant(promotion.overdue_at),
        "runId": run_id or None,
        "decisionRecord": None if blind else orjson.loads(bytes(record.document)),
        "approvals": [act_document(act) for act in acts],
        "eligibleApprovers": eligible,
        "diff": diff,
        "timeline": timeline,
    }


def preview(promotion: Promotion, gates: list[Document], eligible: list[Document]) -> Document:
    """The preview of a request (contract.md, validateOnly). ``gates`` as judged, ``eligible``: the people who could
    vote."""
    decision = decide(gate["status"] for gate in gates)
    people_only = waits_for_people_only(decision, ((gate["type"], gate["status"]) for gate in gates))
    source = promotion.source_environment
    return {
        "releaseId": str(promotion.release_id),
        "releaseName": promotion.release.name,
        "sourceEnvironmentId": None if source is None else str(source.pk),
        "sourceEnvironmentName": None if source is None else source.name,
        "targetEnvironmentId": str(promotion.target_environment_id),
        "targetEnvironmentName": promotion.target_environment.name,
        "isRollback": promotion.is_rollback,
        "status": str(status_for(decision, waits_for_people_only=people_only)),
        "decision": decision,
        "gates": gates,
        "approvalCount": approval_count(promotion),
        "eligibleApprovers": eligible,
    }


def release_row(release: Release) -> Document:
    """One row of a list of releases."""
    return {
        "id": str(release.pk),
        "product": release.product,
        "name": release.name,
        "displayName": release.display_name,
        "status": release.status,
        "manifestDigest": release.manifest_digest,
        "createdBy": str(release.created_by_id),
        "createdByName": release.created_by_name,
        "createdAt": rfc3339(release.created_at),
        "finalizedAt": instant(release.finalized_at),
    }


def release_detail(release: Release, *, components: list[Document], deployments: list[Document]) -> Document:
    """The whole release, with where it is deployed."""
    return {
        **release_row(release),
        "description": release.description,
        "statusReason": release.status_reason or None,
        "components": components,
        "sourceRef": release.source_ref,
        "updatedAt": rfc3339(release.changed_at),
        "version": release.version,
        "deployments": deployments,
    }


def deployment(promotion: Promotion, *, current: bool) -> Document:
    """Where a release runs, by the promotion that brought it there; its target is selected."""
    return {
        "environmentId": str(promotion.target_environment_id),
        "environmentName": promotion.target_environment.name,
        "promotionId": str(promotion.pk),
        "promotionNumber": promotion.number,
        "deployedAt": instant(promotion.completed_at),
        "current": current,
    }


def event(found: AuditEvent) -> Document:
    """An audit event for all readers of the promotion: without network address."""
    return {
        "id": str(found.pk),
        "at": rfc3339(found.timestamp),
        "action": found.action,
        "actorId": None if found.actor_id is None else str(found.actor_id),
        "actorName": found.actor_name,
        "before": found.before,
        "after": found.after,
        "metadata": found.metadata,
    }


def override_document(override: Override) -> Document:
    """An override for all readers, with its signed envelope and its review, which is selected."""
    review = getattr(override, "review", None)
    return {
        "id": str(override.pk),
        "gate": override.gate,
        "gateType": override.gate_type,
        "actorId": str(override.actor_id),
        "username": override.username,
        "displayName": override.display_name,
        "authority": override.authority,
        "authMethod": override.auth_method,
        "reason": override.reason,
        "ticket": override.ticket,
        "decisionId": str(override.decision_id),
        "subjectDigest": override.subject_digest,
        "reasonCodes": override.reason_codes,
        "findings": override.findings,
        "recordedAt": rfc3339(override.recorded_at),
        "expiresAt": rfc3339(override.expires_at),
        "reviewDueAt": rfc3339(override.review_due_at),
        "review": None
        if review is None
        else {
            "reviewerId": str(review.reviewer_id),
            "username": review.username,
            "displayName": review.display_name,
            "verdict": review.verdict,
            "comment": review.comment or None,
            "at": rfc3339(review.at),
        },
        "envelope": orjson.loads(bytes(override.envelope)),
    }


def approval_count(promotion: Promotion) -> Document:
    return {"required": promotion.approvals_required, "given": promotion.approvals_given}


def instant(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
