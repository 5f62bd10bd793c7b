"""Codes of a person's app."""

import re
from datetime import timedelta
from html import unescape

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client

from stellapromote.database_clock import DATABASE_CLOCK
from tests.factories import PASSWORD

SET_UP = "/accounts/second-factor/set-up"


def code_of(secret: str, periods: int = 0) -> str:
    """The code that the app shows now, or some periods later."""
    at = DATABASE_CLOCK.now() + timedelta(seconds=30 * periods)
    return format_hotp_value(hotp_value(secret, int(at.timestamp()) // 30))


def time_passes() -> None:
    """The codes of now are newer than the last one that was used."""
    for each in Authenticator.objects.filter(type=Authenticator.Type.TOTP):
        each.data["last_counter"] -= 10
        each.save()


def secret_on(page: str) -> str:
    return page.partition("Secret: <code>")[2].partition("<")[0]


def setup_on(page: str) -> str:
    return unescape(page.partition('name="setup" value="')[2].partition('"')[0])


def set_up(client: Client, password: str = PASSWORD) -> tuple[str, list[str]]:
    """The secret and the recovery codes of a second factor that the person sets up here."""
    page = client.get(SET_UP).text
    secret = secret_on(page)
    answer = client.post(SET_UP, {"setup": setup_on(page), "password": password, "code": code_of(secret)})
    assert answer.status_code == 200
    return secret, re.findall(r"<li>(\d{12})</li>", answer.text)
