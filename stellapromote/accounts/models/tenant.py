from django.core.validators import RegexValidator
from django.db import models

from stellapromote.ids import new_id
from stellapromote.patterns import SLUG, SLUG_HELP
from stellapromote.recorded_rows import RecordedRow

validate_slug = RegexValidator(SLUG, SLUG_HELP)


class Tenant(models.Model):
    """The isolation border (product.md, Roles): every tenant-owned row carries it, nothing crosses it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.CharField(max_length=63, unique=True, validators=[validate_slug])
    name = models.CharField(max_length=200)
    is_demo = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(slug__regex=SLUG), name="tenant_slug_is_slug"),
        ]

    def __str__(self) -> str:
        return self.name


class Team(RecordedRow):
    """A group of people inside one tenant; approval rules name teams by slug."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="teams")
    slug = models.CharField(max_length=63, validators=[validate_slug])
    name = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "slug"], name="team_slug_unique_per_tenant"),
            models.UniqueConstraint(fields=["id", "tenant"], name="team_of_tenant"),
            models.CheckConstraint(condition=models.Q(slug__regex=SLUG), name="team_slug_is_slug"),
        ]

    def __str__(self) -> str:
        return self.name
