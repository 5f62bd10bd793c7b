"""Whether the installation can do its work, part by part, with what to do where it cannot (api.md, /readyz)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.loader import MigrationLoader

from promotions.failures import any_failing
from promotions.models import EvidenceFinding, WorkerHeartbeat
from promotions.signing_key import problem
from stellapromote.audit.sealer import unsealed_age

WORKER_SILENT = timedelta(seconds=60)
UNSEALED = timedelta(seconds=60)

Judge = Callable[[datetime], tuple[bool, str] | tuple[bool, str, bool]]
"""Whether it works, a sentence, and whether it is degraded."""


@dataclass(frozen=True, slots=True)
class Part:
    """``degraded``: it works, and needs somebody."""

    name: str
    ok: bool
    message: str
    degraded: bool = False


def look_around(now: datetime) -> list[Part]:
    """Every part, in the order in which they need each other. Seven statements; without a database, one attempt."""
    database = _database(now)
    if not database.ok:
        return [database]
    return [database, *(_judged(name, judge, now) for name, judge in _PARTS.items())]


def _judged(name: str, judge: Judge, now: datetime) -> Part:
    try:
        return Part(name, *judge(now))
    except (DatabaseError, InterfaceError):
        return Part(name, False, "This cannot be read from the database: run `manage.py migrate`.")


def _database(now: datetime) -> Part:  # noqa: ARG001 - as the others
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT has_database_privilege(current_database(), 'TEMPORARY')")
            may_make_tables = cursor.fetchone()[0]
    except (DatabaseError, InterfaceError):
        return Part(
            "database", False, "The database does not answer: see whether PostgreSQL runs and DATABASE_URL fits."
        )
    if may_make_tables:
        return Part(
            "database",
            True,
            "The database answers. Its login may make temporary tables, which nothing needs: run `manage.py migrate`.",
            degraded=True,
        )
    return Part("database", True, "The database answers.")


def _migrations(now: datetime) -> tuple[bool, str]:  # noqa: ARG001 - as the others
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        applied = set(cursor.fetchall())
    missing = len(_newest_migrations() - applied)
    if missing:
        return False, f"The tables of {missing} apps are older than this version: run `manage.py migrate`."
    return True, "The tables are those of this version."


@lru_cache(maxsize=1)
def _newest_migrations() -> frozenset[tuple[str, str]]:
    """The last migration of each app, from the files of this version."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).graph.leaf_nodes())


def _signing_key(now: datetime) -> tuple[bool, str]:  # noqa: ARG001 - as the others
    found = problem()
    return found is None, found or "Decisions can be signed."


def _worker(now: datetime) -> tuple[bool, str] | tuple[bool, str, bool]:
    newest = WorkerHeartbeat.objects.order_by("-at").values_list("at", flat=True).first()
    if newest is None:
        return False, "No worker has ever reported: start `manage.py run_worker`."
    silent = now - newest
    if silent > WORKER_SILENT:
        return False, f"No worker has reported for {int(silent.total_seconds())} s: start `manage.py run_worker`."
    reported = f"A worker reported {max(0, int(silent.total_seconds()))} s ago."
    if any_failing(now):
        return (
            True,
            f"{reported} It fails with some promotions and tries them again: its log names them (worker_step_failed).",
            True,
        )
    return True, reported


def _audit_log(now: datetime) -> tuple[bool, str]:
    age = unsealed_age(now)
    if age > UNSEALED:
        return (
            False,
            f"Audit events have waited {int(age.total_seconds())} s for their seal: see whether a worker runs.",
        )
    return True, "The audit log is sealed."


def _evidence(now: datetime) -> tuple[bool, str] | tuple[bool, str, bool]:  # noqa: ARG001 - as the others
    """What one tenant has stored stops nobody else, so it is no reason to take no calls."""
    if EvidenceFinding.objects.filter(gone_at=None).exists():
        return (
            True,
            "What is stored is not what was signed: see `manage.py verify_evidence` and `manage.py verify_audit_log`.",
            True,
        )
    return True, "No verification found anything that is not as it was signed."


_PARTS: dict[str, Judge] = {
    "migrations": _migrations,
    "signingKey": _signing_key,
    "worker": _worker,
    "auditLog": _audit_log,
    "evidence": _evidence,
}
