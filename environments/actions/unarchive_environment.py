from uuid import UUID

from django.http import Http404

from environments import rules
from environments.actions.settings import lock_entries, reloaded
from environments.etags import environment_tag
from environments.guarding import naming
from environments.locks import lock_topology, note_write
from environments.models import Environment
from environments.paths import paths_of_products
from environments.presenters import differences, environment_document
from environments.settings_schema import ORDER_INDEX, read_environment
from environments.steps import record_steps, steps_of
from policies.proposals import proposable
from policies.weakening_edits import Weakening
from stellapromote.accounts.actor import Actor
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@proposable("environment.unarchive")
@transactional
def unarchive_environment(
    *, by: Actor, clock: Clock, environment_id: UUID, order_index: int, if_match: IfMatch | None = None
) -> Environment:
    """Puts an archived environment back at a free place in the order.

    A proposal where a protected environment follows it or has a gate that waits for something there. Raises Refused
    (403), Http404, Invalid (400), also when an approval policy it names is disabled or retired,
    PreconditionFailed (412), NotArchived and OrderIndexTaken (409), NotDirectlyBefore (422) when it would come between
    two that follow each other automatically.
    """
    rules.check_can_write(by)
    topology = lock_topology(by.tenant)
    environment = topology.get(environment_id)
    if environment is None:
        raise Http404
    values = read_environment({"order_index": order_index}, ORDER_INDEX)
    if if_match is not None:
        if_match.check(environment_tag(environment.pk, environment.version))
    rules.check_archived(environment)
    rules.check_order_index_free(values["order_index"], topology.values())
    before = environment_document(environment)
    lock_entries(by.tenant, before["approvalPolicies"], before["productApprovalPolicies"])
    paths = paths_of_products(by.tenant)
    steps = steps_of(topology.values(), paths)
    tag = environment_tag(environment.pk, environment.version)
    at = note_write(by.tenant, clock, topology.values())
    environment.archived_at = None
    environment.order_index = values["order_index"]
    environment.updated_at = at
    environment.version += 1
    rules.check_auto_promotion(topology.values())
    environment.save()
    environment = reloaded(environment_id)
    old, new = differences(before, environment_document(environment))
    weakened = Weakening("environment", str(environment_id), environment.name, tag, old, new)
    if guards := naming(by.tenant, environment.name, at):
        weakened.add([f"Environment {environment.name}: gates that wait for it may pass again."], guards=guards)
    new_steps = steps_of(topology.values(), paths)
    edits = record_steps(weakened, [environment_id], steps, new_steps, topology, by=by, at=at)
    record(
        by=by,
        at=at,
        action="environment.unarchived",
        resource="environment",
        resource_id=environment_id,
        before=old,
        after=new,
        metadata={"name": environment.name},
        environment_id=environment_id,
        rows=[topology[environment_id], *edits, *weakened.store(by=by, at=at)],
    )
    return environment
