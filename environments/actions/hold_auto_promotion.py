from datetime import datetime

from environments.models import Environment
from stellapromote.accounts.actor import Actor
from stellapromote.audit.recording import record


def hold_auto_promotion(environment: Environment, *, hold: bool, by: Actor, at: datetime, because: str) -> None:
    """Stops automatic promotion into the environment, or lets it go on (domain.md §1).

    A rollback and a person's request cause it, so it needs no environment:write. An unchanged hold leaves no trace. A
    request ends a hold that a rollback began, and none that a person set (docs/adr/0194). The caller holds the
    environment FOR UPDATE and has read it under that lock. `because`: in words, for the audit log.
    """
    if environment.auto_promote_hold == hold or not (hold or environment.hold_ends_with_request):
        return
    environment.auto_promote_hold = environment.hold_ends_with_request = hold
    environment.updated_at = at
    environment.version += 1
    environment.save(update_fields=["auto_promote_hold", "hold_ends_with_request", "updated_at", "version"])
    record(
        by=by,
        at=at,
        action="environment.updated",
        resource="environment",
        resource_id=environment.pk,
        before={"autoPromoteHold": not hold},
        after={"autoPromoteHold": hold},
        metadata={"name": environment.name, "because": because},
        environment_id=environment.pk,
        rows=[environment],
    )
