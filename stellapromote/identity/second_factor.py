"""The second factor of a person: a code of their app, or a recovery code (docs/adr/0237).

django-allauth's MFA has the rows, the computation of codes and the step of signing in. What it keeps in the cache of a
process, or in clear text, is kept here: a code counts once, by the counter in the row, and secrets are sealed with a
key that is not in the database, together with their person and the set-up that the account names.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import qrcode
from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import format_hotp_value, generate_totp_secret, hotp_value
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.http import HttpRequest

from stellapromote.accounts.models import User
from stellapromote.clock import parse_rfc3339, rfc3339
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.identity import throttle
from stellapromote.identity.known_devices import known_device
from stellapromote.sealed_secrets import sealer
from stellapromote.web.times import duration_words

PERIOD: Final = 30
"""Seconds for which an app shows a code; the one before and the one after count too, as clocks differ."""

SET_UP_WITHIN: Final = timedelta(minutes=30)

APP: Final = Authenticator.Type.TOTP
RECOVERY: Final = Authenticator.Type.RECOVERY_CODES


class SecondFactorAdapter(DefaultMFAAdapter):
    """allauth's hooks. Whether a person has a second factor stands in the account, whose changes are recorded: without
    its rows they cannot sign in."""

    def encrypt(self, text: str) -> str:
        return sealer("second-factor").encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return sealer("second-factor").decrypt(encrypted_text.encode()).decode()

    def is_mfa_enabled(self, user: Any, types: Any = None) -> bool:  # noqa: ARG002
        return isinstance(user, User) and user.second_factor is not None


class TooManyAttempts(ProductError):
    """The delay after wrong codes or passwords (stellapromote.identity.throttle)."""

    families = ("SYS_",)
    code = "SYS_RATE_LIMITED"

    def __init__(self, wait: timedelta) -> None:
        self.retry_after = max(1, -(-wait // timedelta(seconds=1)))
        words = duration_words(timedelta(seconds=self.retry_after))
        super().__init__(f"Too many attempts. Wait {words}, then try again.")


def admit(request: HttpRequest, user: User) -> throttle.Admission:
    """Counts an attempt with a code or with one's own password. Raises TooManyAttempts."""
    address = getattr(request, "client_address", None)
    name = f"code:{user.username}"
    device = known_device(request, user.username)
    admission = throttle.admit(throttle.buckets_for(name, address, device), now=DATABASE_CLOCK.now())
    if not admission.allowed:
        raise TooManyAttempts(admission.wait)
    return admission


def new_secret(user: User) -> tuple[str, str]:
    """A secret for the person's app, and the same sealed for the form that confirms it."""
    secret = generate_totp_secret()
    return secret, SecondFactorAdapter().encrypt(f"{user.pk} {rfc3339(DATABASE_CLOCK.now())} {secret}")


def secret_of_form(user: User, sealed: str, now: datetime) -> str | None:
    """The secret that the form of this person carries; None where it is another's, too old, or not ours."""
    try:
        person, at, secret = SecondFactorAdapter().decrypt(sealed).split(" ")
    except (InvalidToken, ValueError):
        return None
    return secret if person == str(user.pk) and now - parse_rfc3339(at) <= SET_UP_WITHIN else None


def counter_of(secret: str, code: str, now: datetime) -> int | None:
    """The counter whose code this is, now or one period before or after."""
    present = int(now.timestamp()) // PERIOD
    for counter in (present, present - 1, present + 1):
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, counter))):
            return counter
    return None


def sealed_for(user: User, set_up: UUID, secret: str) -> str:
    """The secret as it is stored: it counts for this account and this set-up alone."""
    return SecondFactorAdapter().encrypt(f"{user.pk} {set_up} {secret}")


def secret_in(user: User, sealed: str) -> str | None:
    """None where it was sealed for another account or set-up, or with a key that is not known any more."""
    try:
        person, set_up, secret = SecondFactorAdapter().decrypt(sealed).split(" ")
    except (InvalidToken, ValueError):
        return None
    return secret if (person, set_up) == (str(user.pk), str(user.second_factor)) else None


def recovery_codes_of(authenticator: Authenticator) -> list[str]:
    codes: list[str] = RecoveryCodes(authenticator).generate_codes()
    return codes


def recovery_codes_left(user: User) -> int:
    found = Authenticator.objects.filter(user=user, type=RECOVERY).first()
    return 0 if found is None else settings.MFA_RECOVERY_CODE_COUNT - int(found.data["used_mask"]).bit_count()


def address_for_app(user: User, secret: str) -> str:
    """The otpauth address by which an app takes the secret."""
    address: str = SecondFactorAdapter().build_totp_url(user, secret)
    return address


def picture(address: str) -> dict[str, Any]:
    """The address as a QR code: its size in modules, and the path of the dark ones for an SVG."""
    code = qrcode.QRCode(border=4)
    code.add_data(address)
    rows = code.get_matrix()
    dark = (f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, module in enumerate(row) if module)
    return {"size": len(rows), "path": "".join(dark)}
