from ipaddress import ip_network

import pytest

from stellapromote.environment_variables import TrustedProxies
from stellapromote.web.client_address import _parse_short, client_address, client_of

NOBODY = TrustedProxies()
ONE = TrustedProxies(count=1)
TWO = TrustedProxies(count=2)
INSIDE = TrustedProxies(networks=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")))

CASES = [
    # nobody is trusted: the header is what a stranger wrote
    (NOBODY, "203.0.113.9", "", "203.0.113.9"),
    (NOBODY, "203.0.113.9", "198.51.100.1", "203.0.113.9"),
    (NOBODY, "10.0.0.1", "198.51.100.1", "10.0.0.1"),
    # one proxy: its entry counts, what the client wrote left of it does not
    (ONE, "10.0.0.1", "198.51.100.1", "198.51.100.1"),
    (ONE, "10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
    (ONE, "10.0.0.1", "", "10.0.0.1"),
    (TWO, "10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
    # networks: as long as the speaker is inside one
    (INSIDE, "10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
    (INSIDE, "203.0.113.9", "198.51.100.1", "203.0.113.9"),
    (INSIDE, "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
    (INSIDE, "fd00::1", "2001:db8::7", "2001:db8::7"),
    # an entry that is no address ends the reading
    (ONE, "10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
    (INSIDE, "10.0.0.1", "198.51.100.1, '; drop, 10.0.0.2", "10.0.0.2"),
    # one written form for one address
    (NOBODY, "::ffff:203.0.113.9", "", "203.0.113.9"),
    (NOBODY, "fe80::1%eth0", "", "fe80::1"),
    # a Unix socket has no address; a counted proxy may speak over one
    (NOBODY, "", "198.51.100.1", None),
    (ONE, "", "198.51.100.1", "198.51.100.1"),
]


@pytest.mark.parametrize(("trusted", "peer", "forwarded", "expected"), CASES)
def test_forwarding_headers_count_only_behind_configured_proxies(
    trusted: TrustedProxies, peer: str, forwarded: str, expected: str | None
) -> None:
    assert client_address(peer, forwarded, trusted) == expected


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "client"),
    [
        ("203.0.113.9", "198.51.100.1", NOBODY, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", ONE, "198.51.100.1"),
        ("2001:db8:1:2:3::4", "", NOBODY, "2001:db8:1:2::/64"),
        ("", "", NOBODY, ""),
    ],
)
def test_who_takes_turns(peer: str, forwarded: str, trusted: TrustedProxies, client: str) -> None:
    assert client_of(trusted, peer, forwarded) == client


def test_what_is_no_address_is_not_remembered() -> None:
    """Strangers write this header, of 60 KB and another one with each request."""
    remembered = _parse_short.cache_info().misses
    for number in range(10):
        assert client_address("203.0.113.9", f"{number}{'z' * 60_000}", ONE) == "203.0.113.9"
    assert _parse_short.cache_info().misses <= remembered + 1
