"""The schema that the migrations make, kept as SQL between test runs: migrating costs seconds, restoring a fraction.

The key covers the migrations, what they import and the installed packages; a fresh checkout always migrates.
"""

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path

import psycopg
from django.conf import settings
from django.core.management import call_command

from stellapromote.postgresql.binaries import Binaries, find_binaries
from stellapromote.postgresql.embedded import OWNER, SUPERUSER, EmbeddedPostgres
from stellapromote.postgresql.roles import no_temporary_tables_sql
from stellapromote.postgresql.unprivileged import server_user

KEPT_IN = Path(settings.BASE_DIR) / ".test-database"
IMPORTED_BY_MIGRATIONS = ("stellapromote/postgresql/roles.py", "stellapromote/ids.py", "promotions/states.py")


def make_schema(server: EmbeddedPostgres) -> None:
    """Have the running server's database migrated, from the kept SQL where it is there."""
    binaries = find_binaries(server_user(server.cluster), server.home / "binaries")
    kept = KEPT_IN / f"{_fingerprint(binaries)}.sql"
    KEPT_IN.mkdir(exist_ok=True)
    with (KEPT_IN / "lock").open("ab") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not kept.exists():
            call_command("migrate", database="owner", interactive=False, verbosity=0)
            _keep(server, binaries, kept)
            return
    _client(server, binaries, "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={kept}")
    with psycopg.connect(server.connection(OWNER).conninfo, autocommit=True) as owner:
        owner.execute(no_temporary_tables_sql().encode())  # a dump holds no rights on the database itself


def _keep(server: EmbeddedPostgres, binaries: Binaries, kept: Path) -> None:
    if not (binaries.directory / "psql").exists():
        return
    for old in KEPT_IN.glob("*.sql"):
        old.unlink(missing_ok=True)
    unfinished = kept.with_suffix(".unfinished")
    _client(server, binaries, "pg_dump", f"--file={unfinished}")
    unfinished.replace(kept)


def _fingerprint(binaries: Binaries) -> str:
    root = Path(settings.BASE_DIR)
    files = [*root.glob("*/migrations/*.py"), *root.glob("stellapromote/*/migrations/*.py")]
    files += [root / name for name in (*IMPORTED_BY_MIGRATIONS, "requirements/base.txt")]
    found = hashlib.sha256(f"{binaries} {settings.INSTALLED_APPS}".encode())
    for path in sorted(files):
        found.update(f"{path} ".encode() + path.read_bytes())
    return found.hexdigest()[:32]


def _client(server: EmbeddedPostgres, binaries: Binaries, program: str, *arguments: str) -> None:
    connection = server.connection(SUPERUSER)
    environment = {"PATH": os.environ.get("PATH", ""), "PGPASSWORD": connection.password}
    where = [f"--host={connection.host}", f"--port={connection.port}", f"--username={connection.user}"]
    done = subprocess.run(
        [binaries.directory / program, *where, f"--dbname={connection.dbname}", *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{program} failed: {done.stderr}")
