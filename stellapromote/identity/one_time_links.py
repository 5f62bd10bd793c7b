"""The link by which a person sets their own password (domain.md §5): works once, for three days, for them alone.

It is Django's password reset token: bound to the account's present password and last sign-in, so setting a password or
signing in ends it. A new person's link works only while they have no password: it takes no account from its person. One
for a new password is of another kind, made by a command that is audited (docs/adr/0158). A reset that an administrator
makes, or a person who forgot their password asks for, ends as well when a membership of the account begins or ends,
and when another person confirms who has the account (docs/adr/0234).
"""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.urls import reverse
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from stellapromote.accounts.models import HeldAccount, Membership, User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.local_address import local_address


class _ByTheDatabase(PasswordResetTokenGenerator):
    """Django's, with the clock by which everything here lives and ends (docs/adr/0172)."""

    def _now(self) -> datetime:
        return DATABASE_CLOCK.now().replace(tzinfo=None)


class _NewPassword(_ByTheDatabase):
    key_salt = "stellapromote.identity.one_time_links.new_password"


class _Reset(_ByTheDatabase):
    """Bound to the memberships as well: nobody makes one for an account that is in another tenant by now. And to the
    confirmations of who has the account: a link that was shown before opens nothing any more."""

    key_salt = "stellapromote.identity.one_time_links.reset"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        rows = Membership.objects.filter(user_id=user.pk).order_by("pk").values_list("pk", "ended_at")
        held = HeldAccount.objects.filter(user_id=user.pk, confirmed_at__isnull=False).order_by("pk")
        return f"{super()._make_hash_value(user, timestamp)}{list(rows)}{list(held.values_list('pk', flat=True))}"


_first_password = _ByTheDatabase()
_new_password = _NewPassword()
_reset = _Reset()


def first_password_link(user: User) -> str:
    """For a new person: the absolute address, with the first public origin of this installation, or the local one."""
    return _link(user, _first_password)


def password_link(user: User) -> str:
    """The same for any account, also in place of a password."""
    return _link(user, _new_password)


def reset_link(user: User) -> str:
    """The same, until the account becomes a member of another tenant or leaves one, or another person confirms it."""
    return _link(user, _reset)


def _link(user: User, tokens: PasswordResetTokenGenerator) -> str:
    person = urlsafe_base64_encode(user.pk.bytes)
    return absolute(reverse("first_password", args=[person, tokens.make_token(user)]))


def absolute(path: str) -> str:
    """The address of a page, with the first public origin of this installation, or the local one."""
    origins = settings.CSRF_TRUSTED_ORIGINS
    return f"{origins[0] if origins else local_address()}{path}"


def person_of_link(person: str, token: str) -> User | None:
    """The person whose password the link sets; None when it was used, is too old, or was never made."""
    try:
        user_id = UUID(bytes=urlsafe_base64_decode(person))
    except ValueError:
        return None
    user = User.objects.filter(pk=user_id, kind=User.Kind.PERSON, is_active=True).first()
    if user is None:
        return None
    is_first = not user.has_usable_password() and _first_password.check_token(user, token)
    is_new = _new_password.check_token(user, token) or _reset.check_token(user, token)
    return user if is_first or is_new else None
