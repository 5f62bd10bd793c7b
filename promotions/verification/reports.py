"""Whether reports of deployments and reviews of overrides are those that the audit log tells of."""

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from promotions.models import Deployment, OverrideReview
from promotions.verification.audited import GONE, UNTOLD, Told, differs, first_other, who
from promotions.verification.mismatch import Mismatch, What
from promotions.verification.reading import Kept

Row = TypeVar("Row")

_STATUSES: Final = {
    "promotion.started": "started",
    "promotion.completed": "succeeded",
    "promotion.failed": "failed",
    "promotion.rolled_back": "rolled_back",
}


def check_reports(kept: Kept) -> Iterator[Mismatch]:
    """One finding for each report at most. Events of version 1.0 tell no URL, and of a start no message."""
    told: dict[tuple[int, str], list[Told]] = {}
    for event in kept.told(*_STATUSES):
        told.setdefault((event.metadata["attempt"], _STATUSES[event.action]), []).append(event)
    reports = {(report.attempt, report.status): report for report in kept.reports}
    for attempt, status in sorted(reports.keys() | told.keys()):
        wrong = _wrong(reports.get((attempt, status)), told.get((attempt, status), []), _report_differs)
        if wrong is not None:
            yield Mismatch(What.PROMOTION_CHANGED, f"report {attempt} {status}", wrong)


def check_reviews(kept: Kept) -> Iterator[Mismatch]:
    """One finding for each reviewed override at most."""
    told: dict[str, list[Told]] = {}
    for event in kept.told("override.reviewed"):
        told.setdefault(event.metadata["overrideId"], []).append(event)
    reviews = {str(override.pk): override.review for override in kept.overrides if hasattr(override, "review")}
    for override in sorted(reviews.keys() | told.keys()):
        wrong = _wrong(reviews.get(override), told.get(override, []), _review_differs)
        if wrong is not None:
            yield Mismatch(What.ACT_CHANGED, f"review of override {override}", wrong)


def _wrong(row: Row | None, told: list[Told], difference: Callable[[Row, Told], str | None]) -> str | None:
    if row is None:
        return GONE
    if len(told) != 1:
        return "Two events of the audit log tell of it." if told else UNTOLD
    place = difference(row, told[0])
    return None if place is None else f"{place} is not what the audit log tells of it."


def _report_differs(report: Deployment, told: Told) -> str | None:
    issuer = report.reported_with_token_issuer_id
    by = who(report.reported_by_id, report.reported_by_name, report.reported_by_username, report.reported_at)
    return (
        first_other({**by, "tokenIssuerId": issuer and str(issuer)}, told.by)
        or differs({"message": report.message, "url": report.url}, told.after)
        or differs({"manifestReported": report.manifest_reported}, told.metadata)
    )


def _review_differs(review: OverrideReview, told: Told) -> str | None:
    return (
        first_other(who(review.reviewer_id, review.display_name, review.username, review.at), told.by)
        or differs({"comment": review.comment}, told.after)
        or differs({"verdict": review.verdict}, told.metadata)
    )
