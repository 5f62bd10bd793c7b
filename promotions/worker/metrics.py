"""The figures for Prometheus as they are now, in its text format (docs/adr/0243)."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, NamedTuple

import orjson
from django.db import DatabaseError, InterfaceError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from prometheus_client import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from promotions.models import ProcessHeartbeat
from promotions.models.worker import SILENT
from promotions.worker.figures import (
    CLOCK_AHEAD,
    CPU,
    DATABASE_UP,
    FAILING_STEPS,
    GAUGES_OF_PROCESSES,
    OF_THE_DATABASE,
    REPORT_AGE,
    REQUESTS,
    Figure,
    Labels,
)
from promotions.worker.heartbeats import process_name
from promotions.worker.process_figures import process_figures
from stellapromote.database_clock import TOLERANCE

logger = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 2
STATEMENT_SECONDS: Final = 1
"""What the database may take for the connection, and for each of the two statements that read: Prometheus gives up
after 10."""

_SELECT: Final = "SELECT " + ", ".join(figure.sql for figure in OF_THE_DATABASE)
_REPORTS: Final = f"""
SELECT name, role, extract(epoch FROM statement_timestamp() - at)::float, clock_ahead_ms / 1000.0::float,
  jsonb_array_length(failing_steps), figures::text
FROM promotions_workerheartbeat
WHERE at > statement_timestamp() - interval '{SILENT.total_seconds()} s'
  AND at <= statement_timestamp() + interval '{TOLERANCE.total_seconds()} s'
ORDER BY name
"""  # noqa: S608 - the parts are constants


class Report(NamedTuple):
    """The last one of a process that lives."""

    name: str
    role: str
    age: float
    clock_ahead: float
    failing_steps: int
    figures: str


class Series(NamedTuple):
    """Requests of one process: the number up to each bound, and the sum of their seconds."""

    labels: Labels
    buckets: Sequence[tuple[str, float]]
    seconds: float


@dataclass(frozen=True, slots=True)
class Read:
    """What the database answered: a value for each of OF_THE_DATABASE, in their order, and the reports."""

    numbers: Sequence[Any]
    reports: Sequence[Report]


def figures_as_text() -> bytes:
    """In the text format 0.0.4 of Prometheus. Where the database does not answer in time, what this process knows.

    Cost: a connection of its own and two statements, which read what is open and nothing that has ended."""
    try:
        read = _read()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("The database does not answer for /metrics: %s", error)
        return generate_latest(_Families(_without_database()))
    return generate_latest(_Families(families_of(read)))


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _read() -> Read:
    """On a connection of its own: that of a thread may hang in a call, and has longer time-outs."""
    own: BaseDatabaseWrapper = connection.copy()
    own.settings_dict["OPTIONS"] |= {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": 1000 * CONNECT_SECONDS}
    with closing(own), own.cursor() as cursor:
        cursor.execute("BEGIN READ ONLY")  # ended with the connection
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        cursor.execute(_SELECT)
        numbers = cursor.fetchone()
        cursor.execute(_REPORTS)
        return Read(numbers, [Report(*row) for row in cursor.fetchall()])


def families_of(read: Read) -> list[Metric]:
    """All figures in the order of the list."""
    found = [_gauge(DATABASE_UP, {(): 1})]
    for figure, value in zip(OF_THE_DATABASE, read.numbers, strict=True):
        found.append(_gauge(figure, {(each,): value[each] for each in sorted(value)} if figure.labels else {(): value}))
    found.append(_gauge(REPORT_AGE, {(each.name, each.role): max(each.age, 0) for each in read.reports}))
    found.append(_gauge(CLOCK_AHEAD, {(each.name,): each.clock_ahead for each in read.reports}))
    workers = {(each.name,): each.failing_steps for each in read.reports if each.role == ProcessHeartbeat.Role.WORKER}
    found.append(_gauge(FAILING_STEPS, workers))
    own = {each.name: _own_figures(each) for each in read.reports}
    found.append(_requests({name: series for name, (series, _) in own.items()}))
    return [*found, *_of_processes({name: process for name, (_, process) in own.items()})]


def _without_database() -> list[Metric]:
    """Without what processes count: those counts are in the database as each reported them last, and a series that
    showed a newer one would go back afterwards."""
    known = {name: value for name, value in process_figures().items() if name != CPU.name}
    return [_gauge(DATABASE_UP, {(): 0}), *_of_processes({process_name(): known})]


def _gauge(figure: Figure, values: Mapping[Any, float | None]) -> Metric:
    family = GaugeMetricFamily(figure.name, figure.meaning, labels=figure.labels)
    for labels, value in values.items():
        if value is not None:
            family.add_metric(labels, float(value))
    return family


def _own_figures(report: Report) -> tuple[list[Series], dict[str, float]]:
    """The requests and the other figures of a process. None where they cannot be read: another version may write them
    in another form."""
    try:
        said = orjson.loads(report.figures)
        process = {str(name): float(value) for name, value in (said.get("process") or {}).items()}
        requests = said.get("requests") or {"bounds": [], "series": []}
        bounds = [*map(floatToGoString, requests["bounds"]), "+Inf"]
        series = [
            Series((method, route, status), list(zip(bounds, accumulate(counts), strict=True)), float(seconds))
            for method, route, status, counts, seconds in sorted(requests["series"])
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        logger.warning("The figures of the process %s cannot be read: %s", report.name, error)
        return [], {}
    return series, process


def _requests(reported: Mapping[str, Iterable[Series]]) -> Metric:
    family = HistogramMetricFamily(REQUESTS.name, REQUESTS.meaning, labels=REQUESTS.labels)
    for process, found in reported.items():
        for series in found:
            family.add_metric([process, *series.labels], series.buckets, series.seconds)
    return family


def _of_processes(known: dict[str, dict[str, float]]) -> list[Metric]:
    cpu = CounterMetricFamily(CPU.name, CPU.meaning, labels=CPU.labels)
    for process, values in known.items():
        if CPU.name in values:
            cpu.add_metric([process], values[CPU.name])
    gauges = [
        _gauge(figure, {(process,): values.get(figure.name) for process, values in known.items()})
        for figure in GAUGES_OF_PROCESSES
    ]
    return [cpu, *gauges]
