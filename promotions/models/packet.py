from django.db import models
from django.db.models import Q

from promotions.models.decision import DecisionRecord
from promotions.models.promotion import Promotion
from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id


class Installation(models.Model):
    """The one row that names this installation in every packet; written by migration 0002."""

    singleton = models.BooleanField(primary_key=True, default=True)
    installation_id = models.UUIDField(default=new_id)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(singleton=True), name="installation_only_one")]

    def __str__(self) -> str:
        return str(self.installation_id)


class PublicSigningKey(models.Model):
    """Public half of every key this installation ever signed with: retired ones still verify (domain.md §8).

    Written by the owner of the tables alone (docs/adr/0111): the app role may only read it.
    """

    key_id = models.CharField(primary_key=True, max_length=71)
    pem = models.TextField()
    activated_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.key_id


class EvidencePacket(models.Model):
    """A signed record. ``document`` are the exact canonical bytes including the signature; ``envelope`` the exact
    bytes of the DSSE envelope. Append-only by trigger and by role."""

    class Type(models.TextChoices):
        RELEASE_DECISION = "release_decision"
        DEPLOYMENT = "deployment"
        ROLLBACK = "rollback"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    promotion = models.ForeignKey(
        Promotion, on_delete=models.PROTECT, related_name="packets", db_index=False, db_constraint=False
    )
    decision = models.ForeignKey(
        DecisionRecord, null=True, on_delete=models.PROTECT, related_name="packets", db_index=False
    )
    type = models.CharField(max_length=16, choices=Type.choices)
    generated_at = models.DateTimeField()
    document = models.BinaryField()
    envelope = models.BinaryField()
    content_hash = models.CharField(max_length=71)
    signing_key = models.ForeignKey(PublicSigningKey, on_delete=models.PROTECT, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(type__in=["release_decision", "deployment", "rollback"]), name="packet_type_known"
            ),
        ]
        indexes = [models.Index(fields=["promotion", "generated_at", "id"], name="packet_in_order")]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"
