"""What strangers that send slowly, and large uploads, cost everybody else: the latency of /healthz and of sign-in."""

import base64
import json
import socket
import threading
import time
from contextlib import ExitStack

from tests.bench.load import Measured, request, run

STRANGERS = 100
UPLOADS = 4
ENTRIES = 40_000
_ARTIFACT = b"sha256:" + b"b" * 64


def beside_slow_clients(port: int, token: str, paths: tuple[str, ...], seconds: float) -> dict[str, Measured]:
    """Each path asked again and again over one connection, while STRANGERS send a byte each second of a body that they
    never end, and UPLOADS are under way all the time."""
    ends = threading.Event()
    with ExitStack() as stack:
        others = [threading.Thread(target=_send_slowly, args=(port, ends))]
        others += [threading.Thread(target=_upload, args=(port, token, number, ends)) for number in range(UPLOADS)]
        for other in others:
            other.start()
            stack.callback(other.join)
        stack.callback(ends.set)
        time.sleep(1)
        return {path: run(port, [[request("GET", path, token)]], seconds=seconds) for path in paths}


def _send_slowly(port: int, ends: threading.Event) -> None:
    head = b"POST /accounts/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
    strangers: list[socket.socket] = []
    while not ends.wait(1):
        for each in strangers[:]:
            try:
                each.sendall(b" ")
            except OSError:
                strangers.remove(each)
        while len(strangers) < STRANGERS:  # those that got their 408 come again
            strangers.append(socket.create_connection(("127.0.0.1", port)))
            strangers[-1].sendall(head)
    for each in strangers:
        each.close()


def _upload(port: int, token: str, number: int, ends: threading.Event) -> None:
    """SBOMs of some megabytes, one after the other; one that is refused is sent again a second later."""
    names = (f"NAME-{each}" for each in range(ENTRIES))
    listed = [{"type": "library", "name": name, "version": "1", "purl": f"pkg:npm/{name}@1"} for name in names]
    pattern = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": listed}).encode()
    sent = 0
    while not ends.is_set():
        sent += 1
        document = base64.b64encode(pattern.replace(b"NAME", b"lib-%d-%d" % (number, sent)))
        body = b'{"artifactDigest":"%s","kind":"sbom","documentBase64":"%s"}' % (_ARTIFACT, document)
        answered = run(port, [[request("POST", "/api/v1/evidence", token, body)]])
        if set(answered.statuses) != {201}:
            ends.wait(1)
