from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.clock import Clock
from stellapromote.identity import names, rules
from stellapromote.identity.account_events import record_account
from stellapromote.transactions import transactional


@transactional
def change_display_name(*, by: Actor, clock: Clock, display_name: str) -> User:
    """The actor's own name from now on; votes and records keep the one of their time.

    Raises Invalid (400), also for the name of another account of a tenant of theirs.
    """
    display_name = rules.checked_line("display_name", display_name, longest=rules.LONGEST_NAME)
    user = User.objects.select_for_update(no_key=True).get(pk=by.account)
    if user.display_name == display_name:
        return user
    names.check_free("display_name", display_name, username=user.username, tenants=names.tenants_of(user.pk))
    before, user.display_name = user.display_name, display_name
    user.save(update_fields=["display_name"])
    record_account(
        "user.renamed",
        user,
        by=by,
        at=clock.now(),
        before={"displayName": before},
        after={"displayName": display_name},
    )
    return user
