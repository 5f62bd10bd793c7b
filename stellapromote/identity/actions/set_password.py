from collections.abc import Callable

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.clock import Clock
from stellapromote.errors import Conflict, Refused
from stellapromote.identity.account_events import record_account
from stellapromote.identity.actions.end_sessions import end_other_sessions
from stellapromote.transactions import transactional


class NotYourPassword(Refused):
    """A password belongs to its person; no administrator sets it (domain.md §5)."""


class PasswordIsSet(Conflict):
    """A one-time link sets a password once."""

    code = "RES_STATE_CONFLICT"


@transactional
def set_password(
    *,
    by: Actor,
    clock: Clock,
    user: User,
    password: str,
    only_over: str | None = None,
    while_live: Callable[[], bool] | None = None,
    keep_session: str | None = None,
) -> None:
    """Gives the person a new password, which the form has already judged, and ends their sessions but `keep_session`.

    `only_over`: the stored form of the password that a one-time link was made over; `while_live`: whether the link
    still works, asked under the lock of the account, which no membership begins without. Raises NotYourPassword (403)
    for another actor than the person, PasswordIsSet (409) where the password is another one or the link is over by now.
    """
    if by.user_id != user.pk:
        raise NotYourPassword("Only the person can set their password.")
    stored = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    is_first = not stored.has_usable_password()
    is_over = while_live is not None and not while_live()
    if is_over or (only_over is not None and stored.password != only_over):
        raise PasswordIsSet("This link has been used: sign in, or ask for a new one.")
    user.set_password(password)
    stored.password = user.password
    stored.save(update_fields=["password"])
    record_account("user.password_set" if is_first else "user.password_changed", stored, by=by, at=clock.now())
    end_other_sessions(by=by, clock=clock, keep=keep_session)
