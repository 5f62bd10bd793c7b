"""A later request that becomes approved cancels older open ones for the same target, where the policy says so."""

import pytest

from environments.actions.update_environment import update_environment
from promotions.models import DecisionRecord, OutboxEvent, Promotion, Release
from promotions.worker.round import run_round
from stellapromote.audit.models import AuditEvent
from tests.factories import make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    """Staging, where one approval is enough, keeps only the newest."""
    kestrel = make_kestrel()
    make_promotion_policy(kestrel["admin"], "newest-only", clock=kestrel.clock, supersedeOlder=True)
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.staging.pk,
        changes={"promotion_policy": "newest-only"},
    )
    return kestrel


def waits_for_staging(kestrel: Kestrel, **fields: str) -> Promotion:
    release = kestrel.release(**fields)
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    return kestrel.ask(release, kestrel.staging)


def status_of(promotion: Promotion) -> tuple[str, str]:
    promotion.refresh_from_db()
    return promotion.status, promotion.status_reason


def test_what_is_approved_cancels_what_waited_longer(kestrel: Kestrel) -> None:
    older, newer = waits_for_staging(kestrel), waits_for_staging(kestrel)
    records = DecisionRecord.objects.filter(promotion=older).count()
    assert status_of(older) == ("awaiting_approval", "")
    assert kestrel.approves("approver", newer).status == "approved"
    assert status_of(older) == ("cancelled", "superseded")
    assert (older.status_detail, older.open_voters) == (f"Superseded by #{newer.number}.", [])
    assert DecisionRecord.objects.filter(promotion=older).count() == records
    event = AuditEvent.objects.get(action="promotion.cancelled", promotion_id=older.pk)
    assert event.after is not None
    assert event.after["statusReason"] == "superseded"
    run_round("test", kestrel.clock)
    assert OutboxEvent.objects.filter(name="promotion.cancelled", promotion_id=older.pk).exists()


def test_what_waits_longer_cancels_nothing_newer(kestrel: Kestrel) -> None:
    older, newer = waits_for_staging(kestrel), waits_for_staging(kestrel)
    assert kestrel.approves("approver", older).status == "approved"
    assert status_of(newer) == ("awaiting_approval", "")


def test_another_product_is_left_alone(kestrel: Kestrel) -> None:
    older, newer = waits_for_staging(kestrel, product="web"), waits_for_staging(kestrel)
    kestrel.approves("approver", newer)
    assert status_of(older) == ("awaiting_approval", "")


def goes_back(kestrel: Kestrel) -> Release:
    """It ran in staging before the one that runs there now."""
    first = waits_for_staging(kestrel)
    kestrel.deploys(kestrel.approves("approver", first))
    kestrel.deploys(kestrel.approves("approver", waits_for_staging(kestrel)))
    return first.release


def test_one_that_goes_back_cancels_nothing(kestrel: Kestrel) -> None:
    release = goes_back(kestrel)
    older = waits_for_staging(kestrel)
    back = kestrel.ask(release, kestrel.staging)
    assert (back.is_rollback, kestrel.approves("approver", back).status) == (True, "approved")
    assert status_of(older) == ("awaiting_approval", "")


def test_nor_is_it_cancelled(kestrel: Kestrel) -> None:
    back = kestrel.ask(goes_back(kestrel), kestrel.staging)
    kestrel.approves("approver", waits_for_staging(kestrel))
    assert status_of(back) == ("awaiting_approval", "")


def test_a_policy_that_does_not_say_so_cancels_nothing(kestrel: Kestrel) -> None:
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.staging.pk,
        changes={"promotion_policy": "default"},
    )
    older, newer = waits_for_staging(kestrel), waits_for_staging(kestrel)
    kestrel.approves("approver", newer)
    assert status_of(older) == ("awaiting_approval", "")
