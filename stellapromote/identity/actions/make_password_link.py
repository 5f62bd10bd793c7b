from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.errors import Refused
from stellapromote.identity import rules
from stellapromote.identity.one_time_links import password_link
from stellapromote.transactions import transactional


@transactional
def make_password_link(*, by: Actor, clock: Clock, user: User) -> str:
    """A one-time link by which the person sets a new password. On the command line only.

    The present password and sessions go on until the link is used. Raises OnlyOnTheServer, Refused for a machine and
    for an account that may not sign in.
    """
    rules.check_on_the_server(by, "Links for a new password are made")
    if user.kind != User.Kind.PERSON:
        raise Refused(f"{user.username} is a service account: it has tokens and no password.")
    if not user.is_active:
        raise Refused(f"{user.username} may not sign in, so no password helps.")
    record(by=by, at=clock.now(), action="user.password_link_made", resource="user", resource_id=user.pk)
    return password_link(user)
