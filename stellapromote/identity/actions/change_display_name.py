from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.api.etag import IfMatch
from stellapromote.clock import Clock
from stellapromote.identity import names, rules
from stellapromote.identity.account_events import record_account
from stellapromote.identity.actions.lock import lock_membership
from stellapromote.identity.etags import tag_of
from stellapromote.identity.presenters import member_document
from stellapromote.identity.roster import member_of
from stellapromote.transactions import transactional


@transactional
def change_display_name(
    *, by: Actor, clock: Clock, display_name: str | None = None, if_match: IfMatch | None = None
) -> User:
    """The actor's own name from now on; votes and records keep the one of their time.

    Without a name it stays. ``if_match`` names what they read of themselves as a member of their tenant. Raises
    PreconditionFailed (412), Invalid (400), also for the name of another account of a tenant of theirs.
    """
    if display_name is not None:
        display_name = rules.checked_line("displayName", display_name, longest=rules.LONGEST_NAME)
    if if_match is not None:
        lock_membership(by.tenant, by.account)
    user = User.objects.select_for_update(no_key=True).get(pk=by.account)
    if if_match is not None:
        if_match.check(tag_of("member", member_document(member_of(by.tenant, by.account))))
    if display_name is None or user.display_name == display_name:
        return user
    names.check_free("displayName", display_name, username=user.username, tenants=names.tenants_of(user.pk))
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
