"""Pages of somebody who has signed in before: the form itself is tested by test_frame.py and test_settings.py."""

from django.conf import settings
from django.test import Client
from playwright.sync_api import Page

from stellapromote.accounts.models import User


def signed_in(page: Page, username: str, path: str = "/") -> Page:
    """The page at the path, in a session of the account."""
    client = Client()
    client.force_login(User.objects.get(username=username))
    session = client.cookies[settings.SESSION_COOKIE_NAME]
    page.context.add_cookies([{"name": session.key, "value": session.value, "domain": "127.0.0.1", "path": "/"}])
    page.goto(path)
    return page
