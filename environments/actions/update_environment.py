from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import Http404

from environments import rules
from environments.actions.settings import (
    Entry,
    environment_named,
    guard_with,
    lock_entries,
    merged_config,
    policy_texts,
    published_policy,
    reloaded,
)
from environments.etags import environment_tag
from environments.locks import lock_topology, note_write
from environments.models import Environment
from environments.ordering import moved
from environments.paths import paths_of_products
from environments.presenters import differences, environment_document
from environments.product_guards import REFUSE, entries_of
from environments.settings_schema import ENVIRONMENT_TO_UPDATE, read_environment
from environments.steps import record_steps, steps_of
from environments.weakening import in_environment, named_policies
from policies.proposals import proposable
from policies.weakening_edits import Weakening
from stellapromote.accounts.actor import Actor
from stellapromote.api.etag import IfMatch
from stellapromote.api.serializers import camel
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@proposable("environment.update")
@transactional
def update_environment(
    *, by: Actor, clock: Clock, environment_id: UUID, changes: Mapping[str, Any], if_match: IfMatch | None = None
) -> Environment:
    """Changes the given fields and leaves the rest; names as for create_environment. An edit without a change leaves no
    trace.

    A new `order_index` moves the environment and shifts others (ordering.moved), whose versions rise too. An edit that
    loosens a guard of a protected environment is a proposal. Raises Refused (403), Http404, Invalid (400),
    PreconditionFailed (412), Archived (409), NotDirectlyBefore (422).
    """
    rules.check_can_write(by)
    topology = lock_topology(by.tenant)
    environment = topology.get(environment_id)
    if environment is None:
        raise Http404
    before = environment_document(environment)
    values = _different(changes, before)
    if if_match is not None:
        if_match.check(environment_tag(environment.pk, environment.version))
    if not values:
        return environment
    rules.check_not_archived(environment)
    entries = _entries(by.tenant, values, before)
    if "promotion_policy" in values:
        both = sorted({before["promotionPolicy"], values["promotion_policy"]})
        promotion_policies = {each: published_policy(by.tenant, each) for each in both}
        values["promotion_policy"] = promotion_policies[values["promotion_policy"]]
    if "auto_promote_from" in values:
        values["auto_promote_from"] = environment_named(values["auto_promote_from"], topology.values())
    at = note_write(by.tenant, clock, topology.values())

    tag = environment_tag(environment.pk, environment.version)
    says = policy_texts(environment, entries, values.get("promotion_policy"))
    guards = [environment.name] if environment.protected else []
    paths = paths_of_products(by.tenant)
    steps = steps_of(topology.values(), paths)
    moves = moved(steps.order, environment_id, values.pop("order_index", steps.order[environment_id]))
    for name, value in values.items():
        setattr(environment, name, value)
    environment.was_protected |= environment.protected
    if "auto_promote_hold" in values:
        environment.hold_ends_with_request = False
    for each, order_index in moves.items():
        topology[each].order_index = order_index
    rules.check_auto_promotion(topology.values())
    for each in {environment_id, *moves}:
        topology[each].version += 1
        topology[each].updated_at = at
        topology[each].save()
    written, gone = ([], []) if entries is None else guard_with(environment, entries)

    environment = reloaded(environment_id)
    old, new = differences(before, environment_document(environment))
    weakened = Weakening("environment", str(environment_id), environment.name, tag, old, new)
    weakened.policies = named_policies(before, environment_document(environment), says)
    sentences = in_environment(before, environment_document(environment), says)
    weakened.add(sentences, environment_id=environment_id, guards=guards)
    new_steps = steps_of(topology.values(), paths)
    edits = record_steps(weakened, [environment_id], steps, new_steps, topology, by=by, at=at)
    weakenings = weakened.store(by=by, at=at)
    record(
        by=by,
        at=at,
        action="environment.updated",
        resource="environment",
        resource_id=environment_id,
        before=old,
        after=new,
        metadata={
            "name": environment.name,
            "shifted": [
                {"name": topology[each].name, "from": steps.order[each], "to": order_index}
                for each, order_index in sorted(moves.items(), key=lambda move: move[1])
                if each != environment_id
            ],
        },
        environment_id=environment_id,
        rows=[*(topology[each] for each in {environment_id, *moves}), *written, *edits, *weakenings],
        gone=gone,
    )
    return environment


def _entries(tenant_id: UUID, values: dict[str, Any], before: Mapping[str, Any]) -> list[Entry] | None:
    """The approval policies to come, locked, taken out of ``values``; None: they stay."""
    if "approval_policies" not in values and "product_approval_policies" not in values:
        return None
    names = values.pop("approval_policies", before["approvalPolicies"])
    by_product = values.pop("product_approval_policies", before["productApprovalPolicies"])
    kept = {*names, *(each["name"] for each in by_product)}
    gone = [name for name, _ in entries_of(before) if name not in kept]
    return lock_entries(tenant_id, names, by_product, gone=gone)


def _different(changes: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """The normal form of what is given and not stored already."""
    given = dict(changes)
    if stored["orderIndex"] is None and given.get("order_index", 0) is None:
        del given["order_index"]  # what an archived environment says of itself
    values = read_environment(given, ENVIRONMENT_TO_UPDATE)
    if "product_approval_policies" in values:
        values["product_approval_policies"].sort(key=lambda entry: entry["name"])
        production = values.get("is_production", stored["isProduction"])
        if values["product_approval_policies"] and not stored["productApprovalPolicies"] and production:
            values.setdefault("other_products", REFUSE)
    if "config" in values:
        values["config"] = merged_config(stored["config"], values["config"])
    return {name: value for name, value in values.items() if value != stored[camel(name)]}
