"""How the web server is started by `make run` and for the tests; the Dockerfile says the same in its own words."""

import sys

# granian's default is 256 threads a worker, each with its own database connection; more than two wait for each other.
THREADS_PER_WORKER = 2


def web_command(host: str, port: int, workers: int = 2) -> list[str]:
    return [
        sys.executable,
        "-m",
        "granian",
        "--interface=wsgi",
        f"--host={host}",
        f"--port={port}",
        f"--workers={workers}",
        f"--blocking-threads={THREADS_PER_WORKER}",
        "--blocking-threads-idle-timeout=600",
        "--respawn-failed-workers",
        "--respawn-interval=0.5",
        "--workers-kill-timeout=10",
        "--no-ws",
        "--log-level=warning",
        "stellapromote.wsgi:application",
    ]
