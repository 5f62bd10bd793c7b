from datetime import datetime, timedelta
from typing import Final

from django.db import models

from promotions.models.promotion import Promotion
from stellapromote.accounts.models import Tenant
from stellapromote.database_clock import TOLERANCE

SILENT: Final = timedelta(seconds=60)
"""A process that has not reported for so long has no say in the versions by which is judged."""


NAMES_OF_PRODUCTS: Final = "release names of products"
"""Known to a process that asks for the product where a name is that of several releases (docs/adr/0227)."""

OWNERS_OF_PRODUCTS: Final = "owners of products"
"""Known to a process that judges a rule for the owners of a product (docs/adr/0232)."""


PATHS_OF_PRODUCTS: Final = "paths of products"
"""Known to a process that asks for the path of a product where a release enters an environment (docs/adr/0240)."""


class HeartbeatQuerySet(models.QuerySet["ProcessHeartbeat"]):
    def living(self, now: datetime) -> "HeartbeatQuerySet":
        """Those that reported lately. A row dated ahead is the report of no process: it would count for ever."""
        return self.filter(at__gt=now - SILENT, at__lte=now + TOLERANCE)

    def all_know(self, what: str, now: datetime) -> bool:
        """Whether no process lives that does not know this. One statement."""
        return not self.living(now).exclude(knows__contains=[what]).exists()


class ProcessHeartbeat(models.Model):
    """When each process last said that it lives, how far its own clock was ahead of the database's, in milliseconds,
    the newest version of each kind of gate that it knows, the schema by which it records rows of settings, what else it
    knows that earlier versions do not, and its own figures (docs/adr/0243). Readiness reads it, what chooses the
    versions by which is judged (docs/adr/0189), and what waits until every process records rows (docs/adr/0224)."""

    class Role(models.TextChoices):
        WORKER = "worker"
        WEB = "web"

    name = models.CharField(primary_key=True, max_length=100)
    role = models.CharField(max_length=6, choices=Role.choices, default=Role.WORKER, db_default=Role.WORKER)
    at = models.DateTimeField()
    clock_ahead_ms = models.BigIntegerField(default=0, db_default=0)
    kind_versions = models.JSONField(default=dict, db_default={})
    failing_steps = models.JSONField(default=list, db_default=[])
    row_schema = models.CharField(max_length=40, default="", db_default="")
    knows = models.JSONField(default=list, db_default=[])
    figures = models.JSONField(default=dict, db_default={})

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        db_table = "promotions_workerheartbeat"

    def __str__(self) -> str:
        return self.name


class WorkerFailure(models.Model):
    """A failure of the worker with a promotion: its step, the number in a row, and the next attempt (docs/adr/0141).

    ``evaluated_at`` is the promotion's last evaluation then: a promotion evaluated since counts as sound.
    """

    promotion = models.OneToOneField(
        Promotion, primary_key=True, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    step = models.CharField(max_length=20)
    failures = models.PositiveIntegerField()
    evaluated_at = models.DateTimeField()
    retry_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(failures__gte=1), name="worker_failure_happened")]

    def __str__(self) -> str:
        return f"{self.step} ({self.failures})"
