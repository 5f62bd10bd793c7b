from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from promotions.models.promotion import Promotion
from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id


class DecisionRecord(models.Model):
    """The outcome of one evaluation (domain.md §7). Append-only by trigger and by role.

    ``input`` are the canonical bytes of the gate input, ``document`` the canonical bytes of the record that GET
    returns verbatim; the other columns repeat parts of ``document`` for queries.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    promotion = models.ForeignKey(
        Promotion, on_delete=models.PROTECT, related_name="decisions", db_index=False, db_constraint=False
    )
    sequence = models.PositiveIntegerField()
    decision = models.CharField(max_length=7)
    reason_codes = ArrayField(models.CharField(max_length=63))
    evaluated_at = models.DateTimeField()
    subject_digest = models.CharField(max_length=71)
    input = models.BinaryField()
    document = models.BinaryField()
    determinism_hash = models.CharField(max_length=71)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["promotion", "sequence"], name="decision_sequence_unique"),
            models.CheckConstraint(
                condition=Q(decision__in=["allow", "deny", "pending"]), name="decision_outcome_known"
            ),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="decision_sequence_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.decision} ({self.sequence})"
