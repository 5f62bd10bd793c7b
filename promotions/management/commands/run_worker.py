import logging
import os
import signal
import socket
import threading
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections, connection

from promotions.collecting import Collector
from promotions.rereading import Rereader
from promotions.verifier import Verifier
from promotions.worker import run_round, tidy
from stellapromote.clock import SYSTEM_CLOCK

logger = logging.getLogger(__name__)

TIDY_EVERY_SECONDS = 600.0
PATIENCE_SECONDS = 0.2
"""So long a round waits for the outside; slower answers are stored by a later round."""


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT: re-evaluates what is due, expires, follows deployments, seals the audit chain,
    verifies what is stored."""

    help = "Run the worker: any number may run side by side."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--interval", type=float, default=0.5, help="Seconds between two rounds without work.")
        parser.add_argument("--once", action="store_true", help="Do one round and end.")

    def handle(self, *_args: Any, **options: Any) -> None:
        name = f"{socket.gethostname()}:{os.getpid()}"[:100]
        stop = threading.Event()
        if options["once"]:
            run_round(name)
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        collector, rereader, verifier = Collector(PATIENCE_SECONDS), Rereader(), Verifier()
        tidied_at = 0.0
        while not stop.is_set():
            try:
                busy = run_round(name, collector=collector, rereader=rereader) > 0
                verifier.verify_some(SYSTEM_CLOCK)
                if time.monotonic() - tidied_at > TIDY_EVERY_SECONDS:
                    tidy()
                    tidied_at = time.monotonic()
            except DatabaseError:
                logger.exception("worker_database_unavailable")
                connection.close()
                busy = False
            close_old_connections()
            if not busy:
                stop.wait(options["interval"])
