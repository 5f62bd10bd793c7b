"""Typed reading of settings from the environment. A wrong value raises ImproperlyConfigured that says what to write.

Every variable can also be given as a file: NAME_FILE holds the path of a file with the value (Docker and Kubernetes
secrets). Giving both is refused.
"""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies whose forwarding headers count: their number in front, or their networks. Falsy: none."""

    count: int = 0
    networks: tuple[Network, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.count or self.networks)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_origin(text: str) -> bool:
    try:
        return text.startswith(("https://", "http://")) and text.count("/") == 2 and bool(urlsplit(text).hostname)
    except ValueError:
        return False


class EnvironmentVariables:
    """Readers over one mapping. An empty value is the same as none."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = os.environ if values is None else values

    def text(self, name: str, default: str = "") -> str:
        """The value, or that of the file NAME_FILE names without its last line end, or the default."""
        value = self._values.get(name, "")
        path = self._values.get(f"{name}_FILE", "")
        if value and path:
            raise ImproperlyConfigured(f"Both {name} and {name}_FILE are set. Unset one of them.")
        if path:
            try:
                value = Path(path).read_text().rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise ImproperlyConfigured(
                    f"{name}_FILE names {path}, which cannot be read ({error}). Make it readable or correct the path."
                ) from error
            if not value:
                raise ImproperlyConfigured(f"{name}_FILE names {path}, which is empty. Write the value into it.")
        return value or default

    def boolean(self, name: str, default: bool) -> bool:
        value = self.text(name).lower()
        if not value:
            return default
        if value not in WORDS:
            raise ImproperlyConfigured(f"{name} is {value!r}. Write 1 or 0.")
        return WORDS[value]

    def integer(self, name: str, default: int, *, at_least: int, at_most: int) -> int:
        value = self.text(name)
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and len(value) < 19 and at_least <= int(value) <= at_most):
            raise ImproperlyConfigured(f"{name} is {value!r}. Write a whole number from {at_least} to {at_most}.")
        return int(value)

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in choices:
            raise ImproperlyConfigured(f"{name} is {value!r}. Write one of: {', '.join(choices)}.")
        return value

    def items(self, name: str, default: str = "") -> list[str]:
        """Values separated by commas, without the space around them and without empty ones."""
        return [item.strip() for item in self.text(name, default).split(",") if item.strip()]

    def origins(self, name: str) -> list[str]:
        origins = self.items(name)
        for origin in origins:
            if not _is_origin(origin):
                raise ImproperlyConfigured(f"{name} has {origin!r}. Write origins such as https://promote.example.org.")
        return origins

    def networks(self, name: str) -> tuple[Network, ...]:
        """Networks and addresses ("10.0.0.0/8,192.168.1.5")."""
        try:
            return tuple(ipaddress.ip_network(item) for item in self.items(name))
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} is not understood ({error}). Write networks, separated by commas: 10.0.0.0/8,192.168.1.5."
            ) from error

    def trusted_proxies(self, name: str) -> TrustedProxies:
        """A count ("1") or networks ("10.0.0.0/8,192.168.1.5")."""
        items = self.items(name)
        if len(items) == 1 and items[0].isascii() and items[0].isdigit() and len(items[0]) <= 2:
            return TrustedProxies(count=int(items[0]))
        try:
            return TrustedProxies(networks=tuple(ipaddress.ip_network(item) for item in items))
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} is not understood ({error}). "
                "Write how many proxies are in front (1) or their networks (10.0.0.0/8,192.168.1.5)."
            ) from error
