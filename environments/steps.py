"""What an edit of the order or of a path means for the way into each environment (domain.md §5)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from environments.edits import record_edit
from environments.models import Environment, EnvironmentEdit
from environments.ordering import order_of
from environments.paths import Order, entered_otherwise, orders_of
from environments.weakening import add_order, add_paths
from policies.weakening_edits import Weakening
from stellapromote.accounts.actor import Actor


@dataclass(frozen=True, slots=True)
class Steps:
    """The promotion order of the tenant, and that of each product with a path of its own."""

    order: Order
    by_product: Mapping[str, Order]


def steps_of(environments: Collection[Environment], paths: Mapping[str, Collection[str] | None]) -> Steps:
    """``environments``: all of the tenant. Pure."""
    return Steps(order_of(environments), orders_of(environments, paths))


def record_steps(
    weakened: Weakening,
    edited: Iterable[UUID],
    before: Steps,
    after: Steps,
    environments: Mapping[UUID, Environment],
    *,
    by: Actor,
    at: datetime,
) -> list[EnvironmentEdit]:
    """Adds what the change loosens, and keeps that the actor edited these environments and those that are entered
    otherwise now. ``environments``: all that were or are in the order, by id."""
    add_order(weakened, before.order, after.order, environments)
    add_paths(weakened, before.by_product, after.by_product, environments, (before.order, after.order))
    entered = entered_otherwise(before.by_product, after.by_product)
    return record_edit({*edited, *entered}, before.order, after.order, by=by, at=at)
