"""How many one-time links a person, an address or an account gets: after some, each next one waits longer (access.md,
Limits)."""

from datetime import datetime, timedelta
from uuid import UUID

from stellapromote.errors import ProductError
from stellapromote.identity import throttle
from stellapromote.web.client_address import neighbourhood
from stellapromote.web.times import duration_words

FREE_OF_A_PERSON = 100
FREE_OF_A_MAILBOX = 5
FREE_OF_AN_ADDRESS = 20


class TooManyLinks(ProductError):
    """The next link has to wait."""

    families = ("SYS_",)
    code = "SYS_RATE_LIMITED"

    def __init__(self, wait: timedelta) -> None:
        self.retry_after = max(1, -(-wait // timedelta(seconds=1)))
        words = duration_words(timedelta(seconds=self.retry_after))
        super().__init__(f"Too many links were asked for. Wait {words}, then try again.")


def count_link_by(user_id: UUID, mailbox: str, *, now: datetime) -> None:
    """Counts a link that this person makes, for this mailbox if there is one. TooManyLinks. Commits by itself."""
    buckets = [throttle.bucket(f"links-by:{user_id}", FREE_OF_A_PERSON)]
    if mailbox:
        buckets.append(throttle.bucket(f"links-to:{mailbox.casefold()}", FREE_OF_A_MAILBOX))
    _count(buckets, now)


def count_forgotten(username: str, address: str | None, *, now: datetime) -> None:
    """Counts a forgotten password, of this name or from this address. TooManyLinks. Commits by itself."""
    buckets = [throttle.bucket(f"forgot:{username}", FREE_OF_A_MAILBOX)]
    if address is not None:
        buckets.append(throttle.bucket(f"forgot-from:{neighbourhood(address)}", FREE_OF_AN_ADDRESS))
    _count(buckets, now)


def _count(buckets: list[throttle.Bucket], now: datetime) -> None:
    admission = throttle.admit(sorted(buckets, key=lambda each: each.key), now=now)
    if not admission.allowed:
        raise TooManyLinks(admission.wait)
