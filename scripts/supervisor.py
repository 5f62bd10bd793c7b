"""`make run`: database, structure, web server and worker, kept alive until Ctrl-C or SIGTERM.

Runs inside .venv/. Every expected trouble ends with one sentence and exit code 1.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType

import psycopg
from django.core.exceptions import ImproperlyConfigured

from scripts.child_process import ChildProcess
from scripts.environment import ROOT, say
from scripts.previous_run import AlreadyRunning, NotWritable, Run
from scripts.web_command import web_command
from stellapromote.environment_variables import EnvironmentVariables, is_loopback
from stellapromote.generated_secrets import secret_from_file
from stellapromote.postgresql.embedded import EmbeddedPostgres, EmbeddedPostgresError
from stellapromote.postgresql.parent_death import die_with_parent
from stellapromote.postgresql.unprivileged import make_state_directory

START_SECONDS = 60.0
STOP_SECONDS = 20.0
TICK_SECONDS = 0.2
DATABASE_CHECK_SECONDS = 2.0


class CannotRun(Exception):
    """The message is one sentence for the person who typed `make run`."""


class Stopped(Exception):
    """A request to stop came while the processes were still starting."""


class Supervisor:
    def __init__(self) -> None:
        self._stop_requests = 0
        self._database_check_at = 0.0
        for request in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(request, self._on_stop)

    def run(self) -> None:
        self._read_settings()
        run = Run(self.state)
        run.claim(self.url)
        check_port(self.host, self.port)
        with contextlib.ExitStack() as stack:
            stack.callback(run.release)
            if self.embedded is not None:
                if not self.embedded.cluster.exists():
                    say(f"Making the database in {self.state} …")
                stack.enter_context(self.embedded.in_use())
            else:
                check_database(self.settings.DATABASES["default"])
            sign_ins = self._prepare()
            children = [
                ChildProcess("web", web_command(self.host, self.port), self.environment, self.state / "web.log"),
                ChildProcess(
                    "worker", [sys.executable, "manage.py", "run_worker"], self.environment, self.state / "worker.log"
                ),
            ]
            stack.callback(self._stop, children)
            for child in children:
                child.start()
            run.note(self.url, [child.process_id for child in children if child.process_id])
            self._wait_until_healthy(children)
            say(
                f"{sign_ins}\nStellaPromote is ready: {self.url}   (Ctrl-C stops it; logs and data are in {self.state})"
            )
            while not self._stop_requests:
                time.sleep(TICK_SECONDS)
                self._keep_database_alive()
                for child in children:
                    child.keep_alive(say)
                run.note(self.url, [child.process_id for child in children if child.process_id])
            say("\nStopping …")
        say("Stopped.")

    def _read_settings(self) -> None:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stellapromote.settings")
        from django.conf import settings

        env = EnvironmentVariables()
        if env.text("DATABASE_URL") and not env.text("SECRET_KEY") and is_loopback(env.text("HOST", "localhost")):
            # Only this process starts web processes here, so one generated key reaches them all.
            path = Path(env.text("STELLAPROMOTE_DATA", str(ROOT / ".data"))).absolute() / "secret-key"
            os.environ["SECRET_KEY"] = secret_from_file(path)
        self.settings = settings
        self.embedded: EmbeddedPostgres | None = settings.EMBEDDED_POSTGRES
        self.state: Path = settings.STELLAPROMOTE_DATA
        make_state_directory(self.state)
        self.host: str = settings.LISTEN_HOST
        self.port: int = settings.LISTEN_PORT
        self.url = address_to_show(self.host, self.port)
        self.environment = dict(os.environ)

    def _prepare(self) -> str:
        """Structure, static files and demo data; what the demo wants to say."""
        with tempfile.NamedTemporaryFile(mode="r", prefix="stellapromote-") as sign_ins:
            process = subprocess.Popen(
                [sys.executable, "-m", "scripts.prepare", sign_ins.name],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
            while process.poll() is None:
                if self._stop_requests:
                    process.terminate()
                    process.wait()
                    raise Stopped
                time.sleep(0.05)
            if process.returncode != 0:
                raise CannotRun("The database could not be prepared; the lines above say why.")
            return sign_ins.read()

    def _wait_until_healthy(self, children: list[ChildProcess]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._stop_requests:
                raise Stopped
            if not children[0].runs:
                break
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                urllib.request.urlopen(f"{self.url}/healthz", timeout=5).close()  # noqa: S310 - our own address
                return
            time.sleep(0.1)
        raise CannotRun(f"The web server did not start; its log is {children[0].log}.")

    def _keep_database_alive(self) -> None:
        now = time.monotonic()
        if self.embedded is None or now < self._database_check_at:
            return
        self._database_check_at = now + DATABASE_CHECK_SECONDS
        if self.embedded.is_running():
            return
        say("The database ended; starting it again.")
        try:
            self.embedded.ensure_running()
        except EmbeddedPostgresError as error:
            say(str(error))

    def _stop(self, children: list[ChildProcess]) -> None:
        for child in children:
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        asked = self._stop_requests
        while any(child.runs for child in children) and time.monotonic() < deadline and self._stop_requests <= asked:
            time.sleep(0.05)
        for child in children:
            child.kill_group()

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop_requests += 1


def address_to_show(host: str, port: int) -> str:
    """The URL to open on this machine, where `host` may mean every address."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
    host = everywhere.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def check_port(host: str, port: int) -> None:
    """Raises CannotRun when nothing can listen on the address."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise CannotRun(f"HOST is {host!r}, which is no address of this machine ({error.strerror}).") from error
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise CannotRun(
                f"Port {port} on {host} cannot be used ({error.strerror}). "
                f"Stop what uses it, or choose another: PORT={port + 1} make run"
            ) from error


def check_database(database: dict[str, object]) -> None:
    """Raises CannotRun when the server of DATABASE_URL does not answer. The app role may not exist yet."""
    try:
        psycopg.connect(
            host=str(database["HOST"]) or None,
            port=str(database["PORT"]) or None,
            user=str(database["USER"]) or None,
            password=str(database["PASSWORD"]) or None,
            dbname=str(database["NAME"]),
            connect_timeout=10,
        ).close()
    except psycopg.OperationalError as error:
        reason = " ".join(line for line in str(error).splitlines() if line and not line.startswith("\t"))
        raise CannotRun(f"The database that DATABASE_URL names does not answer: {reason}") from error


def main() -> None:
    try:
        Supervisor().run()
    except (CannotRun, AlreadyRunning, NotWritable, EmbeddedPostgresError, ImproperlyConfigured) as error:
        sys.exit(str(error))
    except Stopped:
        say("Stopped.")


if __name__ == "__main__":
    main()
