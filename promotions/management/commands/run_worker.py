import logging
import signal
import threading
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from promotions.actions.rereading import Rereader
from promotions.models import ProcessHeartbeat
from promotions.worker.collecting import Collector
from promotions.worker.heartbeats import keep_beating, process_name
from promotions.worker.mailing import Mailer
from promotions.worker.round import run_round, tidy
from promotions.worker.steps import Steps
from promotions.worker.turns import Turns
from promotions.worker.verifier import Verifier
from promotions.worker.webhooks import Sender
from stellapromote.audit.heads import note_heads
from stellapromote.database.ended_connections import close_ended
from stellapromote.database.errors import is_away
from stellapromote.database_clock import DATABASE_CLOCK

logger = logging.getLogger(__name__)

SELDOM_SECONDS = 600.0
"""Between two times at which it tidies up and notes the heads of the audit chains (docs/adr/0165)."""
PATIENCE_SECONDS = 0.2
"""The time for which a round waits for outside answers; slower answers are stored by a later round."""


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT: evaluates due promotions, expires, follows deployments, seals the audit chain,
    notes their heads, verifies the stored rows, sends webhooks."""

    help = "Run the worker: any number may run side by side."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--interval", type=float, default=0.5, help="Seconds between two rounds without work.")
        parser.add_argument("--once", action="store_true", help="Do one round and end.")

    def handle(self, *_args: Any, **options: Any) -> None:
        name = process_name()
        stop = threading.Event()
        if options["once"]:
            run_round(name)
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        steps, turns = Steps(), Turns()
        collector, rereader, verifier = Collector(PATIENCE_SECONDS), Rereader(), Verifier(steps)
        mailer, sender = Mailer(), Sender()
        steps.beside.append(sender.steps)
        sender.start(stop)
        seldom_at = 0.0
        keep_beating(ProcessHeartbeat.Role.WORKER, steps)
        while not stop.is_set():
            try:
                busy = (
                    run_round(name, collector=collector, rereader=rereader, steps=steps, turns=turns, mailer=mailer) > 0
                )
                steps.take("verify: look", lambda: verifier.verify_some(DATABASE_CLOCK))
                if time.monotonic() - seldom_at > SELDOM_SECONDS:
                    steps.take("tidy", tidy)
                    steps.take("note_heads", lambda: note_heads(DATABASE_CLOCK))
                    seldom_at = time.monotonic()
            except (DatabaseError, InterfaceError) as error:
                unexpected = None if is_away(error) else error  # away, it is the same line twice a second
                logger.error("worker_database_unavailable", extra={"reason": str(error)}, exc_info=unexpected)
                connection.close()
                busy = False
            close_ended()
            close_old_connections()
            if not busy:
                stop.wait(options["interval"])
