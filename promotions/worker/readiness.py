"""Whether the installation can do its work, part by part, with what to do where it cannot (contract.md, /readyz)."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.models import Q

from policies.gates import REGISTRY
from promotions.models import EvidenceFinding, EvidenceRound, ProcessHeartbeat
from promotions.packets.signing_key import problem
from promotions.verification.database import check_database
from promotions.worker.failures import any_failing
from promotions.worker.heartbeats import WORKER_SILENT
from promotions.worker.last_writes import newest_ahead
from promotions.worker.verifier import ALL_EVERY, NEW_EVERY
from stellapromote.audit.sealer import unsealed_age
from stellapromote.clock import Clock
from stellapromote.database.errors import disk_was_full, is_away, is_without_connections, is_without_primary
from stellapromote.database.locks import locked_table
from stellapromote.database.pooler import lost_timeouts
from stellapromote.database_clock import DATABASE_CLOCK, TOLERANCE, process_ahead
from stellapromote.identity.messages import is_server_lost
from stellapromote.recorded_rows import SCHEMA

UNSEALED = timedelta(seconds=60)
AHEAD = timedelta(hours=1)
"""So much later than it should be the next verification of what is stored may be planned: clocks differ."""
LATE = timedelta(days=1)
"""The longest that a due verification of everything may wait for its begin."""

LOCK_SECONDS: Final = 1
"""A part waits this long for a lock: it keeps a web thread meanwhile."""

RULES_EVERY: Final = 60
"""The seconds between two comparisons of the rules of the database, in each process."""

# Whether a commit would wait without end. Every login sees how many standbys are connected, and not their names.
_NO_STANDBY = (
    "current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') NOT IN "
    "('off', 'local') AND NOT EXISTS (SELECT FROM pg_stat_get_wal_senders())"
)

Judge = Callable[[datetime], tuple[bool, str] | tuple[bool, str, bool]]
"""Whether it works, a sentence, and whether it is degraded."""


@dataclass(frozen=True, slots=True)
class PartReadiness:
    """``degraded``: it works, and needs attention."""

    name: str
    ok: bool
    message: str
    degraded: bool = False


def check_readiness(clock: Clock = DATABASE_CLOCK) -> list[PartReadiness]:
    """Every part in the order of dependence, each at its own instant, or the database alone where it keeps calls from
    all. A part waits one second for a lock at most.

    Cost: some thirty statements, and thirteen more once a minute; without a database, one attempt."""
    try:
        database = _database()
        if not database.ok:
            return [database]
        return [database, *(_judged(name, judge, clock) for name, judge in _PARTS.items())]
    except (OperationalError, InterfaceError) as error:  # the database went away meanwhile
        return [_without_database(error)]


def _judged(name: str, judge: Judge, clock: Clock) -> PartReadiness:
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            return PartReadiness(name, *judge(clock.now()))
    except (OperationalError, InterfaceError) as error:
        if is_away(error):
            raise
        return PartReadiness(
            name, False, "This cannot be read from the database now: see its log, and what holds locks there for long."
        )
    except DatabaseError:
        return PartReadiness(name, False, "This cannot be read from the database: run `manage.py migrate`.")


def _database() -> PartReadiness:
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT has_database_privilege(current_database(), 'TEMPORARY'), "
                f"current_setting('transaction_read_only')::boolean, {_NO_STANDBY}"
            )
            may_make_tables, read_only, without_standby = cursor.fetchone()
        without_timeouts = lost_timeouts(connection)
    except (DatabaseError, InterfaceError) as error:
        return _without_database(error)
    if read_only:
        return PartReadiness(
            "database",
            False,
            "The database is read-only: it is a standby, or default_transaction_read_only is on. Promote it, or name "
            "the primary in DATABASE_URL.",
        )
    if without_standby:
        return PartReadiness(
            "database",
            False,
            "Every change waits for a synchronous standby, and none is connected: start it, or empty "
            "synchronous_standby_names on the primary.",
        )
    if disk_was_full():
        return PartReadiness(
            "database",
            False,
            "The disk of the database is full: changes failed within the last minute. Make room on it.",
        )
    locked = locked_table(LOCK_SECONDS)
    if locked is not None:
        return PartReadiness(
            "database",
            False,
            f"Calls wait for the table {locked}, which a session of the database has locked: see pg_locks, and end the "
            "session.",
        )
    if may_make_tables:
        return PartReadiness(
            "database",
            True,
            "The database answers. Its login may make temporary tables, which nothing needs: run `manage.py migrate`.",
            degraded=True,
        )
    if without_timeouts:
        return PartReadiness(
            "database",
            True,
            f"The database answers, without {', '.join(without_timeouts)} as they are set here: a pooler drops the "
            "start-up options. Set the same with ALTER ROLE (docs/production.md, Database).",
            degraded=True,
        )
    return PartReadiness("database", True, "The database answers.")


def _without_database(error: Exception) -> PartReadiness:
    message = "The database does not answer: see whether PostgreSQL runs and DATABASE_URL fits."
    if is_without_primary(error):
        message = (
            "No host of DATABASE_URL takes changes: those that answer are standbys. Promote one, or name the primary."
        )
    elif is_without_connections(error):
        message = (
            "The database has no connection free for this process: see max_connections, the limit of the role, and who "
            "holds the others."
        )
    return PartReadiness("database", False, message)


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


def _clock(now: datetime) -> tuple[bool, str] | tuple[bool, str, bool]:
    """Processes decide by the database's time, with any clock of their own. A row that is dated ahead stops only its
    own object."""
    said = [f"This process's clock is {apart}." for apart in _apart(process_ahead())]
    for role, ahead_ms in ProcessHeartbeat.objects.living(now).order_by("name").values_list("role", "clock_ahead_ms"):
        said += [f"The clock of a {_PROCESSES[role]} is {apart}." for apart in _apart(timedelta(milliseconds=ahead_ms))]
    if said:
        said.append("Decisions use the database's time, which pages and logs then contradict: set the clocks by NTP.")
    for role, at in ProcessHeartbeat.objects.filter(at__gt=now + TOLERANCE).order_by("name").values_list("role", "at"):
        said += [
            f"A report of a {_PROCESSES[role]} is dated {apart} and counts as none: see whether the database's clock "
            "went back, or who changed promotions_workerheartbeat."
            for apart in _apart(at - now)
        ]
    found = newest_ahead(now)
    if found is not None:
        row, ahead = found
        seconds = math.ceil(ahead.total_seconds())
        said.append(
            f"The {row.kind} {row.id} is dated {seconds} s ahead of the database's clock, and nothing is decided about "
            "what rests on it until then: see whether the clock of the database is right."
        )
    if said:
        return True, " ".join(said), True
    return True, "The clocks of the processes and the database agree."


_PROCESSES: dict[str, str] = {ProcessHeartbeat.Role.WORKER: "worker", ProcessHeartbeat.Role.WEB: "web process"}


def _apart(ahead: timedelta) -> list[str]:
    """In words, if two clocks are further apart than the tolerance."""
    if abs(ahead) <= TOLERANCE:
        return []
    side = "ahead of" if ahead > timedelta(0) else "behind"
    return [f"{math.ceil(abs(ahead).total_seconds())} s {side} the database's"]


def _worker(now: datetime) -> tuple[bool, str] | tuple[bool, str, bool]:
    workers = ProcessHeartbeat.objects.filter(role=ProcessHeartbeat.Role.WORKER)
    reports = workers.filter(at__lte=now + TOLERANCE)  # none of a clock that was set back since
    newest = reports.order_by("-at").values_list("at", flat=True).first()
    if newest is None:
        return False, "No worker has ever reported: start `manage.py run_worker`."
    silent = now - newest
    if silent > WORKER_SILENT:
        seconds = int(silent.total_seconds())
        return (
            False,
            f"No worker has reported for {seconds} s: see whether it is stuck, or start `manage.py run_worker`.",
        )
    reported = f"A worker reported {max(0, int(silent.total_seconds()))} s ago."
    recent = workers.living(now).values_list("failing_steps", flat=True)
    failing = sorted({step for steps in recent for step in steps})
    if failing:
        steps = ", ".join(failing)
        return True, f"{reported} It fails with these steps: {steps}. Its log says why (worker_step_failed).", True
    if any_failing(now):
        return (
            True,
            f"{reported} It fails with some promotions and tries them again: its log names them (worker_step_failed).",
            True,
        )
    if is_server_lost():
        message = f"{reported} E-mails wait for the mail server: see EMAIL_URL, and the worker's log (mail_not_sent)."
        return True, message, True
    return True, reported


def _audit_log(now: datetime) -> tuple[bool, str]:
    age = unsealed_age(now)
    if age > UNSEALED:
        return (
            False,
            f"Audit events have waited {int(age.total_seconds())} s for their seal: see whether a worker runs.",
        )
    return True, "The audit log is sealed."


def _evidence(now: datetime) -> tuple[bool, str] | tuple[bool, str, bool]:
    """A finding of one tenant stops no other tenant, so the process still takes calls."""
    if EvidenceFinding.objects.filter(gone_at=None).exists():
        return (
            True,
            "Stored rows differ from signed ones: see `manage.py verify_evidence` and `manage.py verify_audit_log`.",
            True,
        )
    resting = Q(rests_until__gt=now + NEW_EVERY + AHEAD) | Q(all_due_at__gt=now + ALL_EVERY + AHEAD)
    if EvidenceRound.objects.filter(resting | Q(all_due_at__lt=now - LATE)).exists():
        silenced = (
            "The worker does not verify the stored rows in time: see whether it runs and who changed "
            "promotions_evidenceround, and run `manage.py verify_evidence`."
        )
        return True, silenced, True
    if ProcessHeartbeat.objects.living(now).exclude(row_schema=SCHEMA).exists():
        message = (
            "A process of another version reports, which records settings in another way: end it, or see who changed "
            "promotions_workerheartbeat."
        )
        return True, message, True
    if ProcessHeartbeat.objects.living(now).exclude(kind_versions__contains=dict(REGISTRY.current)).exists():
        message = (
            "A process of another version reports, and decisions use of each gate the newest version that all know: "
            "end the older one, or see who changed promotions_workerheartbeat."
        )
        return True, message, True
    if _rules_changed(int(time.monotonic() // RULES_EVERY)):
        return True, "The rules of the database are not those of this version: see `manage.py verify_evidence`.", True
    return True, "No verification found anything that is not as it was signed."


@lru_cache(maxsize=1)
def _rules_changed(now: int) -> bool:  # noqa: ARG001 - once for each
    return bool(check_database())


_PARTS: dict[str, Judge] = {
    "migrations": _migrations,
    "clock": _clock,
    "signingKey": _signing_key,
    "worker": _worker,
    "auditLog": _audit_log,
    "evidence": _evidence,
}
