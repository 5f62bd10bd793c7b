"""Acts that are tried without a lock first, and done under the lock where that is not enough (docs/adr/0133)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from django.db import OperationalError, connection

from stellapromote import transactions

T = TypeVar("T")


class NeedsLock(BaseException):
    """More is to be read or written than one statement reads and one writes.

    Not an Exception, so that nothing takes it for an error of a gate and goes on.
    """


def without_lock_first(act: Callable[[], T], under_lock: Callable[[], T]) -> T:
    """The result of the act; that of ``under_lock`` where the act raised NeedsLock, where the row changed meanwhile,
    and inside a transaction. The act stores everything by its last statement: until then nothing has happened."""
    if transactions.is_outermost():
        try:
            return act()
        except NeedsLock:
            pass
        except OperationalError as error:
            if not transactions.is_repeatable(error):
                raise
    return under_lock()


@contextmanager
def nothing_asked() -> Iterator[None]:
    """Inside, a question to the database raises NeedsLock."""
    with connection.execute_wrapper(_refuse):
        yield


def _refuse(*_: Any) -> NoReturn:
    raise NeedsLock
