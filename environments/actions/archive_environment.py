from uuid import UUID

from django.http import Http404

from environments import rules
from environments.actions.settings import reloaded
from environments.edits import record_edit
from environments.etags import environment_tag
from environments.locks import lock_topology, note_write
from environments.models import Environment
from environments.ordering import order_of
from environments.paths import entered_otherwise, orders_of, paths_of_products
from environments.presenters import differences, environment_document
from environments.weakening import add_order, add_paths
from policies.weakening_edits import Weakening
from stellapromote.accounts.actor import Actor
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@transactional
def archive_environment(
    *, by: Actor, clock: Clock, environment_id: UUID, active_promotions: int, if_match: IfMatch | None = None
) -> Environment:
    """Takes the environment out of the order and keeps its history (domain.md §1). Nothing enters it by itself any
    more.

    `active_promotions`: how many there are into or out of it, counted by the caller under lock_topology. Raises Refused
    (403), Http404, PreconditionFailed (412), Archived and PromotionsActive (409), NotDirectlyBefore (422) when the next
    one is promoted to automatically from it.
    """
    rules.check_can_write(by)
    topology = lock_topology(by.tenant)
    environment = topology.get(environment_id)
    if environment is None:
        raise Http404
    if if_match is not None:
        if_match.check(environment_tag(environment.pk, environment.version))
    rules.check_can_archive(environment, active_promotions=active_promotions)
    before, order = environment_document(environment), order_of(topology.values())
    paths = paths_of_products(by.tenant)
    by_product = orders_of(topology.values(), paths)
    tag = environment_tag(environment.pk, environment.version)
    at = note_write(by.tenant, clock, topology.values())
    environment.archived_at = environment.updated_at = at
    environment.order_index = environment.auto_promote_from = None
    environment.version += 1
    rules.check_auto_promotion(topology.values())
    environment.save()
    environment = reloaded(environment_id)
    old, new = differences(before, environment_document(environment))
    new_order, new_by_product = order_of(topology.values()), orders_of(topology.values(), paths)
    edited = {environment_id, *entered_otherwise(by_product, new_by_product)}
    edits = record_edit(edited, order, new_order, by=by, at=at)
    weakened = Weakening("environment", str(environment_id), environment.name, tag, old, new)
    if environment.protected:
        sentence = f"Environment {environment.name} is archived: nothing has to pass it any more."
        weakened.add([sentence], environment_id=environment_id, guards=[environment.name])
    add_order(weakened, order, new_order, topology)
    add_paths(weakened, by_product, new_by_product, topology, (order, new_order))
    record(
        by=by,
        at=at,
        action="environment.archived",
        resource="environment",
        resource_id=environment_id,
        before=old,
        after=new,
        metadata={"name": environment.name},
        environment_id=environment_id,
        rows=[topology[environment_id], *edits, *weakened.store(by=by, at=at)],
    )
    return environment
