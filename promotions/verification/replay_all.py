"""Replays every stored decision, in as many processes as asked for (domain.md §7). Stores nothing."""

import multiprocessing
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.pool import AsyncResult
from typing import Final
from uuid import UUID

from django.db import connections

from promotions.models import DecisionRecord
from promotions.verification.record_rows import rows_of
from promotions.verification.replay import replay_among

BATCH: Final = 200
AHEAD: Final = 4
MOST_NAMED: Final = 100


@dataclass(slots=True)
class Tally:
    """The results of replaying some records. ``named`` are those that were not equal, with the reason, at most 100."""

    equal: int = 0
    different: int = 0
    not_replayable: int = 0
    named: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.equal + self.different + self.not_replayable

    def add(self, other: "Tally") -> None:
        self.equal += other.equal
        self.different += other.different
        self.not_replayable += other.not_replayable
        self.named = [*self.named, *other.named][:MOST_NAMED]


def replay_all(tenant_id: UUID, processes: int) -> Iterator[Tally]:
    """The tally so far, after each batch. Every decision of the tenant that is stored when the run begins.

    With more than one process the caller must not be in a transaction: the database's connections are closed before
    the processes part and opened again by each of them.
    """
    so_far = Tally()
    if processes == 1:
        for ids in _batches(tenant_id):
            so_far.add(replay_batch(ids))
            yield so_far
        return
    connections.close_all()
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        running: deque[AsyncResult[Tally]] = deque()
        for ids in _batches(tenant_id):
            running.append(pool.apply_async(replay_batch, [ids]))
            if len(running) > AHEAD * processes:
                so_far.add(running.popleft().get())
                yield so_far
        for each in running:
            so_far.add(each.get())
        yield so_far


def replay_batch(ids: list[UUID]) -> Tally:
    """Replays these records. A record that cannot even be read counts as different: it is not what was stored."""
    tally = Tally()
    records = list(DecisionRecord.objects.filter(pk__in=ids).order_by("pk"))
    rows = rows_of({record.promotion_id for record in records})
    for record in records:
        try:
            found = replay_among(record, rows[record.promotion_id])
        except Exception as error:
            tally.different += 1
            tally.named.append(f"{record.pk}: cannot be read ({type(error).__name__})")
            continue
        if found.equal is None:
            tally.not_replayable += 1
            tally.named.append(f"{record.pk}: not replayable, {found.not_replayable}")
        elif found.equal:
            tally.equal += 1
        else:
            tally.different += 1
            tally.named.append(f"{record.pk}: differs at {found.first_difference}")
    return tally


def _batches(tenant_id: UUID) -> Iterator[list[UUID]]:
    """By keyset on the id, which grows with time: what is stored during the run stays out."""
    records = DecisionRecord.objects.filter(tenant_id=tenant_id).order_by("pk").values_list("pk", flat=True)
    last = records.last()
    after: UUID | None = None
    while True:
        page = records if after is None else records.filter(pk__gt=after)
        ids = list(page.filter(pk__lte=last)[:BATCH]) if last is not None else []
        if not ids:
            return
        yield ids
        after = ids[-1]
