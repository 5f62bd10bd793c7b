"""The rule of the promotion order: which releases may enter which environment (domain.md §1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Value

from environments.models import Environment
from promotions.models import Promotion, Release
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


@dataclass(frozen=True, slots=True)
class Entry:
    """The entry of a release into a target: its source, and whether it goes back behind the release that runs there."""

    source: Environment | None
    is_rollback: bool


def check_can_enter(release: Release, target: Environment) -> Entry:
    """The entry of ``release`` into ``target``. Raises SequenceViolation naming the missing step. One statement."""
    return entry_over(release, list(steps_into(release.tenant_id, target.pk, release.pk)))


def steps_into(tenant_id: UUID, target_id: UUID, release_id: UUID) -> "QuerySet[Step]":
    """The environment and the live one directly before it, each with whether the release is deployed there, and which
    release of its product was deployed there last: for ``entry_over``."""
    target = Environment.objects.of(tenant_id).filter(pk=target_id)
    product = Release.objects.filter(tenant_id=tenant_id, pk=release_id).values("product")
    before = Q(archived_at=None, order_index__lt=Subquery(target.values("order_index")))
    steps = Environment.objects.of(tenant_id).filter(Q(pk=target_id) | before)
    in_order = steps.order_by(F("order_index").desc(nulls_first=True))
    return _with_what_runs(in_order, release_id, Subquery(product))


def entries(release: Release) -> list[tuple[Environment, Entry | SequenceViolation]]:
    """The answer of ``check_can_enter`` for each of the tenant's live environments, in promotion order. One
    statement."""
    in_order = Environment.objects.of(release.tenant_id).live().in_order()
    targets = list(_with_what_runs(in_order, release.pk, Value(release.product)))
    found: list[tuple[Environment, Entry | SequenceViolation]] = []
    for before, target in zip([None, *targets], targets, strict=False):
        try:
            found.append((target, entry_over(release, [target] if before is None else [target, before])))
        except SequenceViolation as missing:
            found.append((target, missing))
    return found


def entry_over(release: Release, steps: "Sequence[Step]") -> Entry:
    """The entry of the release into the first of the steps, which are as in ``steps_into``. Raises
    SequenceViolation."""
    target, before = steps[0], steps[1] if len(steps) > 1 else None
    was_here, runs = target.was_here, target.runs
    came_through = before is not None and before.was_here
    if before is not None and not came_through and not was_here:
        raise _missing(release, before, target)
    return Entry(source=before if came_through else None, is_rollback=was_here and runs != release.pk)


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
