"""The rules for changes of rights, and for names, scopes and lives (product.md, Roles; domain.md §5)."""

import re
from collections.abc import Collection, Iterable
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Confirmable
from stellapromote.accounts.models.token import LONGEST_LIFE
from stellapromote.accounts.scopes import GRANTED_BY_NAME, ROLES, SCOPES, TENANT_ADMIN
from stellapromote.accounts.vouching import CONFIRMING_SCOPES
from stellapromote.errors import FieldError, Invalid, Refused
from stellapromote.patterns import SLUG, SLUG_HELP, USERNAME
from stellapromote.plain_text import problem_in_line
from stellapromote.wrong_values import BLANK, characters, too_long

LONGEST_REASON = 500
LONGEST_NAME = 200
LONGEST_EMAIL = 254
LONGEST_TOKEN_NAME = 100
NO_VOTE_BY_SERVICES = "services never vote, confirm or override."
USERNAME_HELP = "Use 1 to 63 lower-case letters, digits, hyphens and underscores, beginning with a letter or digit."


class OwnRights(Refused):
    """A person never changes their own roles, teams or membership (domain.md §5)."""

    def __init__(self) -> None:
        super().__init__("You cannot change your own roles, teams or membership: ask another administrator.")


class OnlyOnTheServer(Refused):
    """Tenants and new accounts are made by who runs the installation, with a command (product.md, Roles)."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} by a command on the server: ask the people who run this installation.")


class NotYourToken(Refused):
    """Tokens are personal; those of a service belong to its owners."""


class OwnGift(Refused):
    """The giver of a right does not vouch for it as well (domain.md §5)."""

    code = "PERM_SEPARATION_OF_DUTIES"

    def __init__(self) -> None:
        super().__init__("You, or a machine or token of yours, granted this: somebody else must confirm it.")


class HeldByYou(Refused):
    """The people in whose hands an account may be do not say that it is another's (docs/adr/0234)."""

    code = "PERM_SEPARATION_OF_DUTIES"

    def __init__(self) -> None:
        super().__init__("This account may be yours, by a one-time link: somebody else must confirm it.")


class NotVouchedFor(Refused):
    """A person who vouches for others must be vouched for themselves (domain.md §5)."""

    code = "PERM_NOT_VOUCHED_FOR"

    def __init__(self) -> None:
        super().__init__(
            "Your own role or account is not confirmed yet, so you cannot confirm what others hold: ask a person whose "
            "role is confirmed, or the owner of this installation for `manage.py confirm_grant`."
        )


def check_manages_members(by: Actor, user_id: UUID | None = None) -> None:
    """The actor may change memberships, roles and teams of the tenant, and is not the person concerned, if there is
    one."""
    by.require(TENANT_ADMIN)
    if user_id is not None and user_id == by.user_id:
        raise OwnRights()


def check_can_invite(by: Actor) -> None:
    """The actor is an administrator in person: a new account counts as that of the people who made its link."""
    by.require(TENANT_ADMIN)
    if by.kind != "person":
        raise Refused("Service accounts invite nobody: ask a person.", code="PERM_DENIED")
    by.require_in_person()


def check_can_confirm(by: Actor, user_id: UUID) -> None:
    """The actor gives rights or decides on promotions of all products, in person or on the command line, and is not the
    holder."""
    by.require_everywhere(*CONFIRMING_SCOPES)
    if by.kind == "service":
        raise Refused("Service accounts cannot confirm a grant: ask a person.", code="PERM_DENIED")
    by.require_in_person()
    if user_id == by.user_id:
        raise OwnRights()
    by.require_second_factor()


def check_can_confirm_grant(
    by: Actor, user_id: UUID, grant: Confirmable, *, is_vouched_for: bool, alike: Collection[UUID]
) -> None:
    """The actor may confirm this grant of the member. `is_vouched_for`: whether the actor is vouched for. `alike`:
    other accounts that may be the actor's (docs/adr/0234)."""
    check_can_confirm(by, user_id)
    if user_id in alike:
        raise HeldByYou()
    own = {by.user_id, *alike} - {None}
    if not own.isdisjoint((grant.granted_by_id, *grant.granted_behind)):
        raise OwnGift()
    if not is_vouched_for:
        raise NotVouchedFor()


def check_can_confirm_account(by: Actor, holders: Collection[UUID], *, is_vouched_for: bool) -> None:
    """The actor may say that an account is not that of `holders`, or of another account that may be theirs."""
    if by.user_id in holders:
        raise HeldByYou()
    if not is_vouched_for:
        raise NotVouchedFor()


def check_owns_account(by: Actor, user_id: UUID) -> None:
    """The actor is this person, signed in: name and sessions belong to the account, not to a tenant."""
    if by.auth_method != "session":
        raise Refused("A token cannot do this: sign in on the web pages.", code="PERM_DENIED")
    if by.user_id != user_id:
        raise Refused("An account belongs to its person, and nobody else does this.", code="PERM_DENIED")


def check_on_the_server(by: Actor, what: str) -> None:
    if by.auth_method != "command":
        raise OnlyOnTheServer(what)


def check_may_issue_token(by: Actor, owner_id: UUID, service_owners: Collection[UUID] | None) -> None:
    """People issue their own tokens, signed in; owners and administrators those of a service; the server any."""
    if by.auth_method == "command":
        return
    if by.auth_method != "session":
        raise NotYourToken("A token cannot issue another one: sign in on the web pages.")
    if service_owners is None:
        if by.user_id != owner_id:
            raise NotYourToken("Tokens are personal: only the person they act for can issue them.")
    elif by.user_id not in service_owners and not by.has(TENANT_ADMIN):
        raise NotYourToken("Tokens of a service are issued by its owners or an administrator of the tenant.")


def check_may_revoke_token(by: Actor, token_id: UUID, owner_id: UUID, service_owners: Collection[UUID] | None) -> None:
    """The person of the token, the owners of its service, and every administrator of the tenant may end it. With a
    token in hand, that one alone: one that leaks does not end the others."""
    if by.auth_method == "token" and not by.has(TENANT_ADMIN) and by.token_id != token_id:
        raise NotYourToken("A token revokes itself alone: sign in on the web pages to revoke another.")
    if by.has(TENANT_ADMIN) or by.user_id == owner_id or by.user_id in (service_owners or ()):
        return
    raise NotYourToken("This token is not yours: ask its owner or an administrator of the tenant to revoke it.")


def checked_line(field: str, text: str, *, longest: int, required: bool = True) -> str:
    """The text without blanks around it. Invalid when it is missing, too long or holds control or bidi characters."""
    text = text.strip()
    if required and not text:
        raise wrong(field, *BLANK)
    if len(text) > longest:
        raise wrong(field, *too_long(longest))
    if problem := problem_in_line(text):
        raise wrong(field, *characters(problem))
    return text


def checked_slug(field: str, text: str) -> str:
    if not re.fullmatch(SLUG, text):
        raise wrong(field, SLUG_HELP, "slug")
    return text


def checked_username(text: str) -> str:
    if not re.fullmatch(USERNAME, text):
        raise wrong("username", USERNAME_HELP, "username")
    return text


def checked_email(field: str, text: str) -> str:
    text = text.strip()
    if len(text) > LONGEST_EMAIL:
        raise wrong(field, *too_long(LONGEST_EMAIL))
    try:
        validate_email(text)
    except ValidationError:
        raise wrong(field, "This is no e-mail address: write one such as mei@example.org.", "email") from None
    return text


def checked_role(role: str) -> str:
    if role not in ROLES:
        raise wrong("role", f"{role!r} is no role. Roles: {', '.join(ROLES)}.", "role")
    return role


def checked_scope_by_name(scope: str) -> str:
    if scope not in GRANTED_BY_NAME:
        raise wrong("scope", f"{scope!r} is not given by name. Such rights: {', '.join(GRANTED_BY_NAME)}.", "scope")
    return scope


def checked_scopes(scopes: Iterable[str], allowed: Collection[str], why: str) -> list[str]:
    """The scopes, each once and in order. Invalid when there is none, an unknown one, or one that is not allowed."""
    chosen = sorted(set(scopes))
    if not chosen:
        raise wrong("scopes", "Choose at least one scope.", "required")
    for scope in chosen:
        if scope not in SCOPES:
            raise wrong("scopes", f"{scope!r} is no scope. Scopes: {', '.join(SCOPES)}.", "unknown")
        if scope not in allowed:
            raise wrong("scopes", f"{scope}: {why}", "not_allowed")
    return chosen


def checked_life(life: timedelta) -> timedelta:
    """Between one day and 366 (contract.md, tokens)."""
    if not timedelta(days=1) <= life <= LONGEST_LIFE:
        raise wrong("expiresDays", f"A token lives 1 to {LONGEST_LIFE.days} days.", "range")
    return life


def wrong(field: str, message: str, code: str) -> Invalid:
    return Invalid(message, fields=[FieldError(field, message, code)])
