"""The paths of products: the environments that the releases of each pass (domain.md §1b)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import TypeVar
from uuid import UUID

from environments.models import Environment
from environments.ordering import order_of, other_steps
from environments.settings_schema import refuse
from policies.phrases import listed
from stellapromote.accounts.models import Product
from stellapromote.errors import FieldError

E = TypeVar("E", bound=Environment)
Order = Mapping[UUID, int]
"""`{id: orderIndex}` of the environments on a path."""


def along(environments: Iterable[E], path: Collection[str] | None) -> list[E]:
    """The environments on the path, in promotion order: those that it names and those that are required; None: all of
    them. Archived ones do not count. ``environments``: all live ones of the tenant, perhaps others. Pure."""
    live = _in_order(environments)
    if path is None:
        return live
    on_every_path = required(live)
    return [each for each in live if each.name in path or each.pk in on_every_path]


def required(environments: Iterable[Environment]) -> set[UUID]:
    """The environments that are on every path; where nothing is said, the one directly before each production one.
    ``environments`` as in ``along``. Pure."""
    live = _in_order(environments)
    found = set()
    for each, following in zip_longest(live, live[1:]):
        before_production = following is not None and following.is_production
        if before_production if each.required_on_every_path is None else each.required_on_every_path:
            found.add(each.pk)
    return found


def orders_of(
    environments: Iterable[Environment], paths: Mapping[str, Collection[str] | None]
) -> dict[str, dict[UUID, int]]:
    """The order of each product, by its slug. Pure."""
    rows = list(environments)
    return {slug: order_of(along(rows, path)) for slug, path in paths.items()}


def entered_otherwise(before: Mapping[str, Order], after: Mapping[str, Order]) -> set[UUID]:
    """Environments that releases of any product enter over other steps than before. Pure."""
    return {each for slug, order in after.items() for each in other_steps(before[slug], order)}


def paths_of_products(tenant_id: UUID, *, archived: bool = False) -> dict[str, list[str]]:
    """The path of each product that has one of its own, by slug. One statement.

    Read under the lock of the calendar, which every edit of a path takes. ``archived``: of archived products too.
    """
    rows = Product.objects.filter(tenant_id=tenant_id, path__isnull=False)
    if not archived:
        rows = rows.filter(archived_at=None)
    return {slug: path for slug, path in rows.values_list("slug", "path") if path is not None}


def check_path(path: Sequence[str], environments: Collection[Environment]) -> None:
    """Checks that each environment is there and in the order, once, and that none is left out that is on every path.
    ``environments``: all of the tenant. Invalid with the place of each that is wrong. Pure."""
    known = {each.name: each for each in environments}
    errors = []
    last: Environment | None = None
    for index, name in enumerate(path):
        place, found = f"path[{index}]", known.get(name)
        if found is None:
            errors.append(FieldError(place, f"There is no environment {name}: correct the name.", "unknown"))
        elif found.order_index is None:
            errors.append(FieldError(place, f"Environment {name} is archived: leave it out.", "archived"))
        elif name in path[:index]:
            errors.append(FieldError(place, f"Environment {name} is named twice: name it once.", "invalid"))
        elif last is not None and last.order_index is not None and found.order_index < last.order_index:
            problem = f"{name} stands before {last.name} in the promotion order: name it before {last.name}."
            errors.append(FieldError(place, problem, "invalid"))
        else:
            last = found
    on_every_path = required(environments)
    missing = [each.name for each in _in_order(environments) if each.pk in on_every_path and each.name not in path]
    if missing:
        problem = f"{listed(missing)} must be on every path: add {'it' if len(missing) == 1 else 'them'}."
        errors.append(FieldError("path", problem, "required"))
    refuse(errors)


def _in_order(environments: Iterable[E]) -> list[E]:
    live = [each for each in environments if each.order_index is not None]
    return sorted(live, key=lambda each: each.order_index or 0)
