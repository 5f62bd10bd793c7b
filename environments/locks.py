"""The first two locks of every write: the tenant's calendar row, then environments by id (domain.md §0).

Every write to environments or freezes takes the calendar row FOR UPDATE, which orders them among themselves and against
the start of a deployment (FOR SHARE). They are rare, and each takes milliseconds.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.http import Http404

from environments.models import Calendar, Environment, FreezeWindow
from stellapromote.clock import Clock
from stellapromote.database_clock import LastWrite, not_before


def lock_calendar(tenant_id: UUID) -> None:
    Calendar.objects.select_for_update().get(pk=tenant_id)


def note_write(tenant_id: UUID, clock: Clock, environments: Iterable[Environment] = ()) -> datetime:
    """The instant of a write under the calendar's lock, kept there as the floor of every later decision (domain.md §0).

    Read once, after the last lock; never before the last write of the calendar or of these environments. Raises
    ClockSkew. Two statements beside the clock's.
    """
    calendar = Calendar.objects.get(pk=tenant_id)
    writes = [LastWrite("environment", each.pk, each.updated_at) for each in environments]
    at = not_before(clock.now(), [LastWrite("calendar", tenant_id, calendar.changed_at), *writes])
    Calendar.objects.filter(pk=tenant_id).update(changed_at=at)
    return at


def lock_topology(tenant_id: UUID) -> dict[UUID, Environment]:
    """The calendar and all environments of the tenant, archived ones included, loaded with their settings."""
    lock_calendar(tenant_id)
    rows = Environment.objects.of(tenant_id).select_for_update(of=("self",)).order_by("id").with_settings()
    return {row.pk: row for row in rows}


def lock_freeze_window(
    tenant_id: UUID, window_id: UUID, environment_id: UUID | None
) -> tuple[FreezeWindow, Environment | None]:
    """The calendar, the environment (None: a tenant-wide window) and the window. Http404 when they do not belong
    together.
    """
    lock_calendar(tenant_id)
    environment = lock_environment(tenant_id, environment_id) if environment_id else None
    window = (
        FreezeWindow.objects.of(tenant_id).select_for_update().filter(pk=window_id, environment=environment).first()
    )
    if window is None:
        raise Http404
    return window, environment


def lock_environment(tenant_id: UUID, environment_id: UUID) -> Environment:
    """One environment, after the calendar. Http404 when the tenant has no such one."""
    environment = (
        Environment.objects.of(tenant_id)
        .select_for_update(of=("self",))
        .with_settings()
        .filter(pk=environment_id)
        .first()
    )
    if environment is None:
        raise Http404
    return environment
