"""The meaning of a database error for a call: whether it may be sent again, to the same database."""

from typing import Final

from django.db import DatabaseError, InterfaceError, OperationalError, connection

_READ_ONLY: Final = "25006"
_STANDBY: Final = "session is read-only"
"""libpq's words for a host that target_session_attrs=read-write passes over: there is no code for it."""

AWAY: Final = (
    "The database does not answer now. Try again in a few seconds; if you sent something, look first whether it was "
    "stored."
)
READ_ONLY: Final = (
    "The database takes no changes now: it is a standby, or set to be read-only. Nothing was changed. Try again when "
    "those who run this installation have made it writable."
)


def reason_unavailable(error: BaseException | None) -> str | None:
    """The reason why the database cannot serve a call now, in a sentence; None for another error."""
    if isinstance(error, DatabaseError) and getattr(error.__cause__, "sqlstate", None) == _READ_ONLY:
        return READ_ONLY
    return AWAY if isinstance(error, OperationalError | InterfaceError) else None


def is_away(error: BaseException) -> bool:
    """Whether the connection is lost, so that no other statement can be done either."""
    return isinstance(error, OperationalError | InterfaceError) and not connection.is_usable()


def is_without_primary(error: BaseException) -> bool:
    """Whether no connection came about, and a host of the address answered that is a standby or set to be read-only."""
    return isinstance(error, OperationalError) and _STANDBY in str(error)
