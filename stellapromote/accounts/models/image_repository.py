from collections.abc import Mapping
from typing import ClassVar

from django.db import models
from django.db.models import Q

from stellapromote.accounts.models.product import Product
from stellapromote.accounts.models.tenant import Tenant
from stellapromote.ids import new_id
from stellapromote.image_repositories import LONGEST, PATTERN
from stellapromote.recorded_rows import SCHEMA, RecordedRow


class ImageRepository(RecordedRow):
    """A repository of images, or a pattern of several, and the product to which its images belong (domain.md §1b).

    ``name`` is in the spelling of ``stellapromote.image_repositories``. Without a product it is shared by all; or it is
    undecided: several products released it before products had repositories, and they go on.
    """

    GUARDS: ClassVar[frozenset[str]] = frozenset({"product", "is_shared"})
    NO_GUARDS: ClassVar[Mapping[str, str]] = {
        "id": "never changes",
        "tenant": "never changes",
        "name": "never changes",
        "created_at": "a mark",
    }
    RECORDED_FROM = f"{SCHEMA} image repository"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="image_repositories")
    name = models.CharField(max_length=LONGEST)
    product = models.ForeignKey(
        Product, null=True, on_delete=models.PROTECT, related_name="image_repositories", db_constraint=False
    )
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "image repository"
        verbose_name_plural = "image repositories"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="image_repository_unique_per_tenant"),
            models.CheckConstraint(condition=Q(name__regex=PATTERN), name="image_repository_is_name"),
            models.CheckConstraint(
                condition=Q(product=None) | Q(is_shared=False), name="image_repository_shared_or_of_product"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-created_at", "-id"], name="image_repository_newest")]

    def __str__(self) -> str:
        return self.name
