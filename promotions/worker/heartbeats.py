"""The report of each process about itself while it lives (docs/adr/0189)."""

import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from policies.gates import REGISTRY
from promotions.models import ProcessHeartbeat
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK, process_ahead

logger = logging.getLogger(__name__)

EVERY_SECONDS: Final = 20.0


def process_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


def beat(name: str, role: ProcessHeartbeat.Role, at: datetime, failing_steps: Sequence[str] = ()) -> None:
    """Says that the process lived at that time, and which steps it fails with."""
    said = {
        "role": role,
        "at": at,
        "clock_ahead_ms": process_ahead() // timedelta(milliseconds=1),
        "kind_versions": dict(REGISTRY.current),
        "failing_steps": list(failing_steps),
    }
    ProcessHeartbeat.objects.update_or_create(name=name, defaults=said)


def keep_beating(clock: Clock = DATABASE_CLOCK) -> None:
    """In a thread of its own for as long as this web process lives. It has a connection only while it reports."""
    threading.Thread(target=_beat_for_ever, args=(clock,), daemon=True).start()


def _beat_for_ever(clock: Clock) -> None:
    while True:
        try:
            beat(process_name(), ProcessHeartbeat.Role.WEB, clock.now())
        except Exception as error:  # also of errors that would end the thread: nothing starts another
            logger.warning("This web process cannot report that it lives: %s", error)
        finally:
            connection.close()
        time.sleep(EVERY_SECONDS)
