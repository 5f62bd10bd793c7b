from django.conf import settings
from django.db import models
from django.db.models import Q

from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id


class IdempotentAnswer(models.Model):
    """The answer to a POST with an Idempotency-Key, written in the transaction of its change (contract.md).

    `fingerprint` is the sha256 of tenant, actor (of a machine with the issuer of its token), method, path, query and
    key; `body_digest` that of the request's body. The answer is kept byte for byte for 24 hours. Answers that carry a
    secret never get here. `seal` is a digest of all of it under SECRET_KEY, which the database does not have: none
    counts without.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    fingerprint = models.BinaryField(unique=True)
    body_digest = models.BinaryField()
    status = models.SmallIntegerField()
    headers = models.JSONField(default=dict)
    content = models.BinaryField()
    created_at = models.DateTimeField()
    seal = models.BinaryField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__gte=200, status__lt=500), name="idempotent_answer_status"),
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotent_answer_by_age")]

    def __str__(self) -> str:
        return f"{self.status} of {self.created_at:%Y-%m-%d %H:%M:%S}"
