"""The page of the delivery report: its filter, and its figures in words."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django import forms
from django.http import QueryDict

from environments.models import Environment
from promotions.reading.delivery import DeliveryReport
from promotions.reading.promotion_filters import product_field
from stellapromote.accounts.actor import Actor
from stellapromote.web.times import duration_words

PERIODS: Final = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "365 days"}
USUAL: Final = "30"


class DeliveryForm(forms.Form):
    """All in the address. ``days``: the period that ends now."""

    days = forms.ChoiceField(label="Period", choices=[(days, f"Last {name}") for days, name in PERIODS.items()])

    def __init__(self, query: QueryDict, by: Actor) -> None:
        super().__init__({"days": USUAL, **query.dict()})
        self.fields["environment"] = forms.ModelChoiceField(
            label="Environment",
            queryset=Environment.objects.of(by.tenant).order_by("order_index", "name"),
            to_field_name="name",
            required=False,
            empty_label="All production environments",
        )
        product = product_field(by, query.get("product", "").strip())
        if product is not None:
            self.fields["product"] = product


@dataclass(frozen=True, slots=True)
class Line:
    """A figure: ``value`` is its headline, empty where nothing was counted; ``tail`` is what holds for nine of ten."""

    name: str
    value: str
    tail: str
    count: int
    meaning: str


def lines(report: DeliveryReport) -> list[Line]:
    outcomes = report.outcomes
    times = (
        ("Lead time", report.lead_time, "From finalizing a release to its first success in the environment."),
        ("Wait for approval", report.approval_wait, "From the request to the approval."),
        (
            "Time to restore",
            report.time_to_restore,
            "From a failure, or from a deployment that was rolled back, to the next success or rollback."
            + _not_restored(report.not_restored),
        ),
    )
    shares = (
        ("Rejected", outcomes.rejected, "By a person or a gate."),
        ("Failed", outcomes.failed, "The last attempt failed."),
        ("Rolled back", outcomes.rolled_back, "Deployed or failed, then rolled back."),
    )
    return [
        Line("Deployments", _frequency(report), "", report.deployments, "Reported succeeded in the period."),
        *(Line(name, _words(length.p50), _words(length.p90), length.count, says) for name, length, says in times),
        *(Line(name, _percent(share), "", outcomes.count, says) for name, share, says in shares),
    ]


def _frequency(report: DeliveryReport) -> str:
    """By day where there is one a day, otherwise by week."""
    if report.per_day is None:
        return ""
    return f"{report.per_day:.1f} a day" if report.per_day >= 1 else f"{7 * report.per_day:.1f} a week"


def _not_restored(number: int) -> str:
    return f" {number} {'is' if number == 1 else 'are'} not restored." if number else ""


def _words(seconds: int | None) -> str:
    return "" if seconds is None else duration_words(timedelta(seconds=seconds))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def page_of(report: DeliveryReport | None, form: DeliveryForm) -> dict[str, Any]:
    """Without a report where the filter cannot be read."""
    return {"form": form, "report": report, "lines": [] if report is None else lines(report)}
