from datetime import datetime

from environments.models import Environment
from stellapromote.accounts.actor import Actor
from stellapromote.audit.recording import record


def hold_auto_promotion(environment: Environment, *, hold: bool, by: Actor, at: datetime, because: str) -> None:
    """Stops promoting into the environment automatically, or goes on (domain.md §1): what a rollback and a person's
    request bring about, so nobody needs environment:write for it. What changes nothing leaves no trace. A request ends
    the hold that a rollback began, and none that somebody set (docs/adr/0194).

    The caller holds the environment FOR UPDATE and read it under that lock. `because`: in words, for the audit log.
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
    )
