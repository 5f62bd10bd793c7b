"""The server that takes the product's e-mails, from EMAIL_URL (docs/production.md)."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from stellapromote.environment_variables import is_loopback

_SMTP: Final = "stellapromote.smtp.TimelyBackend"
_CONSOLE: Final = "django.core.mail.backends.console.EmailBackend"
_NONE: Final = "django.core.mail.backends.dummy.EmailBackend"
_FORM: Final = (
    "Write smtp://user:password@host:587 (STARTTLS), smtps://user:password@host:465 (TLS), or console: for a terminal; "
    "characters such as @ or / in user and password as %40 or %2F."
)


@dataclass(frozen=True, slots=True)
class MailServer:
    """``backend``: the class that sends. Without TLS only on this machine. ``is_there``: whether e-mails are sent."""

    backend: str = _NONE
    host: str = "localhost"
    port: int = 25
    user: str = ""
    password: str = field(default="", repr=False)
    starttls: bool = False
    tls: bool = False

    @property
    def is_there(self) -> bool:
        return self.backend != _NONE


def mail_server(url: str) -> MailServer:
    """Reads the address; empty: none. ImproperlyConfigured, without the address: it holds a password."""
    if not url:
        return MailServer()
    if url == "console:":
        return MailServer(_CONSOLE)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ImproperlyConfigured(f"EMAIL_URL is not understood. {_FORM}") from None
    beyond = parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in ("smtp", "smtps") or not host or beyond or bool(parts.username) != bool(parts.password):
        raise ImproperlyConfigured(f"EMAIL_URL is not understood. {_FORM}")
    tls = parts.scheme == "smtps"
    starttls = not tls and not is_loopback(host)
    return MailServer(
        backend=_SMTP,
        host=host,
        port=port or (465 if tls else 587 if starttls else 25),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        starttls=starttls,
        tls=tls,
    )


def sender(address: str, server: MailServer) -> str:
    """The address from which the product writes. ImproperlyConfigured where a server is there and this is none."""
    if not server.is_there:
        return address
    if server.backend == _CONSOLE and not address:
        return "stellapromote@localhost"
    try:
        validate_email(address)
    except ValidationError:
        raise ImproperlyConfigured(
            f"EMAIL_FROM is {address!r}. With EMAIL_URL, write the address that sends, such as promote@example.org."
        ) from None
    return address
