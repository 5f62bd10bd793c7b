"""Which releases may enter which environment (domain.md §1): the one rule of the promotion order."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Subquery

from environments.models import Environment
from environments.ordering import environment_before
from promotions.models import Promotion, Release
from promotions.states import Status
from stellapromote.errors import RuleViolation


class SequenceViolation(RuleViolation):
    """The release has not been deployed in the environment directly before the target."""

    code = "PROM_SEQUENCE_VIOLATION"


@dataclass(frozen=True, slots=True)
class Entry:
    """How a release enters a target: from where, and whether that goes back behind the release that runs there."""

    source: Environment | None
    is_rollback: bool


def check_can_enter(release: Release, target: Environment) -> Entry:
    """How ``release`` may enter ``target``. Raises SequenceViolation naming the missing step. Cost: ≤ 4 statements."""
    before = environment_before(target)
    deployed = Promotion.objects.filter(release=release, status=Status.DEPLOYED)
    came_through = before is not None and deployed.filter(target_environment=before).exists()
    earlier = deployed.filter(target_environment=target).order_by("-completed_at", "-number").first()
    if before is not None and not came_through and earlier is None:
        raise _missing(release, before, target)
    current = running(target, release.product)
    is_rollback = earlier is not None and current is not None and current.release_id != release.pk
    return Entry(source=before if came_through else None, is_rollback=is_rollback)


def entries(release: Release, targets: Iterable[Environment]) -> dict[UUID, Entry | SequenceViolation]:
    """What ``check_can_enter`` says for each of the tenant's live environments, given all of them in promotion order.

    Cost: one statement, however many they are.
    """
    in_order = list(targets)
    deployed = Promotion.objects.filter(target_environment=OuterRef("pk"), status=Status.DEPLOYED)
    newest = deployed.filter(product=release.product).order_by("-completed_at", "-number")
    rows = Environment.objects.filter(pk__in=[each.pk for each in in_order]).values_list(
        "pk", Exists(deployed.filter(release=release)), Subquery(newest.values("release_id")[:1])
    )
    current, been_in = {}, set()
    for target_id, was_here, release_id in rows:
        current[target_id] = release_id
        if was_here:
            been_in.add(target_id)
    found: dict[UUID, Entry | SequenceViolation] = {}
    for before, target in zip([None, *in_order], in_order, strict=False):
        came_through = before is not None and before.pk in been_in
        if before is not None and not came_through and target.pk not in been_in:
            found[target.pk] = _missing(release, before, target)
        else:
            is_rollback = target.pk in been_in and current[target.pk] != release.pk
            found[target.pk] = Entry(source=before if came_through else None, is_rollback=is_rollback)
    return found


def _missing(release: Release, before: Environment, target: Environment) -> SequenceViolation:
    return SequenceViolation(
        f"{release.name} must be deployed in {before.display_name} before it may enter {target.display_name}: "
        f"promote it to {before.display_name} first.",
        details={"missingEnvironment": before.name, "targetEnvironment": target.name},
    )


def running(target: Environment, product: str) -> Promotion | None:
    """The newest deployed promotion of the product in the environment that was not rolled back."""
    return (
        Promotion.objects.filter(target_environment=target, product=product, status=Status.DEPLOYED)
        .order_by("-completed_at", "-number")
        .select_related("release")
        .first()
    )
