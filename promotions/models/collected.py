from django.db import models

from promotions.models.promotion import Promotion
from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id


class CollectedFact(models.Model):
    """The outside answer about one gate of one promotion and subject, and the time of the next question (domain.md §6).

    ``content`` is the part that a gate input takes, as canonical bytes that ``digest`` names; a record keeps the answer
    it was judged on, so this row holds the newest only. ``due_at`` is also the claim: a worker moves it ahead, commits,
    and asks.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    promotion = models.ForeignKey(
        Promotion, on_delete=models.PROTECT, related_name="collected_facts", db_constraint=False
    )
    gate = models.CharField(max_length=63)
    subject_digest = models.CharField(max_length=71)
    due_at = models.DateTimeField()
    collected_at = models.DateTimeField(null=True)
    source = models.CharField(max_length=200, blank=True)
    digest = models.CharField(max_length=71, blank=True)
    content = models.BinaryField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["promotion", "gate", "subject_digest"], name="collected_fact_unique"),
            models.CheckConstraint(
                condition=models.Q(collected_at=None, digest="") | ~models.Q(digest="") & ~models.Q(collected_at=None),
                name="collected_fact_dated",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], name="collected_fact_due")]

    def __str__(self) -> str:
        return f"{self.gate} ({self.collected_at})"
