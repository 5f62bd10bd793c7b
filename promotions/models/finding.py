from django.db import models
from django.db.models import Q

from promotions.models.promotion import Promotion
from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id


class EvidenceFinding(models.Model):
    """A stored object that differs from the signed or recorded one (proof.md, Log). Only verifications note it again,
    or as gone, never a page or a call. It stays as a row, by trigger and by role.

    ``promotion`` is empty for a finding about the tenant: its audit chain, a policy, a document; ``tenant`` for the
    system's chain. A promotion with a finding that is not gone is neither decided nor started.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    promotion = models.ForeignKey(
        Promotion, null=True, on_delete=models.PROTECT, related_name="findings", db_index=False, db_constraint=False
    )
    what = models.CharField(max_length=30)
    place = models.CharField(max_length=300)
    message = models.CharField(max_length=1000)
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "promotion", "what", "place"],
                condition=Q(gone_at=None),
                nulls_distinct=False,
                name="evidence_finding_once",
            ),
        ]
        indexes = [
            models.Index(fields=["promotion"], condition=Q(gone_at=None), name="evidence_finding_of_promotion"),
        ]

    def __str__(self) -> str:
        return f"{self.what} {self.place}"


class EvidenceRound(models.Model):
    """The progress of the worker's verification for a tenant; the row without a tenant follows the system's chain.

    ``sequence`` and ``event_hash`` are the last link of the chain that holds. ``position`` is that of the walk over all
    promotions and documents; None while none is on. Nothing is done before ``rests_until``; the next walk over
    everything begins at ``all_due_at``.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    sequence = models.BigIntegerField(default=0)
    event_hash = models.BinaryField()
    position = models.JSONField(null=True)
    rests_until = models.DateTimeField(db_index=True)
    all_due_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant"], nulls_distinct=False, name="evidence_round_once_per_tenant")
        ]

    def __str__(self) -> str:
        return f"link {self.sequence}"
