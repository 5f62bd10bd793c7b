"""The one way by which the product calls addresses that people configure: checked, bounded, with a list of forbidden
ones.

A name is resolved once, every address is judged, and the connection goes to the judged address, so that no second
answer of a name server can lead elsewhere. No redirect is followed, no proxy of the environment is used, size and
total time have limits, and only a whole answer counts (docs/adr/0063). Pure: the platform's exceptions (OUTBOUND_ALLOW)
are handed in.
"""

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

import h11

from stellapromote.wrong_values import CREDENTIALS

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_BYTES: Final = 1024 * 1024
MOST_BYTES_OF_HEADERS: Final = 32 * 1024
LONGEST_URL: Final = 2000
PORTS: Final = {"http": 80, "https": 443}

_NAT64: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_REFUSED: Final = tuple(
    ipaddress.ip_network(each)
    for each in (
        *("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15"),
        *("100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10"),
    )
)
"""Beside what `ipaddress` calls private, loopback, link-local, multicast and reserved: versions of Python differ."""


class OutboundFailed(Exception):
    """No answer that could be used; `code` says why, the text is for people and holds nothing of the answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


REFUSED: Final = "ADDRESS_REFUSED"
UNREACHABLE: Final = "UNREACHABLE"
TOO_LATE: Final = "TIMEOUT"
TOO_LARGE: Final = "TOO_LARGE"
NOT_HTTP: Final = "NOT_HTTP"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The platform's exceptions: networks, and (host, port) pairs whose host may have any address."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[tuple[str, int]] = frozenset()

    def allows(self, host: str, port: int, address: Address) -> bool:
        """Whether a connection may go there."""
        if (host, port) in self.hosts:
            return True
        return is_public(address) or any(_is_in(address, network) for network in self.networks)

    def names(self, host: str, port: int) -> bool:
        """Whether the exceptions name this host itself: with its port, or by its address."""
        address = _literal(host)
        return (host, port) in self.hosts or (
            address is not None and any(_is_in(address, network) for network in self.networks)
        )


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `seconds` is the limit for all of it: names, connection, answer."""

    url: str
    seconds: float
    method: str = "GET"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    most_bytes: int = MOST_BYTES


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer, with any status. ``headers``: the first of each, by its name in lower case."""

    status: int
    duration_ms: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def allowed(items: list[str]) -> Allowed:
    """Exceptions as they are written in OUTBOUND_ALLOW: `10.0.0.0/8`, `10.1.2.3`, `opa.internal:8181`, `[::1]:8181`.

    ValueError for anything else.
    """
    networks: list[Network] = []
    hosts: set[tuple[str, int]] = set()
    for item in items:
        try:
            networks.append(ipaddress.ip_network(item))
        except ValueError:
            host, _, port = item.rpartition(":")
            if not host or "/" in host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
                raise ValueError(f"{item!r} is neither a network nor host:port") from None
            hosts.add((host.strip("[]").lower(), int(port)))
    return Allowed(tuple(networks), frozenset(hosts))


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet, also for IPv6 addresses that carry an IPv4 one inside."""
    inner = _inside(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or any(_is_in(address, network) for network in _REFUSED)
    )


def _inside(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to: mapped, 6to4, NAT64; Teredo and the rest are refused by network."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in _NAT64) or int(address) >> 32 == 0:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _is_in(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def url_problem(url: str) -> str | None:
    """The reason why this cannot be a URL to call, in words for the person who configures it; None when it can."""
    if len(url) > LONGEST_URL or not url.isascii() or any(ord(each) <= 32 or ord(each) == 127 for each in url):
        return f"This must be an address of at most {LONGEST_URL} plain characters."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "This must be an address like https://example.org/health."
    if parts.scheme not in PORTS or not parts.hostname or port == 0:
        return "This must be an address like https://example.org/health."
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        return CREDENTIALS.message
    return "This must not have a #fragment." if parts.fragment else None


def receiver_problem(url: str, allow: Allowed) -> str | None:
    """The reason why signed messages cannot go to this URL: `url_problem`, no TLS, or an address that is refused as it
    stands. Asks no name server."""
    problem = url_problem(url)
    if problem is not None:
        return problem
    parts = urlsplit(url)
    host, port = (parts.hostname or "").lower(), parts.port or PORTS[parts.scheme]
    if parts.scheme != "https" and not allow.names(host, port):
        return "This must begin with https://: the platform may allow http for this host and port (OUTBOUND_ALLOW)."
    address = _literal(host)
    if address is not None and not allow.allows(host, port, address):
        return "This address is not one of the open internet: the platform may allow it (OUTBOUND_ALLOW)."
    return None


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def fetch(request: Request, allow: Allowed) -> Answer:
    """Sends one request and reads the answer. Raises OutboundFailed for every failure, and nothing else.

    A redirect is an answer like others: it is not followed.
    """
    problem = url_problem(request.url)
    if problem is not None:
        raise OutboundFailed(NOT_HTTP, problem)
    began = time.monotonic()
    deadline = began + request.seconds
    parts = urlsplit(request.url)
    host, port = (parts.hostname or "").lower(), parts.port or PORTS[parts.scheme]
    addresses = _judged(host, port, allow, deadline)
    connection = _Connection(host, port, deadline)
    try:
        connection.open(addresses, secure=parts.scheme == "https")
        status, headers, body = _exchange(connection, request, parts)
    except TimeoutError:
        raise OutboundFailed(TOO_LATE, f"no complete answer within {request.seconds:g} s") from None
    except ssl.SSLError:
        raise OutboundFailed(UNREACHABLE, "its certificate or encryption cannot be trusted") from None
    except OSError:
        raise OutboundFailed(UNREACHABLE, "nothing answers there") from None
    except h11.ProtocolError:
        raise OutboundFailed(NOT_HTTP, "what it answers is no HTTP, or not all of it") from None
    finally:
        connection.close()
    return Answer(status, round((time.monotonic() - began) * 1000), body, headers)


def _exchange(connection: "_Connection", request: Request, parts: SplitResult) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a whole answer (RFC 9112): its headers end, and its body is as long as they say."""
    protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_BYTES_OF_HEADERS)
    for part in _written(request, parts):
        connection.send(protocol.send(part) or b"")
    status, headers, body = 0, dict[str, str](), bytearray()
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(connection.receive())
        elif isinstance(event, h11.Response):
            _refuse_what_can_be_read_in_two_ways(event)
            status = event.status_code
            headers = {name.decode("ascii"): value.decode("latin-1") for name, value in reversed(list(event.headers))}
            if _declared_length(event) > request.most_bytes:
                raise OutboundFailed(TOO_LARGE, f"the answer has more than {request.most_bytes} bytes")
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > request.most_bytes:
                raise OutboundFailed(TOO_LARGE, f"the answer has more than {request.most_bytes} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return status, headers, bytes(body)
        elif not isinstance(event, h11.InformationalResponse):
            raise OutboundFailed(NOT_HTTP, "it ends the connection instead of answering")


def _written(request: Request, parts: SplitResult) -> Iterator[h11.Event]:
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    named = {"Host": host if parts.port in (None, PORTS[parts.scheme]) else f"{host}:{parts.port}"}
    length = {} if request.body is None else {"Content-Length": str(len(request.body))}
    ours = {"User-Agent": "StellaPromote", "Accept-Encoding": "identity", "Connection": "close"}
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {**named, **ours, **length, **request.headers}
    yield h11.Request(method=request.method, target=target, headers=list(headers.items()))
    if request.body is not None:
        yield h11.Data(data=request.body)
    yield h11.EndOfMessage()


def _refuse_what_can_be_read_in_two_ways(response: h11.Response) -> None:
    names = {name for name, _ in response.headers}
    if response.http_version not in (b"1.0", b"1.1") or {b"content-length", b"transfer-encoding"} <= names:
        raise OutboundFailed(NOT_HTTP, "its answer can be read in more than one way")


def _declared_length(response: h11.Response) -> int:
    return next((int(value) for name, value in response.headers if name == b"content-length"), 0)


def _judged(host: str, port: int, allow: Allowed, deadline: float) -> list[Address]:
    """The addresses of a name. One forbidden address refuses the name: the choice of an address is no matter of
    luck."""
    found = _resolved(host, port, deadline)
    if not found:
        raise OutboundFailed(UNREACHABLE, "its name has no address")
    if any(not allow.allows(host, port, address) for address in found):
        raise OutboundFailed(REFUSED, "its address is not one of the open internet: the platform may allow it")
    return found


def _resolved(host: str, port: int, deadline: float) -> list[Address]:
    """Asks the system's resolver in a thread that is left behind when it takes too long: it cannot be interrupted."""
    found: list[Address] = []
    done = threading.Event()

    def ask() -> None:
        with contextlib.suppress(OSError, ValueError):
            for *_, sockaddr in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                address = ipaddress.ip_address(str(sockaddr[0]).partition("%")[0])
                if address not in found:
                    found.append(address)
        done.set()

    threading.Thread(target=ask, daemon=True).start()
    if not done.wait(max(0.0, deadline - time.monotonic())):
        raise OutboundFailed(TOO_LATE, "its name was not resolved in time")
    return found


class _Connection:
    """A connection to judged addresses; the name for TLS is that of the URL. TimeoutError at the deadline."""

    def __init__(self, host: str, port: int, deadline: float) -> None:
        self._host = host
        self._port = port
        self._deadline = deadline
        self._open: socket.socket | None = None

    def open(self, addresses: list[Address], *, secure: bool) -> None:
        raw = self._connected(addresses)
        if secure:
            # An end that TLS does not announce is an error: anybody on the way can cut an answer off.
            context = ssl.create_default_context()
            context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
            raw = context.wrap_socket(
                raw, server_hostname=self._host, suppress_ragged_eofs=False, do_handshake_on_connect=False
            )
        self._open = raw
        self._in_time()
        if isinstance(raw, ssl.SSLSocket):
            raw.do_handshake()

    def send(self, data: bytes) -> None:
        self._in_time().sendall(data)

    def receive(self) -> bytes:
        """What has arrived; nothing at the end."""
        return self._in_time().recv(65_536)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()

    def _connected(self, addresses: list[Address]) -> socket.socket:
        problem: OSError = OSError("no address")
        for address in addresses:
            try:
                return socket.create_connection((str(address), self._port), timeout=self._left())
            except TimeoutError:
                raise
            except OSError as error:
                problem = error
        raise problem

    def _in_time(self) -> socket.socket:
        """The socket, whose next step ends at the deadline: a slow drip of bytes would never time out by itself."""
        assert self._open is not None
        self._open.settimeout(self._left())
        return self._open

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left
