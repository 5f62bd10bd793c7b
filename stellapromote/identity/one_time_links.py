"""The link by which a new person sets their own password (domain.md §5): works once, for three days, for them alone.

It is Django's password reset token: bound to the account's present password and last sign-in, so setting a password or
signing in ends it. Only accounts without a password get one: nobody takes over an account that has its person.
"""

from uuid import UUID

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.urls import reverse
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from stellapromote.accounts.models import User
from stellapromote.local_address import local_address


def first_password_link(user: User) -> str:
    """The absolute address, with the first public origin of this installation, or the local one."""
    person = urlsafe_base64_encode(user.pk.bytes)
    path = reverse("first_password", args=[person, default_token_generator.make_token(user)])
    origins = settings.CSRF_TRUSTED_ORIGINS
    origin = origins[0] if origins else local_address()
    return f"{origin}{path}"


def person_of_link(person: str, token: str) -> User | None:
    """Whom the link lets set a first password; None when it was used, is too old, or was never made."""
    try:
        user_id = UUID(bytes=urlsafe_base64_decode(person))
    except ValueError:
        return None
    user = User.objects.filter(pk=user_id, kind=User.Kind.PERSON, is_active=True).first()
    if user is None or user.has_usable_password() or not default_token_generator.check_token(user, token):
        return None
    return user
