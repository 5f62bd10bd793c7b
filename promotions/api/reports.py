"""GET /reports/delivery (contract.md)."""

from typing import Any

from rest_framework import serializers

from promotions.reading.delivery import MOST_DAYS, DeliveryReport, Length, delivery_report, period_until
from promotions.reading.promotion_filters import PRODUCT
from stellapromote.accounts.scopes import PROMOTION_READ
from stellapromote.api.declarations import Answer
from stellapromote.api.parameters import line, timestamp
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import Resource
from stellapromote.api.views import ApiRequest, ApiView
from stellapromote.clock import rfc3339
from stellapromote.database_clock import DATABASE_CLOCK

_SHARE = "Of those that ended, between 0 and 1; null where `count` is 0."


class ReportEnvironmentResource(Resource):
    id = serializers.UUIDField()
    name = serializers.CharField()


class DeploymentsResource(Resource):
    count = serializers.IntegerField(help_text="Deployments that were reported succeeded in the period.")
    per_day = serializers.FloatField(allow_null=True, help_text="Null where `count` is 0.")


class LengthResource(Resource):
    count = serializers.IntegerField(help_text="From how many the figures are; where it is 0, they are null.")
    p50 = serializers.IntegerField(allow_null=True, help_text="Seconds within which half of them were.")
    p90 = serializers.IntegerField(allow_null=True, help_text="Seconds within which nine of ten were.")


class RestoringResource(LengthResource):
    open = serializers.IntegerField(help_text="What was not restored when the period ended.")


class OutcomesResource(Resource):
    count = serializers.IntegerField(help_text="Promotions requested in the period that ended, except cancelled ones.")
    rejected_share = serializers.FloatField(allow_null=True, help_text=_SHARE)
    failed_share = serializers.FloatField(allow_null=True, help_text=_SHARE)
    rolled_back_share = serializers.FloatField(allow_null=True, help_text=_SHARE)


class DeliveryReportResource(Resource):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(help_text="`to`, or now where `to` has not passed yet.")
    product = serializers.CharField(allow_null=True)
    environments = ReportEnvironmentResource(many=True, help_text="Those that the figures are about.")
    deployments = DeploymentsResource()
    lead_time = LengthResource(help_text="From finalizing a release to its first success in the period.")
    approval_wait = LengthResource(help_text="From the request to the approval.")
    outcomes = OutcomesResource()
    time_to_restore = RestoringResource(help_text="From a failure, or a deployment rolled back, to the next success.")


class DeliveryReportView(ApiView):
    """How often, how fast and how well releases reach an environment."""

    tag = "Reports"
    scopes = {"get": PROMOTION_READ}
    parameters = {
        "get": (
            timestamp("from", f"At or after; 30 days before the end otherwise. At most {MOST_DAYS} days before it."),
            timestamp("to", "Before; now otherwise."),
            PRODUCT,
            line(
                "environment",
                "Into this environment, by its name: none for one that does not exist. Otherwise into all that are "
                "production.",
                max_length=63,
            ),
        )
    }
    answers = {"get": Answer(DeliveryReportResource)}

    def get(self, request: ApiRequest) -> ApiResponse:
        """Deployments, times and outcomes in a period

        A figure of which nothing was counted is null, not 0.
        """
        period = period_until(DATABASE_CLOCK.now(), self.query.get("from"), self.query.get("to"))
        product = self.query.get("product")
        report = delivery_report(
            request.actor.tenant, period, product=product, environment=self.query.get("environment")
        )
        return ApiResponse(_document(report, product))


def _document(report: DeliveryReport, product: str | None) -> dict[str, Any]:
    return {
        "since": rfc3339(report.period.since),
        "until": rfc3339(report.period.until),
        "product": product,
        "environments": [{"id": each.pk, "name": each.name} for each in report.environments],
        "deployments": {"count": report.deployments, "perDay": report.per_day},
        "leadTime": _length(report.lead_time),
        "approvalWait": _length(report.approval_wait),
        "outcomes": {
            "count": report.outcomes.count,
            "rejectedShare": report.outcomes.rejected,
            "failedShare": report.outcomes.failed,
            "rolledBackShare": report.outcomes.rolled_back,
        },
        "timeToRestore": {**_length(report.time_to_restore), "open": report.not_restored},
    }


def _length(length: Length) -> dict[str, int | None]:
    return {"count": length.count, "p50": length.p50, "p90": length.p90}
