from allauth.mfa.models import Authenticator

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.account_events import record_account
from stellapromote.identity.actions.end_sessions import end_other_sessions
from stellapromote.identity.actions.set_up_second_factor import WRONG_CODE, NoSecondFactor, lock_own_account
from stellapromote.identity.actions.use_second_factor import use_second_factor
from stellapromote.identity.models import PersonSession
from stellapromote.transactions import transactional


@transactional
def end_second_factor(*, by: Actor, clock: Clock, user: User, code: str, keep_session: str | None) -> None:
    """Turns one's own second factor off, with a code of it, and ends one's sessions but one.

    Raises Refused for another actor, NoSecondFactor, Invalid for a wrong code.
    """
    stored = lock_own_account(by, user)
    if stored.second_factor is None:
        raise NoSecondFactor("You have no second factor.")
    at = clock.now()
    if use_second_factor(user, code, at) is None:
        raise rules.wrong("code", WRONG_CODE, "wrong")
    _remove(stored)
    record_account("user.second_factor_ended", stored, by=by, at=at)
    end_other_sessions(by=by, clock=clock, keep=keep_session)
    user.second_factor = None


@transactional
def reset_second_factor(*, by: Actor, clock: Clock, user: User) -> None:
    """Removes the second factor of a person who lost it, and ends their sessions. On the command line only.

    Raises OnlyOnTheServer, NoSecondFactor.
    """
    rules.check_on_the_server(by, "A second factor is reset")
    stored = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if stored.second_factor is None:
        raise NoSecondFactor(f"{stored.username} has no second factor.")
    _remove(stored)
    PersonSession.objects.filter(user=stored).delete()
    record_account("user.second_factor_reset", stored, by=by, at=clock.now())


def _remove(user: User) -> None:
    Authenticator.objects.filter(user=user).delete()
    user.second_factor = None
    user.save(update_fields=["second_factor"])
