"""The command of the web server for `make run` and for the tests; the Dockerfile has the same in its own words."""

import sys


def web_command(host: str, port: int, workers: int = 2) -> list[str]:
    return [
        sys.executable,
        "-m",
        "granian",
        "--interface=rsgi",
        "--http=1",
        # Headers that do not arrive end after so many milliseconds, as a connection does on which nothing comes.
        "--http1-header-read-timeout=5000",
        # So many connections are taken while thousands of others send slowly (stellapromote/front).
        "--backlog=4096",
        "--backpressure=2048",
        f"--host={host}",
        f"--port={port}",
        f"--workers={workers}",
        "--respawn-failed-workers",
        "--respawn-interval=0.5",
        # At a stop, longer than a small body may take to arrive; the supervisor waits longer.
        "--workers-kill-timeout=15",
        "--no-ws",
        "--log-level=warning",
        "stellapromote.rsgi:application",
    ]
