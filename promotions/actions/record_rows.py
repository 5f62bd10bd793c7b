from typing import Final

from promotions.models import ProcessHeartbeat
from promotions.verification.rows import recorded_from, rows_of
from stellapromote.accounts.actor import Actor
from stellapromote.audit.recording import Entry, record_many
from stellapromote.clock import Clock
from stellapromote.recorded_rows import ROWS, ROWS_FROM, SCHEMA, name_of, recorded_marks, recorded_models, row_digest
from stellapromote.transactions import transactional

OF_ONE_EVENT: Final = 500


@transactional
def record_rows(*, by: Actor, clock: Clock) -> None:
    """Records the rows of the actor's tenant, or of the system, as they are: each kind once, where earlier versions or
    migrations made some without. They are compared from then on; a change before is not seen (docs/adr/0224).

    Waits for a later call while a process lives that does not record what it changes. Reads every row of these kinds
    then, and is one statement each other time.
    """
    recorded = recorded_from(by.tenant_id)
    marks = [mark for mark in recorded_marks(by.tenant_id) if mark not in recorded]
    if not marks:
        return
    if ProcessHeartbeat.objects.living(clock.now()).exclude(row_schema=SCHEMA).exists():
        return
    rows = {}
    models = [model for model in recorded_models(by.tenant_id) if model.RECORDED_FROM in marks]
    for model in models:
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
            metadata={ROWS: {name: rows[name] for name in names[begin : begin + OF_ONE_EVENT]}, ROWS_FROM: marks},
        )
        for begin in range(0, max(len(names), 1), OF_ONE_EVENT)
    )
