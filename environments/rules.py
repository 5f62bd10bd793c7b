"""The rules against edits of environments and freezes: each once, for API, pages and admin (domain.md §1, §2).

`check_x` raises the refusal; `sentence_against` gives its sentence, the text of a disabled button.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from environments.models import Environment, FreezeWindow, RetiredName
from environments.ordering import names_of, order_of, predecessor
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import persons_behind
from stellapromote.accounts.scopes import ENVIRONMENT_WRITE
from stellapromote.clock import rfc3339
from stellapromote.counted import counted
from stellapromote.errors import Conflict, RuleViolation


class NameTaken(Conflict):
    code = "RES_DUPLICATE"
    about = "name"


class NameUsed(Conflict):
    """A deleted environment had the name, and snapshots, policies and packets may name that one (domain.md §1b)."""

    code = "RES_NAME_USED"
    about = "name"


class OrderIndexTaken(Conflict):
    code = "RES_DUPLICATE"
    about = "orderIndex"


class Archived(Conflict):
    code = "RES_STATE_CONFLICT"


class NotArchived(Conflict):
    code = "RES_STATE_CONFLICT"


class PromotionsActive(Conflict):
    code = "RES_STATE_CONFLICT"


class InUse(Conflict):
    code = "RES_IN_USE"


class NotDirectlyBefore(RuleViolation):
    code = "ENV_INVALID_AUTO_PROMOTE"


class FreezeOver(Conflict):
    code = "RES_STATE_CONFLICT"


def check_can_write(by: Actor) -> None:
    """Every edit of environments and freezes needs this right; raises Refused."""
    by.require(ENVIRONMENT_WRITE)


def check_name_free(name: str, environments: Iterable[Environment]) -> None:
    for each in environments:
        if each.name == name:
            archived = " It is archived: unarchive it, or choose another name." if each.archived_at else ""
            raise NameTaken(
                f"There is an environment {name} already.{archived}", details={"field": "name", "id": str(each.pk)}
            )


def check_name_never_used(tenant_id: UUID, name: str) -> None:
    """Asked under the lock of the calendar. Raises NameUsed."""
    if RetiredName.objects.filter(tenant_id=tenant_id, name=name).exists():
        raise NameUsed(
            f"A deleted environment was called {name}. It was protected, a path of a product had it, or a gate of a "
            "protected one names it: its name is never used again, so choose another one.",
            details={"field": "name"},
        )


def check_nobody_waits_for(name: str, guarded: Sequence[str]) -> None:
    """``guarded``: protected environments of which a gate names it. Making it would open that gate. Raises NameUsed."""
    if guarded:
        raise NameUsed(
            f"A gate of {guarded[0]} waits for something in an environment {name}, and a new one would open it: choose "
            "another name, or publish a version of its policy that does not name it.",
            details={"field": "name", "environments": list(guarded)},
        )


def check_order_index_free(order_index: int, environments: Iterable[Environment]) -> None:
    for each in environments:
        if each.order_index == order_index:
            raise OrderIndexTaken(
                f"{each.name} stands at orderIndex {order_index}: choose a free one, or move {each.name} first.",
                details={"field": "orderIndex", "id": str(each.pk)},
            )


def check_not_archived(environment: Environment) -> None:
    if environment.archived_at is not None:
        raise Archived(f"{environment.name} is archived and does not change: unarchive it first.")


def check_archived(environment: Environment) -> None:
    if environment.archived_at is None:
        raise NotArchived(f"{environment.name} is not archived.")


def check_can_archive(environment: Environment, *, active_promotions: int) -> None:
    """Archiving is refused while promotions into or out of it are active (domain.md §1)."""
    check_not_archived(environment)
    if active_promotions:
        raise PromotionsActive(
            f"{environment.name} has {counted(active_promotions, 'active promotion')} into or out of it: "
            "wait for the end or cancel first.",
            details={"activePromotions": active_promotions},
        )


def check_can_delete(environment: Environment, *, promotions: int) -> None:
    """An environment with a promotion history stays (domain.md §1): it can only be archived."""
    if promotions:
        raise InUse(
            f"{environment.name} has promotion history that must stay readable: archive it instead.",
            details={"promotions": promotions},
        )


def check_auto_promotion(environments: Collection[Environment]) -> None:
    """autoPromoteFrom names the environment directly before: asked of all when the order changes (domain.md §1)."""
    order = order_of(environments)
    names = names_of(environments)
    wrong = []
    for each in sorted(environments, key=lambda one: one.name):
        source = each.auto_promote_from
        if source is None:
            continue
        before = predecessor(order, each.pk)
        if before != source.pk:
            wrong.append((each.name, source.name, names[before] if before else None))
    if wrong:
        name, source_name, before_name = wrong[0]
        stands = f"{before_name} stands directly before it" if before_name else "it stands first"
        raise NotDirectlyBefore(
            f"{name} is promoted to automatically from {source_name}, but then {stands}: correct autoPromoteFrom of "
            f"{name}, or the order.",
            details={
                "environments": [
                    {"name": name, "autoPromoteFrom": source_name, "directlyBefore": before_name}
                    for name, source_name, before_name in wrong
                ]
            },
        )


def is_own_freeze(window: FreezeWindow, by: Actor) -> bool:
    """Whether one person stands behind this act, and that person alone behind the freeze and every change of it:
    lifting one's own loosens nothing (docs/adr/0182).

    A freeze that a machine made before that rule names the machine in ``held_by``: no person may lift it alone.
    """
    behind = persons_behind(by)
    return len(behind) == 1 and window.created_by_id is not None and {*window.held_by} == behind


def check_can_change_freeze(window: FreezeWindow, at: datetime) -> None:
    """A freeze that is cleared or over is history and does not change."""
    if window.cleared_at is not None:
        raise FreezeOver(f"The freeze {window.name} was cleared by {window.cleared_by_name} and does not change.")
    if window.ends_at <= at:
        raise FreezeOver(f"The freeze {window.name} ended at {rfc3339(window.ends_at)} and does not change.")
