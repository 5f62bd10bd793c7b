from django.db import models

from promotions.models.promotion import Promotion
from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id


class OutboxEvent(models.Model):
    """An event for the outside, written in the transaction of the change (domain.md §10); kept 30 days."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    promotion = models.ForeignKey(
        Promotion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    name = models.CharField(max_length=40)
    payload = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="outbox_by_age")]

    def __str__(self) -> str:
        return self.name


class OutboxMark(models.Model):
    """The mark up to which the tenant's audit chain and calendar were followed for events that the worker derives."""

    tenant = models.OneToOneField(Tenant, primary_key=True, on_delete=models.PROTECT, related_name="+")
    sequence = models.BigIntegerField(default=0)
    edges_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.sequence}"
