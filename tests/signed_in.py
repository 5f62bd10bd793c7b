"""A browser in which a person has signed in. Their session is kept as other steps are."""

from django.conf import settings
from django.test import Client

from stellapromote.accounts.models import User
from tests.kept import kept


def signed_in(user: User, client: Client | None = None) -> Client:
    client = client or Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session_of(user)
    return client


@kept
def session_of(user: User) -> str:
    """The value of its cookie."""
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value
