"""Compares reports of deployments and reviews of overrides with the audit log."""

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from promotions.models import Deployment, OverrideReview
from promotions.verification.audited import GONE, NO_EVENT, AuditedEvent, actor_of, differs, first_other
from promotions.verification.mismatch import Mismatch, MismatchKind
from promotions.verification.stored_promotions import StoredPromotion

Row = TypeVar("Row")

_STATUSES: Final = {
    "promotion.started": "started",
    "promotion.completed": "succeeded",
    "promotion.failed": "failed",
    "promotion.rolled_back": "rolled_back",
}


def check_reports(stored_promotion: StoredPromotion) -> Iterator[Mismatch]:
    """One finding for each report at most. Events of version 1.0 have no URL, and those of a start no message."""
    events: dict[tuple[int, str], list[AuditedEvent]] = {}
    for event in stored_promotion.events_named(*_STATUSES):
        events.setdefault((event.metadata["attempt"], _STATUSES[event.action]), []).append(event)
    reports = {(report.attempt, report.status): report for report in stored_promotion.reports}
    for attempt, status in sorted(reports.keys() | events.keys()):
        wrong = _wrong(reports.get((attempt, status)), events.get((attempt, status), []), _report_differs)
        if wrong is not None:
            yield Mismatch(MismatchKind.PROMOTION_CHANGED, f"report {attempt} {status}", wrong)


def check_reviews(stored_promotion: StoredPromotion) -> Iterator[Mismatch]:
    """One finding for each reviewed override at most."""
    events: dict[str, list[AuditedEvent]] = {}
    for event in stored_promotion.events_named("override.reviewed"):
        events.setdefault(event.metadata["overrideId"], []).append(event)
    reviews = {
        str(override.pk): override.review for override in stored_promotion.overrides if hasattr(override, "review")
    }
    for override in sorted(reviews.keys() | events.keys()):
        wrong = _wrong(reviews.get(override), events.get(override, []), _review_differs)
        if wrong is not None:
            yield Mismatch(MismatchKind.ACT_CHANGED, f"review of override {override}", wrong)


def _wrong(
    row: Row | None, events: list[AuditedEvent], difference: Callable[[Row, AuditedEvent], str | None]
) -> str | None:
    if row is None:
        return GONE
    if len(events) != 1:
        return "Two events of the audit log tell of it." if events else NO_EVENT
    place = difference(row, events[0])
    return None if place is None else f"{place} is not what the audit log tells of it."


def _report_differs(report: Deployment, event: AuditedEvent) -> str | None:
    issuer = report.reported_with_token_issuer_id
    by = actor_of(report.reported_by_id, report.reported_by_name, report.reported_by_username, report.reported_at)
    return (
        first_other({**by, "tokenIssuerId": issuer and str(issuer)}, event.by)
        or differs({"message": report.message, "url": report.url}, event.after)
        or differs({"manifestReported": report.manifest_reported}, event.metadata)
        or first_other({"runId": report.run_id or None}, event.metadata)
    )


def _review_differs(review: OverrideReview, event: AuditedEvent) -> str | None:
    return (
        first_other(actor_of(review.reviewer_id, review.display_name, review.username, review.at), event.by)
        or differs({"comment": review.comment}, event.after)
        or differs({"verdict": review.verdict}, event.metadata)
    )
