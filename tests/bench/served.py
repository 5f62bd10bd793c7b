"""The product on granian, as `make run` starts it, and what its processes cost."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.setting import ROOT


@contextmanager
def server(application: str, **environment: str) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """The application on granian with the settings of `make run`, in its own processes."""
    from scripts.web_command import web_command

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    command = [*web_command("127.0.0.1", port)[:-1], application]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "API_RATE_LIMIT": "0", **environment}, start_new_session=True
    )
    try:
        wait_for(port, process)
        yield port, process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            time.sleep(1.5)  # Every worker has to be up, not only the first.
            return
    sys.exit("The server for the measurement did not start.")


def family(process: "subprocess.Popen[bytes]") -> list[int]:
    """The workers of a server: its children."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=False
    )
    return [int(each) for each in listed.stdout.split()]


def resident(process: "subprocess.Popen[bytes]") -> list[float]:
    """Resident megabytes of each worker."""
    page = resource.getpagesize()
    return [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page / 1e6 for pid in family(process)]


def cpu_seconds(process: "subprocess.Popen[bytes]") -> float:
    """CPU seconds that the workers have used since they began."""
    ticks = 0
    for pid in family(process):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
