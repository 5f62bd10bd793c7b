"""Tasks that do everything a task must not do; run in a child by test_pool.py."""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

from stellapromote.isolation import TaskRefused


def echo(payload: bytes) -> bytes:
    return payload


def process_id(payload: bytes) -> bytes:
    return str(os.getpid()).encode()


def loop(payload: bytes) -> bytes:
    while True:
        pass


def sleep(payload: bytes) -> bytes:
    signal.pause()
    return b""


def nap(payload: bytes) -> bytes:
    time.sleep(float(payload))
    return b"rested"


def work(payload: bytes) -> bytes:
    until = time.process_time() + float(payload)
    while time.process_time() < until:
        pass
    return b"done"


def hoard(payload: bytes) -> bytes:
    kept = []
    while True:
        kept.append(bytearray(16 * 1024 * 1024))


def crash(payload: bytes) -> bytes:
    os.kill(os.getpid(), signal.SIGSEGV)
    return b""


def fail(payload: bytes) -> bytes:
    raise LookupError("secret of the payload")


def recurse(payload: bytes) -> bytes:
    return recurse(payload)


def refuse(payload: bytes) -> bytes:
    raise TaskRefused("EVD_INVALID_DOCUMENT", "This is no SBOM.", "components[3].purl")


def shout(payload: bytes) -> bytes:
    return b"x" * int(payload)


def mutter(payload: bytes) -> bytes:
    print("into the answer?")
    sys.stderr.write("or here?")
    return b"said nothing"


def surroundings(payload: bytes) -> bytes:
    descriptors = sorted(each.name for each in Path("/proc/self/fd").iterdir()) if payload == b"descriptors" else []
    return repr((dict(os.environ), descriptors)).encode()


def read_file(payload: bytes) -> bytes:
    return Path(payload.decode()).read_bytes()


def write_file(payload: bytes) -> bytes:
    Path(payload.decode()).write_bytes(b"x")
    return b"written"


def limits(payload: bytes) -> bytes:
    names = ("RLIMIT_NPROC", "RLIMIT_CORE", "RLIMIT_AS")
    return json.dumps({name: resource.getrlimit(getattr(resource, name))[1] for name in names}).encode()


def processor_seconds(payload: bytes) -> bytes:
    return str(resource.getrlimit(resource.RLIMIT_CPU)[0]).encode()
