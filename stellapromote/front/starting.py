"""The end of a worker that is starting: because it is asked to, or because it cannot start."""

import fcntl
import signal
import sys
import time
from pathlib import Path
from typing import Final, NoReturn

HELD_SECONDS: Final = 1.0
"""So long after the first worker the others may come to their refusal."""
WAIT_SECONDS: Final = 10.0


def end_when_asked() -> None:
    """At once. granian's own handler, which a worker has from its parent until it serves, only notes the request, and
    the worker would be killed for it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def refuse_start(sentence: str) -> NoReturn:
    """For the workers of granian, which starts each anew that ended, and ends itself only when the same one ends twice
    within seconds. So one of them says the sentence and ends, twice, in place of a traceback, while the others wait for
    the end of all."""
    with Path(__file__).open("rb") as this:
        try:
            fcntl.flock(this, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(WAIT_SECONDS)
        else:
            time.sleep(HELD_SECONDS)
    sys.exit(sentence)
