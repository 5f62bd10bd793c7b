from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from stellapromote.accounts.models.tenant import Tenant
from stellapromote.ids import new_id
from stellapromote.recorded_rows import RecordedRow

DEFAULT_LIFE = timedelta(days=90)
LONGEST_LIFE = timedelta(days=366)


class ApiToken(RecordedRow):
    """A bearer token: found by ``public_id``, its secret kept only as sha256 (contract.md, tokens).

    ``product_scopes`` count for the releases and promotions of ``products`` alone (domain.md §1b). They stand apart
    from ``scopes``: a process of a version that knows no such limit does not see them. ``second_factor``: its person
    made it in a session in which they had proved one.
    """

    NOT_RECORDED: ClassVar[Mapping[str, str]] = {"last_used_at": "only shown"}

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="tokens")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="tokens")
    issuer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="issued_tokens"
    )
    name = models.CharField(max_length=100)
    public_id = models.CharField(max_length=32, unique=True)
    secret_digest = models.BinaryField()
    scopes = ArrayField(models.CharField(max_length=40))
    product_scopes = ArrayField(models.CharField(max_length=40), default=list, db_default=[])
    products = ArrayField(models.CharField(max_length=63), default=list, db_default=[])
    second_factor = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="token_expires_after_creation"),
            models.CheckConstraint(
                condition=Q(expires_at__lte=F("created_at") + LONGEST_LIFE), name="token_life_is_bounded"
            ),
            models.CheckConstraint(condition=~Q(products=[]) | Q(product_scopes=[]), name="token_products_for_scopes"),
        ]
        indexes = [models.Index(fields=["tenant", "user", "-created_at"], name="token_by_owner")]

    def __str__(self) -> str:
        return f"{self.name} ({self.public_id})"

    @property
    def all_scopes(self) -> list[str]:
        return sorted({*self.scopes, *self.product_scopes})
