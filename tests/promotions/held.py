"""People who were invited by the boss, and may be the boss."""

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import User
from stellapromote.identity.actions.accept_invitation import accept_with_new_account
from stellapromote.identity.actions.confirm_account import confirm_account
from stellapromote.identity.actions.invite import invite
from tests.factories import PASSWORD, actor_of, make_person
from tests.promotions.kestrel import Kestrel

NOBODY = Actor("system", None, "", "Nobody signed in", None, "")


def with_boss(kestrel: Kestrel) -> Kestrel:
    """The boss administers, approves and requests; by the command line."""
    joins(kestrel, "boss", roles=("admin", "approver", "operator"), teams=("release",))
    return kestrel


def joins(kestrel: Kestrel, username: str, *, roles: tuple[str, ...] = (), teams: tuple[str, ...] = ()) -> None:
    """By the command line."""
    user = make_person(kestrel.tenant, username, roles=roles, teams=teams, clock=kestrel.clock)
    kestrel.actors[username] = actor_of(user, kestrel.tenant)


def invited(kestrel: Kestrel, username: str, *, roles: tuple[str, ...] = ("viewer",), by: str = "boss") -> User:
    """Accepted by a link that the inviter saw."""
    kestrel.wait()
    made = invite(by=kestrel[by], clock=kestrel.clock, username=username, roles=roles)
    assert made.link is not None
    secret = made.link.rsplit("/", 1)[1]
    user = accept_with_new_account(by=NOBODY, clock=kestrel.clock, secret=secret, password=PASSWORD)
    kestrel.actors[username] = actor_of(user, kestrel.tenant)
    return user


def held(kestrel: Kestrel, username: str, *roles: str, teams: tuple[str, ...] = ()) -> None:
    """Invited by the boss, with roles and teams that the command line gave."""
    invited(kestrel, username)
    joins(kestrel, username, roles=roles, teams=teams)


def confirms_account(kestrel: Kestrel, username: str, by: str = "") -> None:
    kestrel.wait()
    actor = kestrel[by] if by else command_actor(kestrel.tenant)
    confirm_account(by=actor, clock=kestrel.clock, user_id=kestrel[username].account)
