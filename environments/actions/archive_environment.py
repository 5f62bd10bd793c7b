from uuid import UUID

from django.http import Http404

from environments import rules
from environments.actions.settings import reloaded
from environments.etags import environment_tag
from environments.locks import lock_topology, note_write
from environments.models import Environment
from environments.paths import paths_of_products
from environments.presenters import differences, environment_document
from environments.steps import record_steps, steps_of
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
    before = environment_document(environment)
    paths = paths_of_products(by.tenant)
    steps = steps_of(topology.values(), paths)
    tag = environment_tag(environment.pk, environment.version)
    at = note_write(by.tenant, clock, topology.values())
    environment.archived_at = environment.updated_at = at
    environment.order_index = environment.auto_promote_from = None
    environment.version += 1
    rules.check_auto_promotion(topology.values())
    environment.save()
    environment = reloaded(environment_id)
    old, new = differences(before, environment_document(environment))
    weakened = Weakening("environment", str(environment_id), environment.name, tag, old, new)
    if environment.protected:
        sentence = f"Environment {environment.name} is archived: nothing has to pass it any more."
        weakened.add([sentence], environment_id=environment_id, guards=[environment.name])
    new_steps = steps_of(topology.values(), paths)
    edits = record_steps(weakened, [environment_id], steps, new_steps, topology, by=by, at=at)
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
