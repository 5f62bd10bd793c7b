"""The rule of the promotion order: which releases may enter which environment (domain.md §1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict
from uuid import UUID

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, Value, When

from environments.models import Environment
from environments.paths import along
from promotions.models import Promotion, Release
from stellapromote.accounts.models import Product
from stellapromote.errors import RuleViolation

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


class _WhatRuns(TypedDict):
    """Whether the release was deployed there, and which one of its product was deployed there last."""

    was_here: bool
    runs: UUID | None


if TYPE_CHECKING:
    Step = WithAnnotations[Environment, _WhatRuns]


class SequenceViolation(RuleViolation):
    """The release has not been deployed in the environment directly before the target."""

    code = "PROM_SEQUENCE_VIOLATION"


class NotOnPath(RuleViolation):
    """The target is not on the path of the product (domain.md §1b)."""

    code = "PROM_NOT_ON_PATH"


@dataclass(frozen=True, slots=True)
class Entry:
    """The entry of a release into a target: its source, and whether it goes back behind the release that runs there."""

    source: Environment | None
    is_rollback: bool


def check_can_enter(release: Release, target: Environment, path: Sequence[UUID] | None = None) -> Entry:
    """The entry of ``release`` into ``target``. ``path``: the environments on the path that the request kept, in their
    order; None: all of them, as they stand now. Raises SequenceViolation naming the missing step. One statement."""
    steps = list(steps_into(release.tenant_id, target.pk, release.pk))
    if path is None:
        return entry_along(release, steps[0], along(steps, None))
    live = {each.pk: each for each in steps if each.archived_at is None}
    return entry_along(release, steps[0], [live[each] for each in path if each in live])


def steps_into(tenant_id: UUID, target_id: UUID, release_id: UUID) -> "QuerySet[Step]":
    """The environment, and then the other live ones in promotion order, each with whether the release is deployed
    there, and which release of its product was deployed there last: for ``entry_along``. None where the tenant does not
    have the environment."""
    of_tenant = Environment.objects.of(tenant_id)
    product = Release.objects.filter(tenant_id=tenant_id, pk=release_id).values("product")
    steps = of_tenant.filter(Exists(of_tenant.filter(pk=target_id)), Q(pk=target_id) | Q(archived_at=None))
    target_first = steps.order_by(Case(When(pk=target_id, then=0), default=1), "order_index")
    return _with_what_runs(target_first, release_id, Subquery(product))


def entries(release: Release) -> list[tuple[Environment, Entry | SequenceViolation]]:
    """The answer of ``check_can_enter`` for each live environment on the path of the product, in promotion order. One
    statement."""
    product = Product.objects.filter(tenant_id=release.tenant_id, slug=release.product)
    in_order = Environment.objects.of(release.tenant_id).live().in_order()
    with_what_runs = _with_what_runs(in_order, release.pk, Value(release.product))
    steps = list(with_what_runs.annotate(path_of_product=Subquery(product.values("path")[:1])))
    route = along(steps, steps[0].path_of_product if steps else None)
    found: list[tuple[Environment, Entry | SequenceViolation]] = []
    for target in route:
        try:
            found.append((target, entry_along(release, target, route)))
        except SequenceViolation as missing:
            found.append((target, missing))
    return found


def entry_along(release: Release, target: "Step", route: "Sequence[Step]") -> Entry:
    """The entry of the release into the target along the environments of its path, all from ``steps_into``. Raises
    NotOnPath, SequenceViolation."""
    before = step_before(release, target, route)
    was_here, runs = target.was_here, target.runs
    came_through = before is not None and before.was_here
    if before is not None and not came_through and not was_here:
        raise _missing(release, before, target)
    return Entry(source=before if came_through else None, is_rollback=was_here and runs != release.pk)


def step_before(release: Release, target: "Step", route: "Sequence[Step]") -> "Step | None":
    """The environment directly before the target on the path, None for the first one. An archived target has none.
    Raises NotOnPath."""
    if target.archived_at is not None:
        return None
    ids = [each.pk for each in route]
    if target.pk not in ids:
        raise _not_on_path(release, target, route)
    place = ids.index(target.pk)
    return route[place - 1] if place else None


def _with_what_runs(environments: QuerySet[Environment], release_id: UUID, product: Any) -> "QuerySet[Step]":
    """The environments, each with ``was_here`` and ``runs``."""
    was_here = Promotion.objects.deployed_in(OuterRef("pk")).filter(release=release_id)
    running = Promotion.objects.running_in(OuterRef("pk"), product)
    return environments.annotate(was_here=Exists(was_here), runs=Subquery(running.values("release_id")[:1]))


def _missing(release: Release, before: Environment, target: Environment) -> SequenceViolation:
    return SequenceViolation(
        f"{release.name} must be deployed in {before.display_name} before it may enter {target.display_name}: "
        f"promote it to {before.display_name} first.",
        details={"missingEnvironment": before.name, "targetEnvironment": target.name},
    )


def _not_on_path(release: Release, target: Environment, route: Sequence[Environment]) -> NotOnPath:
    names = [each.name for each in route]
    return NotOnPath(
        f"Releases of product {release.product} do not enter {target.display_name}, which is not on the path of the "
        f"product: {', '.join(names) or 'it is empty'}. Choose an environment on it, or ask an administrator to change "
        "the path.",
        details={"product": release.product, "targetEnvironment": target.name, "path": names},
    )
