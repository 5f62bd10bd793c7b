"""The delivery report: what each figure counts (contract.md, Reports)."""

from datetime import UTC, datetime, timedelta

import pytest

from environments.models import Environment
from promotions.actions.cancel import cancel
from promotions.models import Promotion
from promotions.reading.delivery import DeliveryReport, Length, Outcomes, Period, delivery_report, period_until
from stellapromote.errors import Invalid
from tests.promotions.kestrel import START, Kestrel, make_kestrel

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 12, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NONE = Length(0, None, None)


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def report(kestrel: Kestrel, environment: str | None = "dev", product: str | None = None) -> DeliveryReport:
    period = Period(START, kestrel.clock.now() + DAY)
    return delivery_report(kestrel.tenant.pk, period, environment=environment, product=product)


def fails(kestrel: Kestrel, promotion: Promotion) -> None:
    kestrel.reports(promotion, "started")
    kestrel.reports(promotion, "failed", message="Out of memory")


def rolls_back(kestrel: Kestrel, promotion: Promotion) -> None:
    kestrel.deploys(promotion)
    kestrel.wait(minutes=9)
    kestrel.reports(promotion, "rolled_back", message="Wrong totals")


def test_lead_time_is_from_the_end_of_the_release_to_its_first_success(kestrel: Kestrel) -> None:
    first, second = kestrel.release(), kestrel.release()
    kestrel.deploys(kestrel.ask(first, kestrel.dev))  # 4 minutes after its release
    kestrel.wait(minutes=10)
    kestrel.deploys(kestrel.ask(second, kestrel.dev))  # 16 minutes after
    kestrel.deploys(kestrel.ask(second, kestrel.dev))
    before_rollback = kestrel.clock.now() + timedelta(seconds=1)
    kestrel.deploys(kestrel.ask(first, kestrel.dev))  # back to the release before
    back = delivery_report(kestrel.tenant.pk, Period(before_rollback, kestrel.clock.now() + DAY), environment="dev")
    assert (back.deployments, back.lead_time) == (1, NONE)
    found = report(kestrel)
    assert found.lead_time == Length(2, 600, 4 * 60 + 648)
    assert found.deployments == 4
    assert found.per_day == pytest.approx(4 / found.period.days)


def test_wait_is_from_the_request_to_the_approval(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.reaches_staging(), kestrel.production)
    kestrel.wait(minutes=8)
    kestrel.approves("approver", promotion)
    assert report(kestrel, "production").approval_wait == NONE
    kestrel.approves("second", promotion)
    assert report(kestrel, "production").approval_wait == Length(1, 600, 600)


def test_outcomes_are_shares_of_what_ended(kestrel: Kestrel) -> None:
    kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    fails(kestrel, kestrel.ask(kestrel.release(), kestrel.dev))
    rolls_back(kestrel, kestrel.ask(kestrel.release(), kestrel.dev))
    kestrel.rejects("approver", kestrel.ask(kestrel.release(), kestrel.dev))
    kestrel.ask(kestrel.release(), kestrel.dev)
    cancel(kestrel.ask(kestrel.release(), kestrel.dev).pk, by=kestrel["requester"], clock=kestrel.clock)
    assert report(kestrel).outcomes == Outcomes(4, 0.25, 0.25, 0.25)


def test_failed_deployment_is_restored_by_the_next_success_of_the_product(kestrel: Kestrel) -> None:
    broken = kestrel.ask(kestrel.release(), kestrel.dev)
    fails(kestrel, broken)
    fails(kestrel, broken)  # two minutes later
    kestrel.deploys(kestrel.ask(kestrel.release(product="ledger"), kestrel.dev))
    assert (report(kestrel).time_to_restore, report(kestrel).not_restored) == (NONE, 1)
    kestrel.deploys(broken)  # 2 + 4 + 2 minutes after the first failure
    assert (report(kestrel).time_to_restore, report(kestrel).not_restored) == (Length(1, 480, 480), 0)


def test_deployment_that_is_rolled_back_was_broken_from_its_success_on(kestrel: Kestrel) -> None:
    rolls_back(kestrel, kestrel.ask(kestrel.release(), kestrel.dev))
    found = report(kestrel)
    assert (found.time_to_restore, found.not_restored) == (Length(1, 600, 600), 0)
    before = delivery_report(kestrel.tenant.pk, Period(START, kestrel.clock.now()), environment="dev")
    assert (before.time_to_restore, before.not_restored, before.deployments) == (NONE, 0, 1)


def test_period_begins_with_its_first_instant_and_ends_before_its_last(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.deploys(promotion)
    succeeded, requested = kestrel.clock.now(), promotion.requested_at

    def between(since: datetime, until: datetime) -> tuple[int, int]:
        found = delivery_report(kestrel.tenant.pk, Period(since, until), environment="dev")
        return found.deployments, found.outcomes.count

    instant = timedelta(microseconds=1)
    assert between(requested, succeeded + instant) == (1, 1)
    assert between(requested + instant, succeeded + instant) == (1, 0)
    assert between(succeeded, succeeded + instant) == (1, 0)
    assert between(requested, succeeded) == (0, 1)
    assert between(requested - DAY, requested) == (0, 0)
    assert between(succeeded + instant, succeeded + DAY) == (0, 0)


def test_report_is_about_production_unless_an_environment_is_named(kestrel: Kestrel) -> None:
    kestrel.deploys(kestrel.approved_for_production())
    Environment.objects.filter(pk=kestrel.staging.pk).update(is_production=True)
    found = report(kestrel, None)
    assert [each.name for each in found.environments] == ["staging", "production"]
    assert (found.deployments, report(kestrel, "production").deployments) == (2, 1)
    assert report(kestrel, "nowhere").environments == []


def test_report_of_a_product_is_about_it_alone(kestrel: Kestrel) -> None:
    kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    fails(kestrel, kestrel.ask(kestrel.release(product="ledger"), kestrel.dev))
    assert (report(kestrel, product="ledger").deployments, report(kestrel, product="ledger").outcomes.failed) == (0, 1)
    assert (report(kestrel, product="main").deployments, report(kestrel, product="main").outcomes.failed) == (1, 0)


def test_nothing_of_another_tenant_is_counted_and_no_figure_of_nothing_is_0(kestrel: Kestrel) -> None:
    kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    rolls_back(kestrel, kestrel.ask(kestrel.release(), kestrel.dev))
    other = make_kestrel("merlin", prefix="m-")
    empty = report(other)
    assert (empty.deployments, empty.per_day) == (0, None)
    assert (empty.lead_time, empty.approval_wait, empty.time_to_restore) == (NONE, NONE, NONE)
    assert empty.outcomes == Outcomes(0, None, None, None)


@pytest.mark.parametrize(
    ("since", "until", "period"),
    [
        (None, None, (NOW - 30 * DAY, NOW)),
        (NOW - DAY, None, (NOW - DAY, NOW)),
        (None, NOW - DAY, (NOW - 31 * DAY, NOW - DAY)),
        (NOW - DAY, NOW + DAY, (NOW - DAY, NOW)),
        (NOW - 366 * DAY, NOW, (NOW - 366 * DAY, NOW)),
    ],
)
def test_period_is_what_was_asked_as_far_as_it_has_passed(
    since: datetime | None, until: datetime | None, period: tuple[datetime, datetime]
) -> None:
    assert period_until(NOW, since, until) == Period(*period)


@pytest.mark.parametrize(
    ("since", "until"), [(NOW, None), (NOW - DAY, NOW - DAY), (NOW + DAY, NOW + 2 * DAY), (NOW - 367 * DAY, None)]
)
def test_period_without_length_or_too_long_is_refused(since: datetime, until: datetime | None) -> None:
    with pytest.raises(Invalid) as refused:
        period_until(NOW, since, until)
    assert [each.field for each in refused.value.fields] == ["from"]
