import ipaddress
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from policies import outbound
from policies.outbound import Allowed, OutboundFailed, Request, allowed, fetch, is_public, receiver_problem, url_problem

LOOPBACK = allowed(["127.0.0.0/8", "::1"])
Handler = Callable[[socket.socket], None]


def _whole_request(connection: socket.socket) -> bytes:
    """The head, and as much body as it declares."""
    said = connection.recv(65536)
    head, _, body = said.partition(b"\r\n\r\n")
    declared = re.search(rb"Content-Length: (\d+)", head)
    while declared is not None and len(body) < int(declared[1]):
        more = connection.recv(65536)
        if not more:
            break
        said, body = said + more, body + more
    return said


@contextmanager
def server(handler: Handler) -> Iterator[int]:
    """A server on loopback that hands each connection, after its request's head, to the handler."""

    class Handle(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            seen.append(_whole_request(self.request))
            try:
                handler(self.request)
            except OSError:
                return

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handle) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield running.server_address[1]
        finally:
            running.shutdown()
            thread.join()


seen: list[bytes] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


def says(answer: bytes) -> Handler:
    return lambda connection: connection.sendall(answer)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def ask(
    port: int, path: str = "/health", *, seconds: float = 5.0, most: int = 1000, allow: Allowed = LOOPBACK
) -> object:
    return fetch(Request(f"http://127.0.0.1:{port}{path}", seconds, most_bytes=most), allow)


def failure(port: int, **options: float) -> str:
    with pytest.raises(OutboundFailed) as failed:
        ask(port, **options)  # type: ignore[arg-type]
    return failed.value.code


def test_an_answer_has_status_time_and_body() -> None:
    with server(says(OK)) as port:
        answer = ask(port)
    assert isinstance(answer, outbound.Answer)
    assert (answer.status, answer.body) == (200, b"ok")
    assert 0 <= answer.duration_ms < 5000


def test_an_answer_has_the_first_header_of_each_name() -> None:
    with server(says(b"HTTP/1.1 503 Down\r\nRetry-After: 7\r\nretry-after: 9\r\nContent-Length: 0\r\n\r\n")) as port:
        answer = ask(port)
    assert isinstance(answer, outbound.Answer)
    assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://example.org/hook", None),
        ("http://hooks.internal:8080/x", None),
        ("http://10.1.2.3/x", None),
        ("https://10.1.2.3/x", None),
        ("http://example.org/hook", "https://"),
        ("http://hooks.internal:8081/x", "https://"),
        ("https://192.168.0.1/x", "open internet"),
        ("https://[::ffff:192.168.0.1]/x", "open internet"),
        ("https://user:pass@example.org/", "user or password"),
        ("ftp://example.org/", "address like"),
    ],
)
def test_a_receiver_of_signed_messages_has_tls_and_a_public_address_or_is_allowed(url: str, told: str | None) -> None:
    problem = receiver_problem(url, allowed(["10.0.0.0/8", "hooks.internal:8080"]))
    assert (problem is None) if told is None else (told in str(problem))


def test_the_request_names_the_host_and_goes_to_the_path() -> None:
    with server(says(OK)) as port:
        ask(port, "/health?deep=1")
    assert seen[0].startswith(b"GET /health?deep=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{port}\r\n".encode() in seen[0]


def test_a_redirect_is_not_followed() -> None:
    with server(says(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")) as port:
        answer = ask(port)
    assert isinstance(answer, outbound.Answer)
    assert (answer.status, len(seen)) == (302, 1)


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(says(OK)) as port:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        ask(port)
    assert len(seen) == 1


def test_a_server_that_hangs_is_left_in_time() -> None:
    with server(lambda connection: time.sleep(3)) as port:
        began = time.monotonic()
        assert failure(port, seconds=0.3) == "TIMEOUT"
        assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"],
)
def test_a_slow_drip_is_left_in_time_wherever_it_drips(head: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.02)

    with server(drip) as port:
        began = time.monotonic()
        assert failure(port, seconds=0.4) == "TIMEOUT"
        assert time.monotonic() - began < 1.5


def test_endless_interim_answers_are_left_in_time() -> None:
    def interim(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.01)

    with server(interim) as port:
        assert failure(port, seconds=0.4) in ("TIMEOUT", "NOT_HTTP")


def test_a_declared_answer_of_2_gb_is_refused_unread() -> None:
    def huge(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n")
        time.sleep(2)

    with server(huge) as port:
        began = time.monotonic()
        assert failure(port) == "TOO_LARGE"
        assert time.monotonic() - began < 1


@pytest.mark.parametrize("chunked", [True, False])
def test_an_endless_answer_is_left_at_the_limit(chunked: bool) -> None:
    sent = [0]

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + (b"Transfer-Encoding: chunked\r\n" if chunked else b"") + b"\r\n")
        block = b"10000\r\n" + b"x" * 65536 + b"\r\n" if chunked else b"x" * 65536
        for _ in range(2**31 // 65536):
            connection.sendall(block)
            sent[0] += len(block)

    with server(endless) as port:
        assert failure(port, most=100_000) == "TOO_LARGE"
    assert sent[0] < 50_000_000


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: b",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 500\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nthis is no header\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_what_is_no_http_or_not_all_of_it_is_an_error(answer: bytes) -> None:
    with server(says(answer)) as port:
        assert failure(port) in ("NOT_HTTP", "UNREACHABLE")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\no\r\n1\r\nk\r\n0\r\nTrailer: z\r\n\r\n",
        OK + b"and more that nobody asked for",
    ],
)
def test_a_whole_answer_is_read_in_each_form(answer: bytes) -> None:
    with server(says(answer)) as port:
        found = ask(port)
    assert isinstance(found, outbound.Answer)
    assert (found.status, found.body) == (200, b"ok")


def test_a_closed_port_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert failure(taken.getsockname()[1]) == "UNREACHABLE"


def test_a_plain_server_is_no_https() -> None:
    with server(says(OK)) as port, pytest.raises(OutboundFailed) as failed:
        fetch(Request(f"https://127.0.0.1:{port}/", 5), LOOPBACK)
    assert failed.value.code == "UNREACHABLE"


def test_loopback_is_refused_unless_the_platform_allows_it() -> None:
    with server(says(OK)) as port:
        with pytest.raises(OutboundFailed) as failed:
            ask(port, allow=Allowed())
        assert (failed.value.code, seen) == ("ADDRESS_REFUSED", [])


def test_a_host_and_port_may_be_allowed_alone() -> None:
    with server(says(OK)) as port, server(says(OK)) as other:
        allow = allowed([f"127.0.0.1:{port}"])
        ask(port, allow=allow)
        with pytest.raises(OutboundFailed):
            ask(other, allow=allow)


def _resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def answer(host: str, port: int, **_options: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(outbound.socket, "getaddrinfo", answer)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "017700000001",
        "127.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "[::]",
    ],
)
def test_other_ways_to_write_loopback_are_refused_too(host: str) -> None:
    with pytest.raises(OutboundFailed) as failed:
        fetch(Request(f"http://{host}/", 5), Allowed())
    assert failed.value.code in ("ADDRESS_REFUSED", "UNREACHABLE")


def test_a_name_with_one_private_address_is_refused_whatever_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolving(monkeypatch, "93.184.216.34", "10.0.0.1")
    with pytest.raises(OutboundFailed) as failed:
        fetch(Request("http://mixed.example/", 5), Allowed())
    assert failed.value.code == "ADDRESS_REFUSED"


def test_the_name_is_resolved_once_and_the_judged_address_called(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    with server(says(OK)) as port:

        def answer(host: str, port: int, **_options: object) -> list[object]:
            asked.append(host)
            address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        real = socket.getaddrinfo
        monkeypatch.setattr(
            outbound.socket,
            "getaddrinfo",
            lambda host, *rest, **more: (
                answer(host, rest[0]) if host == "rebinding.example" else real(host, *rest, **more)
            ),
        )
        fetch(Request(f"http://rebinding.example:{port}/", 5), LOOPBACK)
    assert asked == ["rebinding.example"]
    assert f"Host: rebinding.example:{port}".encode() in seen[0]


def test_a_name_server_that_hangs_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound.socket, "getaddrinfo", lambda *_args, **_options: time.sleep(1) or [])
    with pytest.raises(OutboundFailed) as failed:
        fetch(Request("http://slow.example/", 0.2), Allowed())
    assert failed.value.code == "TIMEOUT"
    time.sleep(1)  # for the thread that was left behind


NOT_PUBLIC = [
    *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1"),
    *("172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "100::1", "2001::1"),
    *("::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1"),
    *("2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::", "::7f00:1", "::a00:1", "3fff::1", "5f00::1"),
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_that_are_not_of_the_open_internet(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::"],
)
def test_addresses_of_the_open_internet(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "example.org",
            "ftp://example.org/",
            "file:///etc/passwd",
            "http://",
            "http:///x",
            "http://a:b@c/",
            "http://@c/",
        ),
        *(
            "http://a b/",
            "http://a/\r\nX: y",
            "http://a:99999/",
            "http://a:0/",
            "http://ä/",
            "http://a/#x",
            "http://[::1/",
        ),
        "http://a/" + "x" * 2000,
    ],
)
def test_what_is_no_url_to_call(url: str) -> None:
    assert url_problem(url) is not None
    with pytest.raises(OutboundFailed):
        fetch(Request(url, 1), Allowed())


@pytest.mark.parametrize("url", ["http://example.org", "https://example.org:8443/a?b=c", "http://[2606:4700::1]/x"])
def test_what_is_a_url_to_call(url: str) -> None:
    assert url_problem(url) is None


@pytest.mark.parametrize("items", [["10.0.0.1/8"], ["opa"], ["opa:"], ["opa:0"], ["opa:x"], [":80"], ["http://opa:80"]])
def test_exceptions_that_are_none_are_refused(items: list[str]) -> None:
    with pytest.raises(ValueError, match="neither"):
        allowed(items)


def test_exceptions_as_they_are_written() -> None:
    read = allowed(["10.0.0.0/8", "10.1.2.3", "OPA.internal:8181", "[::1]:8181"])
    assert [str(each) for each in read.networks] == ["10.0.0.0/8", "10.1.2.3/32"]
    assert read.hosts == {("opa.internal", 8181), ("::1", 8181)}
