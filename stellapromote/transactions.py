"""One transaction for each action, repeated when PostgreSQL asks for it (domain.md §0, lock order).

PostgreSQL ends one of two transactions that wait for each other (deadlock) or that contradict each other (serialization
failure), and a transaction that uses a statement prepared before a migration. None of these is a mistake of the caller:
the outermost call is made again from the start, with a fresh instant, because actions read the clock inside. The last
failure is raised as OperationalError (API: 503 SYS_UNAVAILABLE).
"""

import functools
import logging
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, NotSupportedError, OperationalError, connections, transaction

from stellapromote.fastpath.prepared import is_outdated

logger = logging.getLogger(__name__)

RETRIES = 3
_REPEATABLE = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected

P = ParamSpec("P")
R = TypeVar("R")


def transactional(function: Callable[P, R]) -> Callable[P, R]:
    """Runs the function in a transaction; called again, up to three times, after deadlock or serialization failure.

    Inside another transaction it joins that one, without a savepoint: an exception that leaves the function then dooms
    the whole. The function must be safe to call again: all it does is in the database, or is done by on_commit.
    """

    @functools.wraps(function)
    def in_transaction(*args: P.args, **kwargs: P.kwargs) -> R:
        if not is_outermost():
            with transaction.atomic(savepoint=False):
                return function(*args, **kwargs)
        for attempt in range(RETRIES):
            try:
                with transaction.atomic():
                    return function(*args, **kwargs)
            except (OperationalError, NotSupportedError) as error:
                if is_outdated(error):
                    connections[DEFAULT_DB_ALIAS].close()
                elif not is_repeatable(error):
                    raise
                logger.info("%s is repeated: %s", function.__qualname__, type(error.__cause__).__name__)
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - spreads the contenders, no secret
        with transaction.atomic():
            return function(*args, **kwargs)

    return in_transaction


def is_repeatable(error: BaseException) -> bool:
    """Whether PostgreSQL only asks for the same transaction once more."""
    return getattr(error.__cause__, "sqlstate", None) in _REPEATABLE


def is_outermost() -> bool:
    """Whether no transaction is open."""
    return not connections[DEFAULT_DB_ALIAS].in_atomic_block
