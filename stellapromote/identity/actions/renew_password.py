from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.clock import Clock
from stellapromote.identity.account_events import record_account
from stellapromote.transactions import transactional


@transactional
def renew_password(*, by: Actor, clock: Clock, user: User, password: str) -> None:
    """Stores the password that the person signed in with in the form that counts now. One that was changed meanwhile
    stays."""
    stored = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if stored.password != user.password:
        return
    stored.set_password(password)
    stored.save(update_fields=["password"])
    record_account("user.password_renewed", stored, by=by, at=clock.now())
    user.password = stored.password
