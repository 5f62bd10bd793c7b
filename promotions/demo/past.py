"""The time that a later start of the demo may fill: after all that really happened, and before now."""

from datetime import datetime, timedelta

from django.db.models import Max

from environments.models import FreezeWindow
from stellapromote.accounts.models import Tenant
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock

TOLD = timedelta(hours=1)


class Past(FixedClock):
    """A clock that the story moves, and never past ``now``, the instant of the run."""

    def __init__(self, at: datetime, now: datetime) -> None:
        super().__init__(min(at, now))
        self._now = now

    def advance(self, by: timedelta) -> None:
        super().advance(min(by, self._now - self.now()))


def free_past(tenant: Tenant, now: datetime) -> Past:
    """The last hour, or as much of it as lies after the tenant's last event and the end of its last freeze: the
    policies, rights and freezes of that time are those of now."""
    events = AuditEvent.objects.filter(tenant=tenant, timestamp__lte=now).aggregate(last=Max("timestamp"))
    over = FreezeWindow.objects.of(tenant.pk).filter(cleared_at=None, ends_at__lte=now).aggregate(last=Max("ends_at"))
    bounds = [now - TOLD, events["last"], over["last"]]
    return Past(max(each for each in bounds if each is not None), now)
