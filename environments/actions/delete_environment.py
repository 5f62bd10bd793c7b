from uuid import UUID

from django.http import Http404

from environments import rules
from environments.etags import environment_tag
from environments.guarding import frozen_by, naming
from environments.locks import lock_topology, note_write
from environments.models import Environment, RetiredName
from environments.paths import paths_of_products
from environments.presenters import environment_document, freeze_window_document
from environments.steps import record_steps, steps_of
from environments.weakening import of_cleared, of_deleted
from policies.weakening_edits import Weakening
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

    The audit event keeps what its freezes said. One that is not over nor one's own, and for which a gate of a protected
    environment waits, makes it a proposal. The name of one that was ever protected, that a path of a
    product has, or that such a gate names, is never used again (docs/adr/0186).
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
    tag = environment_tag(environment.pk, environment.version)
    before, paths = dict(topology), paths_of_products(by.tenant, archived=True)
    steps = steps_of(topology.values(), paths)
    at = note_write(by.tenant, clock, topology.values())
    del topology[environment_id]
    rules.check_auto_promotion(topology.values())
    windows = [freeze_window_document(window) for window in environment.freeze_windows.newest_first()]
    held = [each for each in environment.freeze_windows.standing_at(at) if not rules.is_own_freeze(each, by)]
    waiting = frozen_by(by.tenant, environment, at) if held else []
    named = any(environment.name in path for path in paths.values())  # also where it is archived
    on_a_path = named or any(environment_id in each for each in steps.by_product.values())
    retires = environment.was_protected or on_a_path or bool(naming(by.tenant, environment.name, at))
    gone = [*environment.freeze_windows.all(), *environment.approval_policy_links.all(), environment]
    environment.freeze_windows.all().delete()
    environment.approval_policy_links.all().delete()
    Environment.objects.filter(pk=environment_id).delete()
    names = [RetiredName(tenant_id=by.tenant, name=environment.name, retired_at=at)] if retires else []
    RetiredName.objects.bulk_create(names)
    weakened = Weakening("environment", str(environment_id), document["name"], tag, document, None)
    guards = [document["name"]] if document["protected"] else []
    weakened.add(of_deleted(document, len(windows)), guards=guards)
    if waiting:
        weakened.add([of_cleared(each, document["name"]) for each in held], guards=waiting)
    edits = record_steps(weakened, [], steps, steps_of(topology.values(), paths), before, by=by, at=at)
    record(
        by=by,
        at=at,
        action="environment.deleted",
        resource="environment",
        resource_id=environment_id,
        before={**document, "freezeWindows": windows},
        metadata={"name": document["name"]},
        environment_id=environment_id,
        rows=[*names, *edits, *weakened.store(by=by, at=at)],
        gone=gone,
    )
