from typing import Final

from promotions.models import ProcessHeartbeat
from promotions.verification.rows import recorded_from, recorded_models, rows_of
from stellapromote.accounts.actor import Actor
from stellapromote.audit.recording import Entry, record_many
from stellapromote.clock import Clock
from stellapromote.recorded_rows import ROWS, ROWS_FROM, SCHEMA, name_of, row_digest
from stellapromote.transactions import transactional

OF_ONE_EVENT: Final = 500


@transactional
def record_rows(*, by: Actor, clock: Clock) -> None:
    """Records the rows of the actor's tenant, or of the system, as they are: once, where earlier versions made some
    without. They are compared from then on; a change before is not seen (docs/adr/0224).

    Waits for a later call while a process lives that does not record what it changes. Reads every row then, and is one
    statement each other time.
    """
    if recorded_from(by.tenant_id) is not None:
        return
    if ProcessHeartbeat.objects.living(clock.now()).exclude(row_schema=SCHEMA).exists():
        return
    rows = {}
    for model in recorded_models(by.tenant_id):
        for row in rows_of(model, by.tenant_id).iterator():
            digest = row_digest(row)
            rows[name_of(model, row.pk)] = {"before": digest, "digest": digest}
    at, names = clock.now(), list(rows)
    record_many(
        Entry(
            by=by,
            at=at,
            action="rows.recorded",
            resource="rows",
            metadata={ROWS: {name: rows[name] for name in names[begin : begin + OF_ONE_EVENT]}, ROWS_FROM: SCHEMA},
        )
        for begin in range(0, max(len(names), 1), OF_ONE_EVENT)
    )
