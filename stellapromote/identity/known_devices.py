"""The cookie by which a browser that has signed in to an account before is known (docs/adr/0025)."""

import secrets
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

DEVICE_COOKIE = "known_device"
_DEVICE_LIFE = timedelta(days=180)
_DEVICE_SALT = "stellapromote.known-device"


def known_device(request: HttpRequest, username: str) -> str | None:
    """This browser's name, if it has signed in to the account before; None if its cookie is forged, old, another's."""
    try:
        value = signing.loads(request.COOKIES.get(DEVICE_COOKIE, ""), salt=_DEVICE_SALT, max_age=_DEVICE_LIFE)
    except signing.BadSignature:
        return None
    return value["device"] if value["username"] == username else None


def remember_device(response: HttpResponse, username: str) -> None:
    value = signing.dumps({"username": username, "device": secrets.token_hex(16)}, salt=_DEVICE_SALT)
    response.set_cookie(
        DEVICE_COOKIE, value, max_age=_DEVICE_LIFE, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
    )
