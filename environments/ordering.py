"""The promotion order: pure rules over `{environment: orderIndex}`, and questions to the database (domain.md §1)."""

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar
from uuid import UUID

from environments.models import Environment

K = TypeVar("K", bound=Hashable)


def moved(order: Mapping[K, int], key: K, to: int) -> dict[K, int]:
    """The new indexes of everything that moves when `key` goes to `to`: itself, and those between that make room.

    A free index is simply taken. A taken one is handed over, and what lies between shifts by one place towards where
    `key` came from; the set of used indexes then stays as it is. Empty when `key` is there already.
    """
    if order[key] == to:
        return {}
    if to not in order.values():
        return {key: to}
    slots = sorted(order.values())
    keys = sorted((each for each in order if each != key), key=lambda each: order[each])
    keys.insert(slots.index(to), key)
    return {each: slot for each, slot in zip(keys, slots, strict=True) if order[each] != slot}


def predecessor(order: Mapping[K, int], key: K) -> K | None:
    """The one directly before `key`, or None for the first."""
    before = [each for each in order if order[each] < order[key]]
    return max(before, key=lambda each: order[each], default=None)


def lost_steps(before: Mapping[K, int], after: Mapping[K, int]) -> dict[K, list[K]]:
    """Environments that can now be entered without passing certain others, with those others in their old order. Only
    environments in both orders are compared."""
    lost = {}
    for key in after.keys() & before.keys():
        steps = {each for each in before if before[each] < before[key]}
        gone = steps - {each for each in after if after[each] < after[key]}
        if gone:
            lost[key] = sorted(gone, key=lambda each: before[each])
    return lost


def other_predecessors(before: Mapping[K, int], after: Mapping[K, int]) -> dict[K, tuple[K, K]]:
    """Environments that now directly follow another one than before, with the new and the old predecessor. Compared are
    those in both orders that had a predecessor in both: the first one needed nothing."""
    changed = {}
    for key in after.keys() & before.keys():
        old, new = predecessor(before, key), predecessor(after, key)
        if old is not None and new is not None and new != old:
            changed[key] = (new, old)
    return changed


def other_steps(before: Mapping[K, int], after: Mapping[K, int]) -> set[K]:
    """Environments entered over other steps than before, or in another order; all that are new in the order."""
    return {key for key in after if key not in before or _steps(before, key) != _steps(after, key)}


def _steps(order: Mapping[K, int], key: K) -> list[K]:
    return sorted((each for each in order if order[each] < order[key]), key=lambda each: order[each])


def order_of(environments: Iterable[Environment]) -> dict[UUID, int]:
    """`{id: orderIndex}` of those that are not archived."""
    return {each.pk: each.order_index for each in environments if each.order_index is not None}


def names_of(environments: Iterable[Environment]) -> dict[UUID, str]:
    """`{id: name}` of all of them."""
    return {each.pk: each.name for each in environments}


def all_names(tenant_id: UUID) -> list[str]:
    """Of every environment that there is, archived ones too."""
    return list(Environment.objects.of(tenant_id).values_list("name", flat=True))


def order(tenant_id: UUID) -> list[Environment]:
    """The tenant's environments in promotion order, archived ones left out. One query."""
    return list(Environment.objects.of(tenant_id).live().in_order())
