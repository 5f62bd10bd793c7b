"""Where a request comes from: forwarding headers count only behind configured proxies (domain.md §9). Pure."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Protocol

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_LONGEST: Final = 100
"""Characters of an address with a zone."""


class TrustedProxies(Protocol):
    """settings.TRUSTED_PROXIES: the number of proxies in front, or their networks; neither: no proxy is trusted."""

    @property
    def count(self) -> int: ...
    @property
    def networks(self) -> Sequence[Network]: ...


def client_address(peer: str, forwarded_for: str, trusted: TrustedProxies) -> str | None:
    """The address of the client: the peer, or, as far as trusted proxies vouch for it, the address that they name.

    X-Forwarded-For is read from the right, where the nearest proxy writes. An entry that is no address ends the
    reading: the entries left of it come from no trusted proxy. None without any address (a Unix socket).
    """
    known = _parse(peer)
    for steps, entry in enumerate(reversed(forwarded_for.split(","))):
        claimed = _parse(entry)
        vouched = steps < trusted.count or (known is not None and any(known in net for net in trusted.networks))
        if claimed is None or not vouched:
            break
        known = claimed
    return None if known is None else str(known)


@lru_cache(maxsize=4096)
def neighbourhood(address: str) -> str:
    """The address that is counted as one client: an IPv6 address stands for its /64, of which one line has all to
    choose from."""
    parsed = ip_address(address)
    return str(IPv6Network((int(parsed), 64), strict=False)) if isinstance(parsed, IPv6Address) else address


def client_of(trusted: TrustedProxies, peer: str, forwarded_for: str) -> str:
    """The client of a request, for the turns that clients take (stellapromote.front); "" for all without an address."""
    address = client_address(peer, forwarded_for, trusted)
    return "" if address is None else neighbourhood(address)


def _parse(text: str) -> Address | None:
    """None also for what is longer than any address: strangers write it, and each would be remembered."""
    text = text.strip()
    return _parse_short(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _parse_short(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))  # without the zone of a link-local address
    return address
