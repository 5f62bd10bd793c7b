from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.clock import Clock
from stellapromote.errors import Conflict, Refused
from stellapromote.identity.account_events import record_account
from stellapromote.identity.actions.end_sessions import end_other_sessions
from stellapromote.identity.rules import wrong
from stellapromote.identity.second_factor import APP, RECOVERY, counter_of, recovery_codes_of, sealed_for
from stellapromote.ids import new_id
from stellapromote.transactions import transactional

WRONG_CODE = "This is not the code that the app shows now: look again, and check the clock of the device."


class NotYourSecondFactor(Refused):
    """A second factor belongs to its person."""


class SecondFactorIsSet(Conflict):
    """There is one already."""

    code = "RES_STATE_CONFLICT"


class NoSecondFactor(Conflict):
    """There is none."""

    code = "RES_STATE_CONFLICT"


@transactional
def set_up_second_factor(
    *, by: Actor, clock: Clock, user: User, secret: str, code: str, keep_session: str | None
) -> list[str]:
    """Gives the account a second factor, of which the person has shown a code, and ends their sessions but one. The new
    recovery codes, which are not shown again.

    Raises Refused for another actor, Invalid for a wrong code, SecondFactorIsSet.
    """
    stored = lock_own_account(by, user)
    at = clock.now()
    if stored.second_factor is not None:
        raise SecondFactorIsSet("You have a second factor already: turn it off before you set up another one.")
    counter = counter_of(secret, code, at)
    if counter is None:
        raise wrong("code", WRONG_CODE, "wrong")
    Authenticator.objects.filter(user=user).delete()
    stored.second_factor = new_id()
    sealed = sealed_for(stored, stored.second_factor, secret)
    Authenticator.objects.create(user=user, type=APP, data={"secret": sealed, "last_counter": counter}, created_at=at)
    codes = store_recovery_codes(stored, stored.second_factor)
    stored.save(update_fields=["second_factor"])
    record_account("user.second_factor_set_up", stored, by=by, at=at)
    end_other_sessions(by=by, clock=clock, keep=keep_session)
    user.second_factor = stored.second_factor
    return codes


def lock_own_account(by: Actor, user: User) -> User:
    """The account, locked. Raises NotYourSecondFactor."""
    if by.user_id != user.pk:
        raise NotYourSecondFactor("Only the person can change their second factor.")
    return User.objects.select_for_update(no_key=True).get(pk=user.pk)


def store_recovery_codes(user: User, set_up: UUID) -> list[str]:
    """Stores new ones in the place of those before."""
    Authenticator.objects.filter(user=user, type=RECOVERY).delete()
    seed = sealed_for(user, set_up, RecoveryCodes.generate_seed())
    stored = Authenticator.objects.create(user=user, type=RECOVERY, data={"seed": seed, "used_mask": 0})
    return recovery_codes_of(stored)
