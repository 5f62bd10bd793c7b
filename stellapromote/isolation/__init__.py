"""Hostile text and documents are read in a child process that can be killed: time-outs, memory, crashes stay there.

`run` hands one task of a closed table to a child that has no environment, no open descriptor but its socket and hard
limits, and lives until it misbehaves (docs/adr/0060). Pure: no Django.
"""

from stellapromote.isolation.outcomes import IsolationBusy, IsolationCrashed, IsolationTimeout, TaskRefused
from stellapromote.isolation.pool import run

__all__ = ["IsolationBusy", "IsolationCrashed", "IsolationTimeout", "TaskRefused", "run"]
