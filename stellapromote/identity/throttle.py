"""Growing delay between attempts to sign in, per account and per address; never a hard lock.

Every attempt is counted before the password is compared, in PostgreSQL, so that attempts side by side in several
processes cannot outrun the count. Unknown accounts are counted like known ones. An attempt inside the delay is refused
without being counted, so the delay does not grow by waiting badly. A browser that has signed in to the account before
is counted apart from all others (a device cookie): failures of a stranger keep no person out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.crypto import salted_hmac

from stellapromote.identity.models import SignInThrottle
from stellapromote.web.client_address import neighbourhood

FORGOTTEN_AFTER = timedelta(hours=24)
LONGEST_DELAY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Attempts that are counted together. `free` attempts wait for nothing; each one after that doubles the delay, from
    1 s.

    A success clears an account's bucket. It takes only itself back from an address's: signing in to one's own account
    must not buy more attempts on those of others.
    """

    key: str
    free: int
    cleared_by_success: bool


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether the attempt may be judged now; if not, how long to wait. `buckets` is given back to `succeeded`."""

    allowed: bool
    wait: timedelta
    buckets: tuple[Bucket, ...]


def delay_after(attempts: int, free: int) -> timedelta:
    """The delay of the next attempt after this many in a row."""
    beyond = attempts - free
    if beyond < 0:
        return timedelta(0)
    return min(LONGEST_DELAY, timedelta(seconds=2 ** min(beyond, 20)))


def buckets_for(username: str, address: str | None, device: str | None) -> tuple[Bucket, ...]:
    """The buckets an attempt counts in. `device` names a browser that has signed in to this account before.

    Keys are keyed digests: people type passwords into the wrong field, and a table of names would keep those.
    """
    account = f"device:{username}:{device}" if device else f"account:{username}"
    buckets = [Bucket(_key(account), free=5, cleared_by_success=True)]
    if address is not None:
        buckets.append(Bucket(_key(f"address:{neighbourhood(address)}"), free=20, cleared_by_success=False))
    return tuple(sorted(buckets, key=lambda bucket: bucket.key))


def bucket(name: str, free: int) -> Bucket:
    """Of other attempts that are counted here: nothing clears it but a day without one."""
    return Bucket(_key(name), free=free, cleared_by_success=False)


def admit(buckets: Sequence[Bucket], *, now: datetime) -> Admission:
    """Counts one attempt, or refuses it while any bucket is still in its delay. Commits by itself."""
    keys = [bucket.key for bucket in buckets]
    closed = SignInThrottle.objects.filter(key__in=keys, open_at__gt=now).order_by("-open_at")
    latest = closed.values_list("open_at", flat=True).first()
    if latest is not None:  # and nothing is written: an address that is refused could fill the table with names
        return Admission(False, latest - now, tuple(buckets))
    with transaction.atomic():
        SignInThrottle.objects.bulk_create(
            [SignInThrottle(key=key, attempts=0, last_at=now, open_at=now) for key in keys], ignore_conflicts=True
        )
        rows = {row.key: row for row in SignInThrottle.objects.select_for_update().filter(key__in=keys).order_by("key")}
        wait = max((row.open_at - now for row in rows.values()), default=timedelta(0))
        if wait > timedelta(0):
            return Admission(False, wait, tuple(buckets))
        for bucket in buckets:
            row = rows[bucket.key]
            row.attempts = 1 if now - row.last_at > FORGOTTEN_AFTER else row.attempts + 1
            row.last_at = now
            row.open_at = now + delay_after(row.attempts, bucket.free)
        SignInThrottle.objects.bulk_update(rows.values(), ["attempts", "last_at", "open_at"])
    return Admission(True, timedelta(0), tuple(buckets))


def succeeded(admission: Admission, *, now: datetime) -> None:
    """Takes back what this attempt counted. Commits by itself."""
    counted = {bucket.key: bucket for bucket in admission.buckets}
    with transaction.atomic():
        for row in SignInThrottle.objects.select_for_update().filter(key__in=counted).order_by("key"):
            row.attempts = 0 if counted[row.key].cleared_by_success else max(0, row.attempts - 1)
            row.open_at = now
            row.save(update_fields=["attempts", "open_at"])


def forget(*, now: datetime) -> int:
    """Removes up to a thousand buckets without an attempt for a day, and returns their number. Rows in use are left for
    the next time, so it waits for no lock."""
    with transaction.atomic():
        old = SignInThrottle.objects.filter(last_at__lt=now - FORGOTTEN_AFTER).select_for_update(skip_locked=True)
        removed, _ = SignInThrottle.objects.filter(key__in=list(old.values_list("key", flat=True)[:1000])).delete()
    return removed


def _key(text: str) -> str:
    return salted_hmac("stellapromote.sign-in-throttle", text, algorithm="sha256").hexdigest()
