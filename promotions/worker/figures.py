"""The list of the figures for Prometheus (docs/adr/0243). No figure names a tenant, a product or an id.

`python -m promotions.worker.figures > docs/metrics.md` writes the page from the list, and a test compares the two.
"""

import sys
from dataclasses import dataclass
from typing import Final, Literal

from promotions.states import OPEN
from stellapromote.database_clock import TOLERANCE

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """``sql`` is an expression without a row of its own: a number, or, with a label, a JSON object of numbers by it."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    meaning: str
    labels: Labels = ()
    sql: str = ""


def _age(oldest: str) -> str:
    """Seconds since the instant that the query selects; 0 without one."""
    return f"greatest(extract(epoch FROM statement_timestamp() - ({oldest})), 0)"


_OPEN: Final = ", ".join(f"'{status}'" for status in sorted(OPEN))
_NUMBERS_BY_STATUS: Final = " UNION ALL ".join(
    f"SELECT '{status}' AS status, count(*) AS number FROM accounts_tenant t "  # noqa: S608 - constants
    f"JOIN promotions_promotion p ON p.tenant_id = t.id AND p.status = '{status}'"
    for status in (*sorted(OPEN), "deploying")
)

DATABASE_UP: Final = Figure(
    "stellapromote_database_up",
    "gauge",
    "1 where the database answered in time. Otherwise 0, and the answer has only this and the gauges of the process "
    "that answers.",
)
OF_THE_DATABASE: Final = (
    Figure(
        "stellapromote_promotions",
        "gauge",
        "Promotions that are open or deploying now, of all tenants together.",
        ("status",),
        f"(SELECT json_object_agg(status, number) FROM ({_NUMBERS_BY_STATUS}) counted)",  # noqa: S608 - constants
    ),
    Figure(
        "stellapromote_promotions_due_seconds",
        "gauge",
        "Seconds for which the open promotion that was due first waits for the worker; 0 without one.",
        sql=_age(f"SELECT min(next_change_at) FROM promotions_promotion WHERE status IN ({_OPEN})"),  # noqa: S608
    ),
    Figure(
        "stellapromote_worker_report_age_seconds",
        "gauge",
        "Seconds since a worker reported last. Missing where none reported for a day.",
        sql=(
            "(SELECT extract(epoch FROM statement_timestamp() - max(at)) FROM promotions_workerheartbeat "  # noqa: S608 - constants
            f"WHERE role = 'worker' AND at <= statement_timestamp() + interval '{TOLERANCE.total_seconds()} s')"
        ),
    ),
    Figure(
        "stellapromote_outbox_age_seconds",
        "gauge",
        "Seconds since the oldest sealed audit event that the worker has not looked at for the outbox; 0 without one.",
        sql=_age(
            "SELECT min(e.timestamp) FROM promotions_outboxmark m "
            "JOIN audit_auditlink l ON l.tenant_id = m.tenant_id AND l.sequence = m.sequence + 1 "
            "JOIN audit_auditevent e ON e.id = l.event_id"
        ),
    ),
    Figure(
        "stellapromote_events_age_seconds",
        "gauge",
        "Seconds for which the oldest event waits for its place in the lines of webhooks; 0 without one.",
        sql=_age(
            "SELECT min(first.created_at) FROM accounts_tenant t CROSS JOIN LATERAL (SELECT e.created_at "
            "FROM promotions_outboxevent e WHERE e.tenant_id = t.id AND e.sequence IS NULL "
            "ORDER BY e.created_at, e.id LIMIT 1) first"
        ),
    ),
    Figure(
        "stellapromote_webhooks_due_seconds",
        "gauge",
        "Seconds for which the delivery of an enabled webhook that was due first waits for the worker; 0 without one.",
        sql=_age(
            "SELECT min(first.due_at) FROM promotions_webhook w CROSS JOIN LATERAL (SELECT d.due_at "
            "FROM promotions_webhookdelivery d WHERE d.webhook_id = w.id AND d.status = 'waiting' "
            "ORDER BY d.due_at LIMIT 1) first WHERE w.ended_at IS NULL AND w.disabled_at IS NULL"
        ),
    ),
    Figure(
        "stellapromote_webhooks_disabled",
        "gauge",
        "Webhooks that are disabled, by a person or because the receiver answered 410.",
        sql="(SELECT count(*) FROM promotions_webhook WHERE ended_at IS NULL AND disabled_at IS NOT NULL)",
    ),
    Figure(
        "stellapromote_emails_waiting",
        "gauge",
        "E-mails that are not sent yet.",
        sql="(SELECT count(*) FROM identity_message WHERE due_at IS NOT NULL)",
    ),
    Figure(
        "stellapromote_emails_age_seconds",
        "gauge",
        "Seconds for which the oldest e-mail that is not sent yet waits; 0 without one.",
        sql=_age("SELECT min(created_at) FROM identity_message WHERE due_at IS NOT NULL"),
    ),
    Figure(
        "stellapromote_audit_events_unsealed",
        "gauge",
        "Audit events that wait for their seal.",
        sql="(SELECT count(*) FROM audit_auditpending)",
    ),
    Figure(
        "stellapromote_audit_unsealed_seconds",
        "gauge",
        "Seconds for which the oldest audit event waits for its seal; 0 without one.",
        sql=_age("SELECT min(e.timestamp) FROM audit_auditpending p JOIN audit_auditevent e ON e.id = p.event_id"),
    ),
    Figure(
        "stellapromote_evidence_findings",
        "gauge",
        "Findings of the verification of what is stored that are not gone.",
        sql="(SELECT count(*) FROM promotions_evidencefinding WHERE gone_at IS NULL)",
    ),
)
REPORT_AGE: Final = Figure(
    "stellapromote_process_report_age_seconds",
    "gauge",
    "Seconds since the process reported last. It has no series once it has not reported for 60 s.",
    ("process", "role"),
)
CLOCK_AHEAD: Final = Figure(
    "stellapromote_process_clock_ahead_seconds",
    "gauge",
    "Seconds by which the clock of the process was ahead of the database's at its last report; negative if behind.",
    ("process",),
)
FAILING_STEPS: Final = Figure(
    "stellapromote_worker_failing_steps",
    "gauge",
    "Steps with which the worker went on failing at its last report; its log names them.",
    ("process",),
)
REQUESTS: Final = Figure(
    "stellapromote_http_request_duration_seconds",
    "histogram",
    "Requests with the seconds from their first byte to their answer, waiting for a thread included. The route other: "
    "static files, paths without a page, and refusals before a thread began. /healthz is not counted.",
    ("process", "method", "route", "status"),
)
CPU: Final = Figure("process_cpu_seconds_total", "counter", "Processor time of the process in seconds.", ("process",))
GAUGES_OF_PROCESSES: Final = (
    Figure("process_resident_memory_bytes", "gauge", "Memory of the process that is in use.", ("process",)),
    Figure("process_virtual_memory_bytes", "gauge", "Address space of the process.", ("process",)),
    Figure("process_start_time_seconds", "gauge", "When the process started, in seconds since 1970.", ("process",)),
    Figure("process_open_fds", "gauge", "Open files and connections of the process.", ("process",)),
    Figure("process_max_fds", "gauge", "The most that the process may open.", ("process",)),
)
FIGURES: Final = (
    DATABASE_UP,
    *OF_THE_DATABASE,
    REPORT_AGE,
    CLOCK_AHEAD,
    FAILING_STEPS,
    REQUESTS,
    CPU,
    *GAUGES_OF_PROCESSES,
)


def figures_as_markdown() -> str:
    """docs/metrics.md."""
    rows = [
        f"| `{figure.name}` | {figure.kind} | {', '.join(f'`{label}`' for label in figure.labels)} | {figure.meaning} |"
        for figure in FIGURES
    ]
    return "\n".join([_PAGE, "| figure | type | labels | meaning |", "|---|---|---|---|", *rows, ""])


_PAGE: Final = """# Figures for Prometheus

`GET /metrics` answers these figures in the text format 0.0.4.
[production.md](production.md#figures-for-prometheus) says who may read it, and how Prometheus asks for it.

Each process reports its own figures every 20 s (a worker every 5 s), and any web process answers for all. `process` is
the name of the machine and the number of the process. Whichever process answers, a counter goes back only where a
process started anew under the same name.

Written by `python -m promotions.worker.figures > docs/metrics.md`.
"""

if __name__ == "__main__":
    sys.stdout.write(figures_as_markdown())
