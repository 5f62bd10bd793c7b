from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from environments import rules
from environments.actions.settings import (
    environment_named,
    guard_with,
    lock_entries,
    merged_config,
    published_policy,
    reloaded,
)
from environments.edits import record_edit
from environments.guarding import naming
from environments.locks import lock_topology, note_write
from environments.models import Environment
from environments.ordering import lost_steps, order_of
from environments.paths import orders_of, paths_of_products, required
from environments.presenters import environment_document
from environments.product_guards import ALLOW, REFUSE
from environments.settings_schema import DEFAULT_CONFIG, ENVIRONMENT_TO_CREATE, read_environment
from stellapromote.accounts.actor import Actor
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.transactions import transactional

PRODUCTION_NAMES = frozenset({"prod", "production"})


@transactional
def create_environment(
    *,
    by: Actor,
    clock: Clock,
    name: str,
    display_name: str,
    order_index: int,
    is_production: bool | None = None,
    protected: bool | None = None,
    config: Mapping[str, Any] | None = None,
    required_approvals: int = 0,
    require_separation_of_duties: bool = False,
    promotion_policy: str = "default",
    approval_policies: Sequence[str] = (),
    product_approval_policies: Sequence[Mapping[str, Any]] = (),
    other_products: str | None = None,
    auto_promote_from: str | None = None,
    auto_promote_hold: bool = False,
    exclusive: str = "product",
    require_manifest_report: bool = False,
    required_on_every_path: bool | None = None,
) -> Environment:
    """A new environment at a free place in the order (domain.md §1). Policies and `auto_promote_from` are names.

    `is_production` None: true for the names `prod` and `production`; `protected` None: as `is_production`;
    `other_products` None: refused in production where `product_approval_policies` names any product;
    `required_on_every_path` None: while it stands directly before production. Another environment stays on the paths of
    products that it would leave, because it does not stand there any more. Raises
    Refused (403), Invalid (400), NameTaken, NameUsed and OrderIndexTaken (409), NotDirectlyBefore (422), also when it
    would come between two that follow each other automatically.
    """
    rules.check_can_write(by)
    production = name in PRODUCTION_NAMES if is_production is None else is_production
    values = read_environment(
        {
            "name": name,
            "display_name": display_name,
            "order_index": order_index,
            "is_production": production,
            "protected": production if protected is None else protected,
            "config": {} if config is None else config,
            "required_approvals": required_approvals,
            "require_separation_of_duties": require_separation_of_duties,
            "promotion_policy": promotion_policy,
            "approval_policies": list(approval_policies),
            "product_approval_policies": list(product_approval_policies),
            "other_products": other_products or (REFUSE if production and product_approval_policies else ALLOW),
            "auto_promote_from": auto_promote_from,
            "auto_promote_hold": auto_promote_hold,
            "exclusive": exclusive,
            "require_manifest_report": require_manifest_report,
            "required_on_every_path": required_on_every_path,
        },
        ENVIRONMENT_TO_CREATE,
    )
    topology = lock_topology(by.tenant)
    entries = lock_entries(by.tenant, values.pop("approval_policies"), values.pop("product_approval_policies"))
    at, order = note_write(by.tenant, clock, topology.values()), order_of(topology.values())
    rules.check_name_free(values["name"], topology.values())
    rules.check_name_never_used(by.tenant, values["name"])
    rules.check_nobody_waits_for(values["name"], naming(by.tenant, values["name"], at))
    rules.check_order_index_free(values["order_index"], topology.values())
    environment = Environment(
        tenant_id=by.tenant,
        created_at=at,
        updated_at=at,
        **{
            **values,
            "was_protected": values["protected"],
            "config": merged_config(DEFAULT_CONFIG, values["config"]),
            "promotion_policy": published_policy(by.tenant, values["promotion_policy"]),
            "auto_promote_from": environment_named(values["auto_promote_from"], topology.values()),
        },
    )
    rules.check_auto_promotion([*topology.values(), environment])
    environment.save(force_insert=True)
    made, _ = guard_with(environment, entries)
    edits = record_edit([environment.pk], order, order_of([*topology.values(), environment]), by=by, at=at)
    kept = _keep_on_paths(environment, topology.values(), by.tenant, at)
    rows = [environment, *made, *edits, *kept]
    environment = reloaded(environment.pk)
    record(
        by=by,
        at=at,
        action="environment.created",
        resource="environment",
        resource_id=environment.pk,
        after=environment_document(environment),
        metadata={"requiredOnEveryPath": [each.name for each in kept]} if kept else {},
        environment_id=environment.pk,
        rows=rows,
    )
    return environment


def _keep_on_paths(
    made: Environment, others: Iterable[Environment], tenant_id: UUID, at: datetime
) -> list[Environment]:
    """Says of an environment that stood directly before production, and on a path for this alone, that it is required:
    making another one between takes no step from a product. Returns those that it wrote."""
    present = list(others)
    paths = paths_of_products(tenant_id)
    before, after = orders_of(present, paths), orders_of([*present, made], paths)
    lost = {step for slug in paths for steps in lost_steps(before[slug], after[slug]).values() for step in steps}
    kept = [each for each in present if each.pk in lost & required(present)]
    for each in kept:
        each.required_on_every_path, each.updated_at, each.version = True, at, each.version + 1
        each.save(update_fields=["required_on_every_path", "updated_at", "version"])
    return kept
