"""The report of each process about itself while it lives (docs/adr/0189)."""

import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from policies.gates import REGISTRY
from promotions.models import ProcessHeartbeat
from promotions.models.worker import NAMES_OF_PRODUCTS, OWNERS_OF_PRODUCTS, PATHS_OF_PRODUCTS
from promotions.worker.process_figures import process_figures
from promotions.worker.steps import Steps
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK, process_ahead
from stellapromote.front.counts import RequestCounts
from stellapromote.recorded_rows import SCHEMA

logger = logging.getLogger(__name__)

EVERY_SECONDS: Final = {ProcessHeartbeat.Role.WEB: 20.0, ProcessHeartbeat.Role.WORKER: 5.0}
WORKER_SILENT: Final = timedelta(seconds=20)
"""A worker that has not reported for so long does nothing: one report may fail, and the next one wait for a lock."""
LONGEST_STEP: Final = 60.0
"""The seconds for which a worker may take no step and still report that it lives."""


def process_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


def beat(
    name: str,
    role: ProcessHeartbeat.Role,
    at: datetime,
    failing_steps: Sequence[str] = (),
    figures: dict[str, Any] | None = None,
) -> None:
    """Says that the process lived at that time, which steps it fails with, and its figures. One thread of a process
    gives them: of two, the older ones could come last."""
    said: dict[str, Any] = {
        "role": role,
        "at": at,
        "clock_ahead_ms": process_ahead() // timedelta(milliseconds=1),
        "kind_versions": dict(REGISTRY.current),
        "failing_steps": list(failing_steps),
        "row_schema": SCHEMA,
        "knows": [NAMES_OF_PRODUCTS, OWNERS_OF_PRODUCTS, PATHS_OF_PRODUCTS],
    }
    if figures is not None:
        said["figures"] = figures
    ProcessHeartbeat.objects.update_or_create(name=name, defaults=said)


def keep_beating(
    role: ProcessHeartbeat.Role,
    steps: Steps | None = None,
    clock: Clock = DATABASE_CLOCK,
    counts: RequestCounts | None = None,
) -> None:
    """In a thread of its own for as long as this process lives, and a worker takes its ``steps``. It has a connection
    only while it reports."""
    threading.Thread(target=_beat_for_ever, args=(role, steps, clock, counts), daemon=True).start()


def _beat_for_ever(
    role: ProcessHeartbeat.Role, steps: Steps | None, clock: Clock, counts: RequestCounts | None = None
) -> None:
    while True:
        try:
            if steps is None:
                beat(process_name(), role, clock.now(), (), _figures(counts))
            elif time.monotonic() - steps.moved_at < LONGEST_STEP:
                beat(process_name(), role, clock.now(), steps.failing(), _figures(counts))
        except Exception as error:  # also of errors that would end the thread: nothing starts another
            logger.warning("This %s process cannot report that it lives: %s", role, error)
        finally:
            connection.close()
        time.sleep(EVERY_SECONDS[role])


def _figures(counts: RequestCounts | None) -> dict[str, Any]:
    return {"process": process_figures(), "requests": None if counts is None else counts.report()}
