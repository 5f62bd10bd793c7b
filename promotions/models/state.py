"""The state of a promotion, for its events: a row that was changed beside the product differs from the last event of
its version (domain.md §9)."""

from typing import Any, Final

from promotions.models import Promotion
from stellapromote.clock import rfc3339
from stellapromote.signing.canonical_json import digest

SCHEMA: Final = "stella.promotion-state/v1"

STATE: Final = "state"
"""Where the metadata of an event has the state that its change left: `{version, digest, before}`."""

# By column. Left out are columns that repeat the last evaluation or plan the next, and change without an event:
# `version`, `last_evaluated_at`, `next_change_at`, `gates`, `blocked_by`, `approvals_*`, `approval_seconds_left`,
# `open_voters`, `decision_fingerprint`, `auto_promote_due`, `overdue_at`; texts whose digest is recorded: `subject`,
# `requirements`; and `earlier_subjects`, which only explains.
IDS: Final = (
    "id",
    "tenant_id",
    "release_id",
    "source_environment_id",
    "target_environment_id",
    "requested_by_id",
    "requested_with_token",
    "triggered_by_id",
    "evidence_bundle_id",
    "decision_id",
    "evidence_packet_id",
)
LISTS_OF_IDS: Final = ("excluded_persons", "requesting_persons")
INSTANTS: Final = (
    "requested_at",
    "pending_expires_at",
    "approval_expires_at",
    "approved_at",
    "decided_at",
    "started_at",
    "completed_at",
    "deployment_due_at",
)
TEXTS: Final = ("status", "status_reason", "status_detail")
OTHERS: Final = (
    "number",
    "product",
    "is_rollback",
    "requested_by_username",
    "requested_by_name",
    "reason",
    "change",
    "manifest_digest",
    "requirements_digest",
    "subject_digest",
    "evidence_bundle_digest",
    "decision_sequence",
    "approval_ttl_seconds",
    "supersedes_older",
    "blind",
    "attempt",
    "deployment_lock",
    "retry_closed",
)


def state_digest(promotion: Promotion) -> str:
    """sha256 over the canonical columns that decide (`stella.promotion-state/v1`). Reads nothing; about 20 µs."""
    row = promotion.__dict__
    state: dict[str, Any] = {name: row[name] for name in OTHERS}
    state["schema"] = SCHEMA
    for name in IDS:
        value = row[name]
        state[name] = None if value is None else str(value)
    for name in LISTS_OF_IDS:
        state[name] = [str(each) for each in row[name]]
    for name in INSTANTS:
        at = row[name]
        state[name] = None if at is None else rfc3339(at)
    for name in TEXTS:
        state[name] = str(row[name])
    return digest(state)


def note_as_read(promotion: Promotion) -> None:
    """Remembers the state that the promotion has in the database, for the next event about it."""
    promotion.state_as_read = state_digest(promotion)


def recorded_state(promotion: Promotion) -> dict[str, Any]:
    """The state that a change leaves, and the one that it began with, for its event.

    ``before`` is None for a new promotion. A change beside the product in between stands in no event.
    """
    before = promotion.state_as_read
    note_as_read(promotion)
    return {"version": promotion.version, "digest": promotion.state_as_read, "before": before}
