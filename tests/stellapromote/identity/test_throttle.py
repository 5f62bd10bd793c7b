from datetime import UTC, datetime, timedelta

import pytest

from promotions.worker.round import tidy
from stellapromote.clock import FixedClock
from stellapromote.identity import throttle
from stellapromote.identity.models import SignInThrottle
from tests.database import CommittedDatabase

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [
        (1, 0),  # five are free
        (4, 0),
        (5, 1),  # then each doubles the wait
        (6, 2),
        (7, 4),
        (13, 256),
        (14, 300),  # five minutes at most: never a lock
        (10_000, 300),
    ],
)
def test_the_delay_grows_and_ends_at_five_minutes(attempts: int, seconds: int) -> None:
    assert throttle.delay_after(attempts, free=5) == timedelta(seconds=seconds)


def attempt(
    username: str = "nia", address: str | None = "203.0.113.9", device: str | None = None, at: datetime = NOW
) -> throttle.Admission:
    return throttle.admit(throttle.buckets_for(username, address, device), now=at)


def exhaust(username: str = "nia", address: str | None = None, times: int = 5, at: datetime = NOW) -> None:
    for _ in range(times):
        assert attempt(username, address, at=at).allowed


@pytest.mark.django_db
def test_five_attempts_are_free_and_the_sixth_waits() -> None:
    exhaust()
    refused = attempt(address=None)
    assert (refused.allowed, refused.wait) == (False, SECOND)


@pytest.mark.django_db
def test_the_wait_ends_by_itself() -> None:
    exhaust()
    assert attempt(address=None, at=NOW + SECOND).allowed


@pytest.mark.django_db
def test_a_refused_attempt_makes_the_wait_no_longer() -> None:
    exhaust()
    for _ in range(10):
        attempt(address=None)
    assert attempt(address=None).wait == SECOND


@pytest.mark.django_db
def test_refused_attempts_fill_no_table() -> None:
    """A stranger who is refused names another account each time."""
    for number in range(20):
        attempt(f"nobody-{number}")
    before = SignInThrottle.objects.count()
    assert not any(attempt(f"somebody-{number}").allowed for number in range(20))
    assert SignInThrottle.objects.count() == before


@pytest.mark.django_db
def test_the_worker_removes_all_that_nobody_tried_for_a_day() -> None:
    """Also where nobody signs in."""
    SignInThrottle.objects.bulk_create(
        SignInThrottle(key=f"{number}", attempts=1, last_at=NOW, open_at=NOW) for number in range(2500)
    )
    attempt(at=NOW + throttle.FORGOTTEN_AFTER)
    tidy(FixedClock(NOW + throttle.FORGOTTEN_AFTER + SECOND))
    assert SignInThrottle.objects.count() == 2


@pytest.mark.django_db
def test_an_account_is_counted_over_all_addresses() -> None:
    for number in range(5):
        attempt(address=f"203.0.113.{number}")
    assert not attempt(address="203.0.113.99").allowed


@pytest.mark.django_db
def test_an_address_is_counted_over_all_accounts() -> None:
    for number in range(20):
        attempt(f"person-{number}")
    assert not attempt("person-99").allowed


@pytest.mark.django_db
def test_an_ipv6_network_is_one_address() -> None:
    for number in range(20):
        attempt(f"person-{number}", f"2001:db8::{number:x}")
    assert not attempt("person-99", "2001:db8::ffff").allowed


@pytest.mark.django_db
def test_a_browser_that_signed_in_before_is_not_kept_out_by_strangers() -> None:
    exhaust()
    assert attempt(address=None, device="known").allowed


@pytest.mark.django_db
def test_a_known_browser_has_its_own_limit() -> None:
    for _ in range(5):
        attempt(address=None, device="known")
    assert not attempt(address=None, device="known").allowed


@pytest.mark.django_db
def test_a_success_clears_the_account() -> None:
    exhaust(times=4)
    throttle.succeeded(attempt(address=None), now=NOW)
    exhaust(times=5)


@pytest.mark.django_db
def test_a_success_buys_no_attempts_on_other_accounts() -> None:
    for number in range(19):
        attempt(f"person-{number}")
    throttle.succeeded(attempt("own-account"), now=NOW)
    attempt("person-20")
    assert not attempt("person-21").allowed


@pytest.mark.django_db
def test_failures_are_forgotten_after_a_day_without_attempts() -> None:
    exhaust()
    exhaust(at=NOW + throttle.FORGOTTEN_AFTER + SECOND)


@pytest.mark.django_db
def test_rows_that_nobody_tried_for_a_day_are_removed() -> None:
    attempt("nobody")
    throttle.forget(now=NOW + throttle.FORGOTTEN_AFTER + SECOND)
    assert not SignInThrottle.objects.exists()


@pytest.mark.django_db
def test_neither_names_nor_addresses_are_stored() -> None:
    attempt("hunter2-typed-into-the-wrong-field")
    assert all(len(key) == 64 for key in SignInThrottle.objects.values_list("key", flat=True))


def test_attempts_side_by_side_do_not_outrun_the_count(committed_db: CommittedDatabase) -> None:
    outcomes = committed_db.at_once(*[lambda: attempt().allowed] * 12)
    assert sorted(outcomes, key=str) == [False] * 7 + [True] * 5
