from collections.abc import Sequence
from typing import Any
from uuid import UUID

from environments import rules
from environments.actions.freeze_edges import (
    check_exceptions,
    check_order,
    edges,
    excepted_by,
    places_of,
    usernames_of,
)
from environments.actions.products import check_products
from environments.locks import lock_calendar, lock_environment, note_write
from environments.models import FreezeWindow
from environments.presenters import freeze_window_document
from environments.settings_schema import FREEZE_WINDOW_TO_CREATE, read_freeze_window
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import persons_behind
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@transactional
def create_freeze_window(
    *,
    by: Actor,
    clock: Clock,
    environment_id: UUID | None,
    start: str,
    end: str,
    reason: str,
    timezone: str = "UTC",
    name: str | None = None,
    products: Sequence[str] = (),
    exceptions: Sequence[str] = (),
    recurrence: Any = None,
    exdates: Any = (),
) -> FreezeWindow:
    """Freezes one environment, or with None the whole tenant ("stop the line") in [start, end) (domain.md §2).

    It holds these products or, with none, all of them.

    `start` and `end` are RFC 3339 instants or wall-clock times in `timezone`. `name` None: the beginning of the reason.
    Nothing starts to deploy once this has committed. Raises Refused (403), Http404, Invalid (400, VAL_NOT_SUPPORTED for
    a recurrence), Archived (409).
    """
    rules.check_can_write(by)
    lock_calendar(by.tenant)
    environment = lock_environment(by.tenant, environment_id) if environment_id else None
    values = read_freeze_window(
        {
            "start": start,
            "end": end,
            "reason": reason,
            "timezone": timezone,
            "products": list(products),
            "exceptions": list(exceptions),
            "recurrence": recurrence,
            "exdates": list(exdates) if isinstance(exdates, tuple) else exdates,
            **({} if name is None else {"name": name}),
        },
        FREEZE_WINDOW_TO_CREATE,
    )
    at = note_write(by.tenant, clock)
    times = edges(values, values["timezone"], at)
    check_order(**times)
    check_products(by.tenant, places_of(values["products"]))
    values["exceptions"] = usernames_of(by.tenant, values["exceptions"])
    check_exceptions(by, values["exceptions"])
    if environment is not None:
        rules.check_not_archived(environment)
    window = FreezeWindow.objects.create(
        tenant_id=by.tenant,
        environment=environment,
        products=values["products"],
        name=values.get("name") or values["reason"][:200],
        timezone=values["timezone"],
        reason=values["reason"],
        exceptions=values["exceptions"],
        excepted_by=excepted_by(by, values["exceptions"], {}),
        held_by=sorted(persons_behind(by)),
        created_by_id=by.user_id,
        created_by_name=by.display_name,
        created_at=at,
        changed_at=at,
        **times,
    )
    record(
        by=by,
        at=at,
        action="freeze_window.created",
        resource="freeze_window",
        resource_id=window.pk,
        after=freeze_window_document(window),
        environment_id=environment_id,
        rows=[window],
    )
    return window
