from django.db import models

from promotions.models.promotion import Promotion
from stellapromote.accounts.models import Tenant


class WorkerHeartbeat(models.Model):
    """When each worker last finished a round; readiness reads it."""

    name = models.CharField(primary_key=True, max_length=100)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class WorkerFailure(models.Model):
    """What the worker could not do with a promotion, how often in a row, and when it tries again (docs/adr/0141).

    ``evaluated_at`` is the promotion's last evaluation then: one that was evaluated since counts as sound.
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
