"""The meaning of a database error for a call: whether it may be sent again, to the same database."""

import time
from typing import Final

from django.db import DatabaseError, InterfaceError, OperationalError, connection

_READ_ONLY: Final = "25006"
_DISK_FULL: Final = "53100"
_PUT_OFF: Final = frozenset({"55P03", "57014", "25P03", "25P04", _READ_ONLY})
"""lock_not_available, query_canceled (statement_timeout, too), idle_in_transaction_session_timeout,
transaction_timeout, read_only_sql_transaction."""
_CLASSES_LOST: Final = ("08", "57P")
"""Connection lost, server shut down."""
_CLASSES_PUT_OFF: Final = (*_CLASSES_LOST, "40", "53")
"""Transaction rolled back (deadlock), too few resources."""
_STANDBY: Final = "session is read-only"
"""libpq's words for a host that target_session_attrs=read-write passes over: there is no code for it."""
_NO_CONNECTION_FREE: Final = ("too many connections", "too many clients", "remaining connection slots")
"""PostgreSQL's words where a limit of connections is reached: an attempt to connect has no code, either."""

AWAY: Final = (
    "The database does not answer now. Try again in a few seconds; if you sent something, look first whether it was "
    "stored."
)
READ_ONLY: Final = (
    "The database takes no changes now: it is a standby, or set to be read-only. Nothing was changed. Try again when "
    "those who run this installation have made it writable."
)
DISK_FULL: Final = (
    "The disk of the database is full. Nothing was changed. Try again when those who run this installation have made "
    "room on it."
)
BUSY: Final = "The database has no connection free now. Nothing was changed. Try again in a few seconds."
_DISK_FULL_SECONDS: Final = 60.0

_disk_was_full_at: float | None = None


def reason_unavailable(error: BaseException | None) -> str | None:
    """The reason why the database cannot serve a call now, in a sentence; None for another error."""
    global _disk_was_full_at
    code = getattr(error.__cause__, "sqlstate", None) if isinstance(error, DatabaseError) else None
    if code == _READ_ONLY:
        return READ_ONLY
    if code == _DISK_FULL:
        _disk_was_full_at = time.monotonic()
        return DISK_FULL
    if error is not None and is_without_connections(error):
        return BUSY
    return AWAY if isinstance(error, OperationalError | InterfaceError) else None


def disk_was_full() -> bool:
    """Whether a call of this process failed for it within the last minute: small changes still find room now and
    then, so trying one would not tell."""
    return _disk_was_full_at is not None and time.monotonic() - _disk_was_full_at < _DISK_FULL_SECONDS


def is_away(error: BaseException) -> bool:
    """Whether the connection was lost, or none came about. One that can be used may be a new one: Django connects anew
    at the end of a transaction."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    if state is not None:
        return state.startswith(_CLASSES_LOST) or not connection.is_usable()
    return isinstance(error, OperationalError) or not connection.is_usable()


def is_put_off(error: BaseException) -> bool:
    """Whether the database let the statement wait too long, was asked to end it, or serves none now. The same statement
    may succeed later, so the error says nothing about the rows."""
    if not isinstance(error, DatabaseError | InterfaceError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    if state is None:
        return is_away(error)
    return state in _PUT_OFF or state.startswith(_CLASSES_PUT_OFF)


def is_without_primary(error: BaseException) -> bool:
    """Whether no connection came about, and a host of the address answered that is a standby or set to be read-only."""
    return isinstance(error, OperationalError) and _STANDBY in str(error)


def is_without_connections(error: BaseException) -> bool:
    """Whether no connection came about because the database, or the role, has as many as it may have."""
    return isinstance(error, OperationalError) and any(words in str(error) for words in _NO_CONNECTION_FREE)
