from collections.abc import Mapping
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from stellapromote.accounts.models.tenant import Tenant, validate_slug
from stellapromote.ids import new_id
from stellapromote.patterns import SLUG
from stellapromote.recorded_rows import SCHEMA, RecordedRow

MAIN = "main"
"""The product of a release that names none. Every tenant has it from the start."""


class Product(RecordedRow):
    """What is released: a tenant has many (domain.md §1b). Releases and promotions name it by its slug.

    It is never deleted and its slug never changes, so no other product ever gets the name of an archived one. An
    archived product takes no new release and no new request. ``owner_teams``: the slugs of its owner teams, sorted.
    ``path``: the names of the environments that its releases pass, beside those on every path; None: all of them.
    GUARDS and NO_GUARDS name every field.
    """

    GUARDS: ClassVar[frozenset[str]] = frozenset({"owner_teams", "path"})
    NO_GUARDS: ClassVar[Mapping[str, str]] = {
        "id": "never changes",
        "tenant": "never changes",
        "slug": "never changes",
        "display_name": "only shown",
        "description": "only shown",
        "archived_at": "is set once, and ends new requests",
        "created_at": "a mark",
        "updated_at": "a mark",
        "version": "a mark",
    }

    RECORDED_FROM = f"{SCHEMA} product"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="products")
    slug = models.CharField(max_length=63, validators=[validate_slug])
    display_name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    owner_teams = ArrayField(models.CharField(max_length=63), default=list, db_default=[], blank=True)
    path = ArrayField(models.CharField(max_length=63), null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "slug"], name="product_slug_unique_per_tenant"),
            models.UniqueConstraint(fields=["id", "tenant"], name="product_tenant_key"),
            models.CheckConstraint(condition=Q(slug__regex=SLUG), name="product_slug_is_slug"),
            models.CheckConstraint(condition=~Q(display_name=""), name="product_has_display_name"),
            models.CheckConstraint(condition=Q(version__gte=1), name="product_version_positive"),
            models.CheckConstraint(condition=~Q(path=[]), name="product_path_not_empty"),
        ]
        indexes = [models.Index(fields=["tenant", "-created_at", "-id"], name="product_newest")]

    def __str__(self) -> str:
        return self.display_name

    @property
    def label(self) -> str:
        """Its name in a choice of products, with the slug where that says something else."""
        return self.slug if self.display_name == self.slug else f"{self.display_name} ({self.slug})"


class OwnersEdit(RecordedRow):
    """An edit of the owner teams of a product, with the teams that it left, its editor and token (domain.md §1b).

    For excludePolicyEditor it is to owner teams what a version is to a policy. It also keeps the names of teams that
    snapshots may hold. Append-only by trigger.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, related_name="owners_edits", db_index=False, db_constraint=False
    )
    owner_teams = ArrayField(models.CharField(max_length=63), blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    with_token_issuer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["product", "-at", "-id"], name="owners_edit_newest")]

    def __str__(self) -> str:
        return f"{self.product_id} by {self.by_id}"
