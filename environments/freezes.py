"""The state of freezes at an instant (domain.md §2): one answer for pages, API and worker."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from environments.models import FreezeWindow
from policies import windows as intervals
from stellapromote.clock import rfc3339


class Freeze(TypedDict):
    """`reason` and `windowId` are of the active window that lasts longest. `nextOpen`: when entering is free again,
    None while it is. `nextClose`: when the next freeze begins, None when none is planned. These are about every
    product, or about the one that was asked for. `frozenProducts`: those that freezes of single products hold.
    """

    frozen: bool
    reason: str | None
    windowId: str | None
    nextOpen: str | None
    nextClose: str | None
    frozenProducts: list[str]


class Span(TypedDict):
    start: str
    end: str


def freeze_state(windows: Iterable[FreezeWindow], at: datetime, product: str | None = None) -> Freeze:
    """The freeze that these windows make at `at`, for all products or for the `product`; cleared ones and those that
    are over say nothing. Pure."""
    live = sorted((each for each in windows if each.stands_at(at)), key=lambda each: (each.starts_at, each.pk))
    standing = [each for each in live if each.holds(product)]
    found = intervals.freeze_state([span(each) for each in standing], rfc3339(at))
    window = None if found.window is None else standing[found.window]
    held = {name for each in live if each.starts_at <= at for name in each.products}
    return {
        "frozen": found.frozen,
        "reason": window.reason if window else None,
        "windowId": str(window.pk) if window else None,
        "nextOpen": found.next_open,
        "nextClose": found.next_close,
        "frozenProducts": sorted(held if product is None else held & {product}),
    }


def span(window: FreezeWindow) -> Span:
    return {"start": rfc3339(window.starts_at), "end": rfc3339(window.ends_at)}


def in_force(window: FreezeWindow) -> Span | None:
    """The time in which the window was or will be in force: up to its clearing; None when it was cleared before it
    began.
    """
    start, end = window.starts_at, window.over_at
    return {"start": rfc3339(start), "end": rfc3339(end)} if end > start else None


def standing_windows(tenant_id: UUID, environment_ids: Iterable[UUID], at: datetime) -> list[FreezeWindow]:
    """Windows not over at `at` that concern any of these environments, tenant-wide ones included: one query."""
    return list(FreezeWindow.objects.of(tenant_id).concerning(environment_ids).standing_at(at).oldest_first())


def concerning(windows: Iterable[FreezeWindow], environment_id: UUID) -> list[FreezeWindow]:
    """The windows of this environment and those of the whole tenant."""
    return [each for each in windows if each.concerns(environment_id)]


def freeze_states(
    tenant_id: UUID, environment_ids: Sequence[UUID], at: datetime, *, product: str | None = None
) -> Mapping[UUID, Freeze]:
    """The freeze of each environment at `at`, for all products or for the `product`: one query for all of them."""
    windows = standing_windows(tenant_id, environment_ids, at)
    return {each: freeze_state(concerning(windows, each), at, product) for each in environment_ids}
