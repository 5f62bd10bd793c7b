from uuid import UUID

from django.http import Http404

from environments import rules
from environments.edits import record_edit
from environments.etags import environment_tag
from environments.locks import lock_topology
from environments.ordering import names_of, order_of
from environments.presenters import environment_document, freeze_window_document
from environments.weakening import record_weakened_order
from stellapromote.accounts.actor import Actor
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@transactional
def delete_environment(
    *, by: Actor, clock: Clock, environment_id: UUID, promotions: int, if_match: IfMatch | None = None
) -> None:
    """Removes an environment that nothing was ever promoted into or out of, its freeze windows with it (domain.md §1).

    A freeze of an environment without history never held anything back; the audit event keeps what it said.
    `promotions`: how many of any state name it, counted by the caller under lock_topology; PROTECT foreign keys stand
    behind it. Raises Refused (403), Http404, PreconditionFailed (412), InUse (409), NotDirectlyBefore (422) when the
    next one is promoted to automatically from it.
    """
    rules.check_can_write(by)
    topology = lock_topology(by.tenant)
    environment = topology.get(environment_id)
    if environment is None:
        raise Http404
    if if_match is not None:
        if_match.check(environment_tag(environment.pk, environment.version))
    rules.check_can_delete(environment, promotions=promotions)
    document = environment_document(environment)
    order, names = order_of(topology.values()), names_of(topology.values())
    at = clock.now()
    del topology[environment_id]
    rules.check_auto_promotion(topology.values())
    windows = [freeze_window_document(window) for window in environment.freeze_windows.newest_first()]
    environment.freeze_windows.all().delete()
    environment.approval_policy_links.all().delete()
    environment.delete()
    record(
        by=by,
        at=at,
        action="environment.deleted",
        resource="environment",
        resource_id=environment_id,
        before={**document, "freezeWindows": windows},
        metadata={"name": document["name"]},
        environment_id=environment_id,
    )
    record_edit([], order, order_of(topology.values()), by=by, at=at)
    record_weakened_order(order, order_of(topology.values()), names, by=by, at=at)
