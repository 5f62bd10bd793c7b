from collections.abc import Mapping
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from stellapromote.accounts.models.tenant import Tenant
from stellapromote.ids import new_id
from stellapromote.recorded_rows import RecordedRow


class HeldAccount(RecordedRow):
    """An account that may be in the hands of its ``holders``: they saw its one-time link, chose where it was sent, or
    invited it into the tenant.

    In this tenant it counts as theirs until another person confirms that the right person has it (docs/adr/0234).
    ``confirmed_by`` is empty for a confirmation on the command line.
    """

    class Because(models.TextChoices):
        INVITATION = "invitation"
        RESET = "reset"
        ELSEWHERE = "elsewhere"
        """It came into this tenant by their invitation, or from one where it counts as theirs."""

    GUARDS: ClassVar[frozenset[str]] = frozenset()
    NO_GUARDS: ClassVar[Mapping[str, str]] = {
        "id": "never changes",
        "tenant": "never changes",
        "user": "never changes",
        "holders": "never changes",
        "because": "never changes",
        "held_at": "a mark",
        "confirmed_at": "another person vouches for it",
        "confirmed_by": "another person vouches for it",
        "confirmed_under": "another person vouches for it",
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="held_accounts")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="held")
    holders = ArrayField(models.UUIDField())
    because = models.CharField(max_length=10, choices=Because)
    held_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    confirmed_under = models.ForeignKey(
        "accounts.RoleGrant", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        verbose_name = "held account"
        verbose_name_plural = "held accounts"
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmed_at=None, confirmed_by=None, confirmed_under=None)
                | Q(confirmed_at__gte=F("held_at"), confirmed_by=None, confirmed_under=None)
                | (
                    Q(confirmed_at__gte=F("held_at"), confirmed_by__isnull=False, confirmed_under__isnull=False)
                    & ~Q(confirmed_by=F("user"))
                ),
                name="held_account_confirmed_by_another",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant"], condition=Q(confirmed_at=None), name="held_account_unconfirmed"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.tenant_id}"
