"""The embedded PostgreSQL: made on first use, started for the first process that needs it, stopped by the last one.

Everything lives below one state directory (STELLAPROMOTE_DATA):

    postgresql/            home: cluster/ (data), socket/, binaries/ (copies of the wheel, only where needed);
                           a symbolic link where root's state directory is closed to the server's account
    postgresql.json        passwords (mode 0600)
    postgresql.lock        held while the server is made, started or stopped
    postgresql.users       held shared by every process that uses the server; the kernel lets go for a killed one
    postgresql.log         the log of the server

The server listens on a Unix socket only and asks for a password (SCRAM) there too.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg

from stellapromote.postgresql.binaries import Binaries, BinariesNotFound, find_binaries
from stellapromote.postgresql.parent_death import die_with_parent
from stellapromote.postgresql.roles import APP_ROLE
from stellapromote.postgresql.unprivileged import ServerUser, hand_over, make_state_directory, server_user

DATABASE = "stellapromote"
SUPERUSER = "postgres"
OWNER = "stellapromote_owner"
LOGIN = "stellapromote_login"
PORT = 5432  # only part of the socket's file name

# sockaddr_un.sun_path holds 104 bytes on macOS and 108 on Linux, with the file name and a final NUL.
LONGEST_SOCKET_DIRECTORY = 103 - len(f"/.s.PGSQL.{PORT}") - 1
# Where root keeps the data when the server's account cannot reach the state directory.
OPEN_PLACE = Path("/var/lib/stellapromote")
# Not TMPDIR: processes with different environments have to find the same socket.
SHORT_PLACE = Path("/tmp")  # noqa: S108 - a directory of somebody else's there is refused
START_SECONDS = 60.0
STOP_SECONDS = 60.0
LARGEST_LOG_BYTES = 10 * 1024 * 1024
# Backends of a killed server need a moment to notice; until then a new one refuses to touch the data.
TRY_AGAIN_ON = ("is still in use", "already exists")


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be made, started or stopped; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The connection of one role, in libpq's words."""

    host: str
    port: int
    user: str
    password: str
    dbname: str

    @property
    def conninfo(self) -> str:
        return psycopg.conninfo.make_conninfo(
            host=self.host, port=self.port, user=self.user, password=self.password, dbname=self.dbname
        )


class EmbeddedPostgres:
    """One server for one state directory. Nothing is made or started before it is asked for."""

    def __init__(self, state: Path, *, throw_away: bool = False) -> None:
        """With `throw_away` (tests) nothing is synced to disk and the server does not outlive this process."""
        self.state = state.absolute()
        self.throw_away = throw_away
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> Path:
        return (self.state / "postgresql").resolve()

    @property
    def cluster(self) -> Path:
        return self.home / "cluster"

    @property
    def socket_directory(self) -> Path:
        beside = self.home / "socket"
        if len(os.fsencode(beside)) <= LONGEST_SOCKET_DIRECTORY:
            return beside
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return SHORT_PLACE / f"stellapromote-{name}"

    def connection(self, user: str = LOGIN, dbname: str = DATABASE) -> Connection:
        """The connection of `user` (LOGIN, OWNER or SUPERUSER). Makes the state directory and the passwords on first
        use.

        Raises EmbeddedPostgresError when the state directory cannot be written or belongs to another account.
        """
        with self._clear_errors():
            self._make_state()
            return Connection(str(self.socket_directory), PORT, user, self._passwords()[user], dbname)

    def is_running(self) -> bool:
        """Whether the server answers right now."""
        try:
            with psycopg.connect(self.connection(SUPERUSER, "postgres").conninfo, connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keeps the server running while the block runs; the last of all processes that use it stops it.

        Cost: one connection when it runs already; about 0.3 s to start it, 1 to 2 s to make it. Raises
        EmbeddedPostgresError.
        """
        with self._clear_errors():
            users = self._join()
        owner = os.getpid()
        try:
            yield
        finally:
            if os.getpid() == owner:
                with self._clear_errors():
                    self._leave(users)

    def ensure_running(self) -> None:
        """Start the server again if it died. To be called inside `in_use()`. Raises EmbeddedPostgresError."""
        with self._clear_errors(), self._transition():
            self._start_if_needed()

    def _join(self) -> IO[bytes]:
        self._make_state()
        with self._transition():
            users = (self.state / "postgresql.users").open("ab")
            fcntl.flock(users, fcntl.LOCK_SH)
            try:
                self._start_if_needed()
            except BaseException:
                users.close()
                raise
        return users

    def _leave(self, users: IO[bytes]) -> None:
        with self._transition():
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                users.close()
                return
            try:
                self._stop()
            finally:
                users.close()

    @contextlib.contextmanager
    def _transition(self) -> Iterator[None]:
        with (self.state / "postgresql.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EmbeddedPostgresError(
                f"{error.filename or self.state} cannot be used ({error.strerror}). "
                "Run as the user who made it, or set STELLAPROMOTE_DATA to a directory of your own."
            ) from error
        except (BinariesNotFound, LookupError) as error:
            raise EmbeddedPostgresError(str(error)) from error

    # Making ----------------------------------------------------------------------------------------------------

    def _make_state(self) -> None:
        """The state directory and home. Nothing happens when they exist."""
        make_state_directory(self.state)
        link = self.state / "postgresql"
        if link.exists():
            return
        with self._transition():
            if link.exists():
                return
            if server_user(link).can_reach(self.state):
                link.mkdir(mode=0o755 if os.geteuid() == 0 else 0o700)
            else:
                OPEN_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
                home = Path(tempfile.mkdtemp(prefix="postgresql-", dir=OPEN_PLACE))
                home.chmod(0o755)
                link.unlink(missing_ok=True)  # a link whose target is gone
                link.symlink_to(home)

    def _passwords(self) -> dict[str, str]:
        path = self.state / "postgresql.json"
        if not path.exists():
            made = {role: secrets.token_urlsafe(32) for role in (SUPERUSER, OWNER, LOGIN)}
            draft = self.state / f"postgresql.{secrets.token_hex(8)}.json"
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
                json.dump(made, file)
            with contextlib.suppress(FileExistsError):  # another process was first: its passwords count
                path.hardlink_to(draft)
            draft.unlink()
        passwords: dict[str, str] = json.loads(path.read_text())
        return passwords

    def _make_cluster(self, user: ServerUser, binaries: Binaries) -> None:
        """initdb and roles in a temporary directory, then one rename: a cluster is there whole or not at all."""
        for leftover in self.home.glob("cluster.unfinished-*"):
            shutil.rmtree(leftover)
        unfinished = self.home / f"cluster.unfinished-{secrets.token_hex(4)}"
        unfinished.mkdir(mode=0o700)
        user.take(unfinished)
        # Sorted by code point, cased beyond ASCII, and the same under every libc.
        locale = ["--locale=C", "--lc-ctype=C.UTF-8"]
        if binaries.major >= 17:
            locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        # Trust is never in force: pg_hba.conf is replaced before the first start.
        settings = ["--auth=trust", "--no-instructions", "--encoding=UTF8", f"--username={SUPERUSER}", *locale]
        if self.throw_away:
            settings.append("--no-sync")
        self._run([binaries.initdb, f"--pgdata={unfinished}", *settings], user, "make its data directory")
        (unfinished / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        single = [binaries.postgres, "--single", "-D", str(unfinished), "-j", "-c", "exit_on_error=true", "postgres"]
        self._run(single, user, "create its roles", _roles_sql(self._passwords()))
        unfinished.rename(self.cluster)

    def _run(self, command: list[str], user: ServerUser, purpose: str, sql: str = "") -> None:
        done = subprocess.run(
            command,
            input=sql.encode(),
            capture_output=True,
            cwd="/",
            env=_plain_environment(),
            **user.process_options(),
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            raise EmbeddedPostgresError(f"The embedded PostgreSQL could not {purpose}: {' / '.join(said[-3:])}")

    # Starting and stopping -------------------------------------------------------------------------------------

    def _start_if_needed(self) -> None:
        if self.cluster.exists() and self.is_running():
            return
        if hand_over(self.cluster):
            shutil.rmtree(self.socket_directory, ignore_errors=True)  # the other account could still reach it
        user = server_user(self.cluster)
        if not user.can_reach(self.home):
            raise EmbeddedPostgresError(
                f"{self.home} cannot be reached by {user.name}, the account that PostgreSQL runs as. "
                "Set STELLAPROMOTE_DATA to a directory that it can reach, or set DATABASE_URL."
            )
        made_by = self.cluster / "PG_VERSION"
        required = int(made_by.read_text()) if made_by.exists() else None
        binaries = find_binaries(user, self.home / "binaries", required)
        if not self.cluster.exists():
            self._make_cluster(user, binaries)
        self._make_socket_directory(user)
        deadline = time.monotonic() + START_SECONDS
        if self._comes_back(deadline):
            return
        while not self._start_once(user, binaries, deadline):
            time.sleep(0.2)

    def _make_socket_directory(self, user: ServerUser) -> None:
        directory = self.socket_directory
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), user.uid}:
            raise EmbeddedPostgresError(f"{directory} belongs to another user: remove it or move STELLAPROMOTE_DATA.")
        user.take(directory)
        directory.chmod(0o700)

    def _start_once(self, user: ServerUser, binaries: Binaries, deadline: float) -> bool:
        """Start the server and wait until it answers. False: it gave up for a reason that passes, start it again."""
        self._forget_dead_server()
        log_path = self.state / "postgresql.log"
        if log_path.exists() and log_path.stat().st_size > LARGEST_LOG_BYTES:
            log_path.replace(log_path.with_suffix(".log.1"))
        with log_path.open("ab") as log:
            log_path.chmod(0o600)
            log_start = log.tell()
            self._process = subprocess.Popen(
                [binaries.postgres, "-D", str(self.cluster), *self._server_settings()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_plain_environment(),
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGQUIT) if self.throw_away else None,
                **user.process_options(),
            )
        while time.monotonic() < deadline:
            if self.is_running():
                return True
            if self._process.poll() is not None:
                said = log_path.read_bytes()[log_start:].decode(errors="replace")
                if any(words in said for words in TRY_AGAIN_ON):
                    return False
                raise EmbeddedPostgresError(
                    f"The embedded PostgreSQL did not start: {_last_words(said)} (log: {log_path})"
                )
            time.sleep(0.02)
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL did not answer within {START_SECONDS:.0f} seconds; its log is {log_path}."
        )

    def _server_settings(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_directory),
            "unix_socket_permissions": "0700",
            "port": str(PORT),
            "logging_collector": "off",
        }
        if self.throw_away:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
            settings["max_parallel_workers_per_gather"] = "0"  # starting them costs more than tests have rows
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def _server_process_id(self) -> int | None:
        return _first_number(self.cluster / "postmaster.pid")

    def _comes_back(self, deadline: float) -> bool:
        """Whether the server lives and answers before the deadline: it recovers by itself when a backend is killed."""
        while self._server_lives() and time.monotonic() < deadline:
            if self.is_running():
                return True
            time.sleep(0.05)
        return False

    def _server_lives(self) -> bool:
        """Whether postmaster.pid names a process that works in our cluster."""
        return self._works_here(self._server_process_id())

    def _works_here(self, process_id: int | None) -> bool:
        """A dead process that its parent has not waited for works nowhere. False without /proc."""
        try:
            return Path(f"/proc/{process_id}/cwd").resolve(strict=True) == self.cluster
        except OSError:
            return False

    def _forget_dead_server(self) -> None:
        """After a crash a lock file may name a process that is another program now, or that is dead and not waited for
        by its parent: the server would not start."""
        for lock in (self.cluster / "postmaster.pid", self.socket_directory / f".s.PGSQL.{PORT}.lock"):
            process_id = _first_number(lock)
            if process_id is not None and Path(f"/proc/{process_id}").exists() and not self._works_here(process_id):
                lock.unlink(missing_ok=True)

    def _stop(self) -> None:
        process_id = self._server_process_id()
        if process_id is None or not self.is_running():
            return
        for request, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 10.0)):  # fast, then immediate
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, request)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if self._process is not None:
                    self._process.poll()  # reap, else it stays a zombie of ours
                if self._server_process_id() is None:
                    if not self.socket_directory.is_relative_to(self.home):
                        with contextlib.suppress(OSError):
                            self.socket_directory.rmdir()
                    return
                time.sleep(0.01)
        raise EmbeddedPostgresError(f"The embedded PostgreSQL (process {process_id}) does not stop.")


def _first_number(file: Path) -> int | None:
    """The process that the first line of a lock file names."""
    try:
        return int(file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _roles_sql(passwords: dict[str, str]) -> str:
    """The roles and databases of a new cluster. Statements end with a semicolon and an empty line, as single-user mode
    wants it."""
    statements = [f"ALTER ROLE {SUPERUSER} PASSWORD '{passwords[SUPERUSER]}'"]
    statements += [f"CREATE ROLE {role} LOGIN PASSWORD '{passwords[role]}'" for role in (OWNER, LOGIN)]
    statements += [
        f"CREATE ROLE {APP_ROLE} NOLOGIN",
        f"GRANT {APP_ROLE} TO {LOGIN}",
        f"GRANT {APP_ROLE} TO {OWNER}",
        f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
    ]
    return "".join(f"{statement};\n\n" for statement in statements)


def _plain_environment() -> dict[str, str]:
    """The environment without libpq's variables and without our secrets: it is readable by the server's account."""
    return {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR") if name in os.environ}


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "could not" in line]
    return (telling or lines or ["it said nothing"])[-1]
