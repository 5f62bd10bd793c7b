from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Greatest, Least

from environments.models.environment import Environment
from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id
from stellapromote.recorded_rows import RecordedRow


class FreezeWindowQuerySet(models.QuerySet["FreezeWindow"]):
    def of(self, tenant_id: UUID) -> Self:
        return self.filter(tenant_id=tenant_id)

    def concerning(self, environment_ids: Iterable[UUID]) -> Self:
        """Windows for any of these environments, and those for the whole tenant."""
        return self.filter(Q(environment=None) | Q(environment__in=list(environment_ids)))

    def standing_at(self, at: datetime) -> Self:
        """Neither cleared nor over: those in force at `at`, and those to come."""
        return self.filter(cleared_at=None, ends_at__gt=at)

    def touching(self, start: datetime | None, end: datetime | None) -> Self:
        """Windows that touch [start, end), cleared ones included; None: no bound on that side."""
        bounds = {"ends_at__gt": start, "starts_at__lt": end}
        return self.filter(**{name: at for name, at in bounds.items() if at is not None})

    def with_an_edge(self, since: datetime, until: datetime) -> Self:
        """Windows that began or ended in (since, until], ordered by their begin; not one that was called off before its
        begin."""
        windows = self.annotate(
            begins=Greatest("starts_at", "created_at"),
            over=Case(
                When(cleared_at=None, then=F("ends_at")),
                default=Least("ends_at", "cleared_at"),
                output_field=models.DateTimeField(),
            ),
        )
        edge = Q(begins__gt=since) | Q(over__gt=since, over__lte=until)
        return windows.filter(edge, begins__lte=Value(until), over__gt=F("begins")).order_by("begins", "pk")

    def oldest_first(self) -> Self:
        return self.order_by("starts_at", "id")

    def newest_first(self) -> Self:
        return self.order_by("-starts_at", "-id")


# The same for `environments_freezewindow f`, in SQL that is written by hand: tests/promotions/judging compares them.


def concerning_sql(environment: str, product: str) -> str:
    return (
        f"(f.environment_id IS NULL OR f.environment_id = {environment}) "
        f"AND (f.products = '{{}}' OR f.products @> ARRAY[{product}]::varchar[])"
    )


def standing_at_sql(at: str) -> str:
    return f"f.cleared_at IS NULL AND f.ends_at > {at}"


class FreezeWindow(RecordedRow):
    """A time in which nothing may enter one environment, or any of the tenant ("stop the line") (domain.md §2).

    Half-open [starts_at, ends_at) in UTC; ``timezone`` is the zone in which it was written. Never deleted: clearing
    keeps it in history. ``products`` are those that it holds, none for all of them (domain.md §1b). ``exceptions`` are
    usernames who may override this window for one promotion (domain.md §6); ``excepted_by`` maps each to the ids of the
    accounts behind that, none for a command. ``held_by``: the persons behind its creation and every change, never a
    machine. GUARDS and NO_GUARDS name every field.
    """

    GUARDS: ClassVar[frozenset[str]] = frozenset({"starts_at", "ends_at", "products", "exceptions", "cleared_at"})
    NO_GUARDS: ClassVar[Mapping[str, str]] = {
        "id": "never changes",
        "tenant": "never changes",
        "environment": "never changes",
        "name": "only shown",
        "timezone": "how the instants were written",
        "reason": "only shown",
        "excepted_by": "follows exceptions",
        "held_by": "only grows",
        "created_by": "a mark",
        "created_by_name": "a mark",
        "created_at": "a mark",
        "changed_at": "a mark",
        "cleared_by": "follows cleared_at",
        "cleared_by_name": "follows cleared_at",
        "clear_reason": "follows cleared_at",
        "version": "a mark",
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="freeze_windows")
    environment = models.ForeignKey(
        Environment, null=True, blank=True, on_delete=models.PROTECT, related_name="freeze_windows"
    )
    products = ArrayField(models.CharField(max_length=63), default=list, db_default=[], blank=True)
    name = models.CharField(max_length=200)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    timezone = models.CharField(max_length=64, default="UTC")
    reason = models.CharField(max_length=500)
    exceptions = ArrayField(models.CharField(max_length=127), default=list, blank=True)
    excepted_by = models.JSONField(default=dict, db_default=Value({}, models.JSONField()), blank=True)
    held_by = ArrayField(models.UUIDField(), default=list, db_default=Value([], ArrayField(models.UUIDField())))
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)
    cleared_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    cleared_by_name = models.CharField(max_length=200, blank=True)
    clear_reason = models.CharField(max_length=500, blank=True)
    version = models.PositiveIntegerField(default=1)

    objects = FreezeWindowQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="freeze_window_ends_after_start"),
            models.CheckConstraint(condition=~Q(reason=""), name="freeze_window_has_reason"),
            models.CheckConstraint(condition=~Q(name=""), name="freeze_window_has_name"),
            models.CheckConstraint(
                condition=Q(cleared_at=None, cleared_by=None, cleared_by_name="", clear_reason="")
                | Q(cleared_at__isnull=False) & ~Q(cleared_by_name=""),
                name="freeze_window_cleared_by_somebody",
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="freeze_window_version_positive"),
        ]
        indexes = [
            models.Index(fields=["tenant", "ends_at"], condition=Q(cleared_at=None), name="freeze_window_live"),
            models.Index(fields=["tenant", "environment", "-starts_at", "-id"], name="freeze_window_in_order"),
        ]

    def __str__(self) -> str:
        return self.name

    def concerns(self, environment_id: UUID) -> bool:
        """Whether it is one of ``FreezeWindowQuerySet.concerning`` this environment."""
        return self.environment_id in (None, environment_id)

    def holds(self, product: str | None) -> bool:
        """Whether it holds the product, or with None every product."""
        return not self.products or product in self.products

    def stands_at(self, at: datetime) -> bool:
        """Whether it is one of ``FreezeWindowQuerySet.standing_at``."""
        return self.cleared_at is None and self.ends_at > at

    @property
    def began_at(self) -> datetime:
        """Its start, or when it was made after that: nothing was held back before. Calendars show its start."""
        return max(self.starts_at, self.created_at)

    @property
    def over_at(self) -> datetime:
        """Its end, or its clearing before that."""
        return self.ends_at if self.cleared_at is None else min(self.ends_at, self.cleared_at)
