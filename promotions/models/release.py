from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from stellapromote.accounts.models import Tenant
from stellapromote.accounts.models.tenant import validate_slug
from stellapromote.ids import new_id
from stellapromote.patterns import DIGEST, SLUG

MAX_COMPONENTS = 200
RELEASE_NAME_PATTERN = r"^[A-Za-z0-9](?:[A-Za-z0-9._+-]{0,126}[A-Za-z0-9])?$"

COMPONENT_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._/-]*$"
REPOSITORY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$"
TAG_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9._-]*$"


class Release(models.Model):
    """A named set of OCI digests of one product (domain.md §3). Components change only in draft.

    ``contributors`` are the accounts, and the issuers of their tokens, that created, changed or finalized it: an
    account that put in the components of another counts as its creator, too (domain.md §5).
    """

    class Status(models.TextChoices):
        DRAFT = "draft"
        FINALIZED = "finalized"
        DEPRECATED = "deprecated"
        ARCHIVED = "archived"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="releases")
    product = models.CharField(max_length=63, default="main", validators=[validate_slug])
    name = models.CharField(max_length=128)
    display_name = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    source_ref = models.JSONField(null=True, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    status_reason = models.CharField(max_length=500, blank=True)
    manifest_digest = models.CharField(max_length=71, null=True, blank=True)  # noqa: DJ001 - absent, not empty
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_by_name = models.CharField(max_length=200)
    created_with_token_issuer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    contributors = ArrayField(models.UUIDField(), default=list)
    created_at = models.DateTimeField()
    finalized_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name", "product"], name="release_name_unique_per_product"),
            models.UniqueConstraint(fields=["id", "tenant"], name="release_tenant_key"),
            models.CheckConstraint(condition=Q(name__regex=RELEASE_NAME_PATTERN), name="release_name_pattern"),
            models.CheckConstraint(condition=Q(product__regex=SLUG), name="release_product_is_slug"),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "finalized", "deprecated", "archived"]), name="release_status_known"
            ),
            models.CheckConstraint(
                condition=Q(finalized_at=None, manifest_digest=None)
                | Q(finalized_at__isnull=False, manifest_digest__regex=DIGEST),
                name="release_manifest_iff_finalized",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["finalized", "deprecated"]) | Q(finalized_at__isnull=False),
                name="release_finalized_has_instant",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at", "-id"], name="release_newest"),
            models.Index(fields=["tenant", "status", "-created_at", "-id"], name="release_newest_by_status"),
            models.Index(fields=["tenant", "product", "-created_at", "-id"], name="release_newest_by_product"),
            models.Index(fields=["tenant", "manifest_digest"], name="release_by_manifest"),
        ]

    def __str__(self) -> str:
        return self.name


class Component(models.Model):
    """One OCI artifact of a release. The digest decides; tag and semver are labels for people (product.md, 1)."""

    class Role(models.TextChoices):
        PRIMARY = "primary"
        SIDECAR = "sidecar"
        INIT = "init"
        MIGRATION = "migration"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="components")
    name = models.CharField(max_length=128)
    image_repository = models.CharField(max_length=255)
    digest = models.CharField(max_length=71, blank=True)
    tag = models.CharField(max_length=128, blank=True)
    semver = models.CharField(max_length=128, blank=True)
    role = models.CharField(max_length=9, choices=Role.choices, default=Role.PRIMARY)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["release", "name"], name="component_name_unique_in_release"),
            models.CheckConstraint(condition=Q(name__regex=COMPONENT_NAME_PATTERN), name="component_name_pattern"),
            models.CheckConstraint(
                condition=Q(image_repository__regex=REPOSITORY_PATTERN), name="component_repository_pattern"
            ),
            models.CheckConstraint(condition=Q(tag="") | Q(tag__regex=TAG_PATTERN), name="component_tag_pattern"),
            models.CheckConstraint(condition=Q(digest="") | Q(digest__regex=DIGEST), name="component_digest_pattern"),
            models.CheckConstraint(
                condition=Q(role__in=["primary", "sidecar", "init", "migration"]), name="component_role_known"
            ),
        ]
        indexes = [models.Index(fields=["digest"], name="component_by_digest")]

    def __str__(self) -> str:
        return self.name
