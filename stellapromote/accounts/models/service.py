from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from stellapromote.accounts.models.grants import Grant
from stellapromote.accounts.models.tenant import Tenant, validate_slug
from stellapromote.accounts.rights import Rights, limited, united
from stellapromote.accounts.scopes import LIMITED_TO_PRODUCTS, PROMOTION_APPROVE
from stellapromote.ids import new_id
from stellapromote.patterns import SLUG
from stellapromote.recorded_rows import RecordedRow


class ServiceAccount(RecordedRow):
    """A machine of one tenant. It acts through tokens, is owned by people and can never vote (product.md, Roles).

    ``product_scopes`` count for the releases and promotions of ``products`` alone, and stand apart from ``scopes`` as
    those of a token (docs/adr/0242).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="services")
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="service")
    name = models.CharField(max_length=63, validators=[validate_slug])
    scopes = ArrayField(models.CharField(max_length=40))
    product_scopes = ArrayField(models.CharField(max_length=40), default=list, db_default=[])
    products = ArrayField(models.CharField(max_length=63), default=list, db_default=[])
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="service_name_unique_per_tenant"),
            models.CheckConstraint(condition=Q(name__regex=SLUG), name="service_name_is_slug"),
            models.CheckConstraint(condition=~Q(scopes__contains=[PROMOTION_APPROVE]), name="service_never_votes"),
            models.CheckConstraint(
                condition=Q(product_scopes__contained_by=sorted(LIMITED_TO_PRODUCTS)),
                name="service_product_scopes_can_be_limited",
            ),
            models.CheckConstraint(
                condition=~Q(products=[]) | Q(product_scopes=[]), name="service_products_for_scopes"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def all_scopes(self) -> list[str]:
        return sorted({*self.scopes, *self.product_scopes})

    @property
    def rights(self) -> Rights:
        return united(dict.fromkeys(self.scopes), limited(self.product_scopes, self.products))


class ServiceOwner(Grant):
    """An owner of a service: its requests and creations count as theirs (domain.md §5, machines launder nothing)."""

    TENANT_PATH: ClassVar[str | None] = "service__tenant_id"

    service = models.ForeignKey(ServiceAccount, on_delete=models.PROTECT, related_name="owners")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="owned_services")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["service", "owner"], condition=Q(ended_at=None), name="service_owner_one_live"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("granted_at")), name="service_owner_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.owner_id} owns {self.service_id}"
