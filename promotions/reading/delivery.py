"""The delivery report: how often, how fast and how well releases reach an environment (docs/design/contract.md)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from environments.models import Environment
from promotions.models.promotion_vocabulary import in_sql
from promotions.reading.listing import first_number_since
from promotions.states import Status
from stellapromote.errors import FieldError, Invalid

MOST_DAYS: Final = 366
USUAL: Final = timedelta(days=30)

_ENDED: Final = (Status.DEPLOYED, Status.FAILED, Status.REJECTED, Status.ROLLED_BACK)
_WAS_APPROVED: Final = (Status.APPROVED, Status.DEPLOYING, Status.DEPLOYED, Status.FAILED, Status.ROLLED_BACK)


def _halves(seconds: str) -> str:
    """The length within which half of all are, and nine of ten."""
    return f"percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY extract(epoch FROM {seconds})::float8)"


_REQUESTED = f"""
SELECT count(*) FILTER (WHERE p.status IN ({in_sql(_ENDED)})),
       count(*) FILTER (WHERE p.status = '{Status.REJECTED}'),
       count(*) FILTER (WHERE p.status = '{Status.FAILED}'),
       count(*) FILTER (WHERE p.status = '{Status.ROLLED_BACK}'),
       count(*) FILTER (WHERE p.status IN ({in_sql(_WAS_APPROVED)})),
       {_halves("p.approved_at - p.requested_at")} FILTER (WHERE p.status IN ({in_sql(_WAS_APPROVED)}))
FROM promotions_promotion p
WHERE p.tenant_id = %(tenant)s AND p.number >= %(first)s AND p.number < %(end)s
  AND p.status IN ({in_sql({*_ENDED, *_WAS_APPROVED})})
  AND p.target_environment_id = ANY(%(environments)s) {{and_product}}
"""  # noqa: S608 - the parts are constants of this module

# Both tables are read within their indexes deployment_by_time and promotion_reported.
# Reports about one product in one environment follow each other. Where a bad one follows a good one something is
# broken, until a good one follows: `changes` has the reports at which this turned. Of two reports at one instant the
# rollback came last. Products are compared byte by byte, which sorts them in a fraction of the time.
_REPORTED = f"""
WITH reports AS MATERIALIZED (
  SELECT d.promotion_id, d.attempt, d.status, d.reported_at, p.release_id, p.is_rollback,
         p.target_environment_id AS environment, p.product COLLATE "C" AS product
  FROM promotions_deployment d JOIN promotions_promotion p ON p.id = d.promotion_id
  WHERE d.tenant_id = %(tenant)s AND d.reported_at >= %(since)s AND d.reported_at < %(until)s AND d.status <> 'started'
    AND p.started_at IS NOT NULL AND p.target_environment_id = ANY(%(environments)s) {{and_product}}
), judged AS (
  SELECT r.environment, r.product, r.reported_at, r.status = 'rolled_back' AS is_back,
         r.status = 'failed' OR r.status = 'succeeded' AND back.promotion_id IS NOT NULL AS bad
  FROM reports r LEFT JOIN reports back
    ON back.status = 'rolled_back' AND back.promotion_id = r.promotion_id AND back.attempt = r.attempt
), compared AS (
  SELECT judged.*, lag(bad, 1, false) OVER (PARTITION BY environment, product ORDER BY reported_at, is_back) AS was_bad
  FROM judged
), changes AS (
  SELECT bad, reported_at AS began,
         lead(reported_at) OVER (PARTITION BY environment, product ORDER BY reported_at, is_back) AS ended
  FROM compared WHERE bad <> was_bad
), restored AS (
  SELECT count(ended) AS number, count(*) - count(ended) AS open, {_halves("ended - began")} AS seconds
  FROM changes WHERE bad
), first_ones AS (
  SELECT release_id, min(reported_at) AS at FROM reports
  WHERE status = 'succeeded' AND NOT is_rollback GROUP BY release_id, environment
), led AS (
  SELECT count(*) AS number, {_halves("first_ones.at - r.finalized_at")} AS seconds
  FROM first_ones JOIN promotions_release r ON r.id = first_ones.release_id
)
SELECT (SELECT count(*) FROM reports WHERE status = 'succeeded'),
       led.number, led.seconds, restored.number, restored.seconds, restored.open
FROM led, restored
"""  # noqa: S608 - the parts are constants of this module


@dataclass(frozen=True, slots=True)
class Period:
    """``since`` ≤ instant < ``until``."""

    since: datetime
    until: datetime

    @property
    def days(self) -> float:
        return (self.until - self.since) / timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Length:
    """How long ``count`` things took: half of them at most ``p50`` seconds, nine of ten ``p90``; None without one."""

    count: int
    p50: int | None
    p90: int | None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Of ``count`` promotions that ended; shares between 0 and 1, None without one."""

    count: int
    rejected: float | None
    failed: float | None
    rolled_back: float | None


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """Figures are None where nothing was counted. ``not_restored``: what was broken at the end of the period."""

    period: Period
    environments: list[Environment]
    deployments: int
    per_day: float | None
    lead_time: Length
    approval_wait: Length
    outcomes: Outcomes
    time_to_restore: Length
    not_restored: int


def period_until(now: datetime, since: datetime | None, until: datetime | None) -> Period:
    """The asked time as far as it has passed, 30 days up to now where nothing is asked. Invalid, with the place, for a
    time that has no length yet or is longer than MOST_DAYS."""
    end = now if until is None else min(until, now)
    begin = end - USUAL if since is None else since
    if begin >= end:
        raise _no_period("It must be earlier than `to`, and than now: give an earlier instant.")
    if end - begin > timedelta(days=MOST_DAYS):
        raise _no_period(f"The period is longer than {MOST_DAYS} days: give a later `from` or an earlier `to`.")
    return Period(begin, end)


def _no_period(message: str) -> Invalid:
    return Invalid(f"from: {message}", fields=[FieldError("from", message, "range")])


def delivery_report(
    tenant_id: UUID, period: Period, *, product: str | None = None, environment: str | None = None
) -> DeliveryReport:
    """Of one product or all, into one environment by its name, or into all production ones, archived ones too. Five
    statements."""
    wanted = {"is_production": True} if environment is None else {"name": environment}
    environments = list(Environment.objects.of(tenant_id).filter(**wanted).order_by("order_index", "name"))
    values = {
        "tenant": tenant_id,
        "environments": [each.pk for each in environments],
        "product": product,
        "since": period.since,
        "until": period.until,
        "first": first_number_since(tenant_id, period.since),
        "end": first_number_since(tenant_id, period.until),
    }
    ended, rejected, failed, rolled_back, approved, waits = _read(_REQUESTED, values)
    deployments, led, lead_times, restored, restore_times, not_restored = _read(_REPORTED, values)
    return DeliveryReport(
        period=period,
        environments=environments,
        deployments=deployments,
        per_day=deployments / period.days if deployments else None,
        lead_time=_length(led, lead_times),
        approval_wait=_length(approved, waits),
        outcomes=Outcomes(ended, *((each / ended if ended else None) for each in (rejected, failed, rolled_back))),
        time_to_restore=_length(restored, restore_times),
        not_restored=not_restored,
    )


def _read(statement: str, values: dict[str, Any]) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(and_product="" if values["product"] is None else "AND p.product = %(product)s"), values
        )
        [row] = cursor.fetchall()
        return tuple(row)


def _length(count: int, seconds: list[float] | None) -> Length:
    return Length(count, *map(round, seconds)) if seconds else Length(count, None, None)
