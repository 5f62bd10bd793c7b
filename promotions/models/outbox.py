from uuid import UUID

from django.db import connection, models

from promotions.models.promotion import Promotion
from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id


class OutboxEvent(models.Model):
    """An event for the outside, written in the transaction of the change (domain.md §10); kept 30 days.

    ``sequence``: its place among the events of the tenant, given once it is committed; until then it is in no webhook's
    line.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    promotion = models.ForeignKey(
        Promotion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    name = models.CharField(max_length=40)
    payload = models.JSONField()
    created_at = models.DateTimeField()
    sequence = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], name="outbox_by_age"),
            models.Index(
                fields=["tenant", "created_at", "id"], condition=models.Q(sequence=None), name="outbox_without_place"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class OutboxMark(models.Model):
    """The mark up to which the tenant's audit chain and calendar were followed for events that the worker derives."""

    tenant = models.OneToOneField(Tenant, primary_key=True, on_delete=models.PROTECT, related_name="+")
    sequence = models.BigIntegerField(default=0)
    edges_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.sequence}"


class OutboxCounter(models.Model):
    """The last place given to an event of the tenant (docs/adr/0245). Its lock is the last of a transaction."""

    _NEXT = """
    INSERT INTO promotions_outboxcounter AS counter (tenant_id, last) VALUES (%s, 1)
    ON CONFLICT (tenant_id) DO UPDATE SET last = counter.last + 1 RETURNING last
    """

    tenant = models.OneToOneField(Tenant, primary_key=True, on_delete=models.PROTECT, related_name="+")
    last = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.last}"

    @classmethod
    def next_place(cls, tenant_id: UUID) -> int:
        """Takes the next place. One statement."""
        with connection.cursor() as cursor:
            cursor.execute(cls._NEXT, [tenant_id])
            place: int = cursor.fetchone()[0]
        return place
