from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity.actions.set_up_second_factor import (
    WRONG_CODE,
    NoSecondFactor,
    lock_own_account,
    store_recovery_codes,
)
from stellapromote.identity.actions.use_second_factor import use_second_factor
from stellapromote.identity.rules import wrong
from stellapromote.transactions import transactional


@transactional
def renew_recovery_codes(*, by: Actor, clock: Clock, user: User, code: str) -> list[str]:
    """New recovery codes, which are not shown again; those before count no more.

    Raises Refused for another actor, NoSecondFactor, Invalid for a wrong code.
    """
    stored = lock_own_account(by, user)
    if stored.second_factor is None:
        raise NoSecondFactor("You have no second factor.")
    at = clock.now()
    if use_second_factor(user, code, at) is None:
        raise wrong("code", WRONG_CODE, "wrong")
    codes = store_recovery_codes(stored, stored.second_factor)
    record(by=by, at=at, action="user.recovery_codes_renewed", resource="user", resource_id=user.pk)
    return codes
