"""The names of events: the one list, for the audit log, the outbox and timelines (domain.md §9, §10).

A name is the object and its change in past tense. mypy holds every name that is noted against the list, and
tests/meta/test_events.py the list against the names that are noted, shown and documented.
"""

from typing import Final, Literal, get_args

OfPromotion = Literal[
    "approval.denied",
    "approval.granted",
    "approval.voided",
    "approval.withdrawn",
    "evidence.packet_created",
    "gate.overridden",
    "override.reviewed",
    "promotion.approved",
    "promotion.auto_promotion_refused",
    "promotion.cancelled",
    "promotion.completed",
    "promotion.evaluated",
    "promotion.evidence_read_again",
    "promotion.evidence_taken",
    "promotion.failed",
    "promotion.overdue",
    "promotion.rejected",
    "promotion.report_refused",
    "promotion.requested",
    "promotion.rolled_back",
    "promotion.started",
]
"""The events that a unit of work notes about a promotion."""

Found = Literal["evidence.mismatch_found", "evidence.mismatch_gone"]
"""The findings of verifications, about a promotion or about another object."""

Audited = Literal[
    OfPromotion,
    Found,
    "approval_policy.created",
    "approval_policy.retired",
    "approval_policy.updated",
    "audit.head_noted",
    "audit.verified",
    "decision.replayed",
    "environment.archived",
    "environment.created",
    "environment.deleted",
    "environment.unarchived",
    "environment.updated",
    "evidence.bundle_taken",
    "evidence.uploaded",
    "evidence.verified",
    "feed.uploaded",
    "freeze_window.cleared",
    "freeze_window.created",
    "freeze_window.updated",
    "member.added",
    "member.ended",
    "permission.refused",
    "policy.published",
    "promotion_policy.created",
    "promotion_policy.draft_saved",
    "proposal.confirmed",
    "proposal.created",
    "proposal.expired",
    "proposal.withdrawn",
    "release.archived",
    "release.created",
    "release.deprecated",
    "release.finalized",
    "release.updated",
    "role.confirmed",
    "role.ended",
    "role.granted",
    "rows.recorded",
    "scope.confirmed",
    "scope.ended",
    "scope.granted",
    "service.created",
    "service.owner_added",
    "service.owner_ended",
    "session.ended",
    "session.others_ended",
    "signing_key.activated",
    "signing_key.retired",
    "team.confirmed",
    "team.created",
    "team.ended",
    "team.granted",
    "tenant.created",
    "token.issued",
    "token.revoked",
    "trusted_key.added",
    "trusted_key.revoked",
    "user.created",
    "user.password_changed",
    "user.password_link_made",
    "user.password_renewed",
    "user.password_set",
    "user.renamed",
    "user.sign_in_failed",
    "user.signed_in",
    "user.signed_out",
]
"""Actions of the audit log."""

Told = Literal[
    "approval.denied",
    "approval.granted",
    "approval.voided",
    "approval.withdrawn",
    "environment.archived",
    "environment.created",
    "environment.freeze_ended",
    "environment.freeze_started",
    "environment.updated",
    "evidence.packet_created",
    "gate.overridden",
    "policy.published",
    "promotion.approved",
    "promotion.auto_promotion_refused",
    "promotion.cancelled",
    "promotion.completed",
    "promotion.evaluated",
    "promotion.failed",
    "promotion.overdue",
    "promotion.rejected",
    "promotion.requested",
    "promotion.rolled_back",
    "promotion.started",
]
"""Events of the outbox, for the outside."""

OF_PROMOTION: Final[frozenset[str]] = frozenset(get_args(OfPromotion))
FOUND: Final[frozenset[str]] = frozenset(get_args(Found))
AUDITED: Final[frozenset[str]] = frozenset(get_args(Audited))
TOLD: Final[frozenset[str]] = frozenset(get_args(Told))
