from datetime import timedelta

from django.db import models
from django.db.models import Q

from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id
from stellapromote.recorded_rows import RecordedRow

REMEMBERED = timedelta(days=30)
"""The time for which an edit stands on the board and in packets (domain.md §5)."""


class WeakeningEdit(RecordedRow):
    """An edit that made entering an environment easier: fewer approvals, a policy removed, a freeze cleared.

    Listed on the board and sealed into the packet of every promotion decided within 30 days of it (domain.md §5).
    ``environment_id`` names the environment it concerns, ``policy_name`` the policy; neither: the whole tenant.
    ``confirmed_…`` is the second person of an edit that concerns a protected environment. Append-only by trigger.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    actor_id = models.UUIDField(null=True)
    actor_username = models.CharField(max_length=127)
    actor_name = models.CharField(max_length=200)
    what = models.TextField()
    environment_id = models.UUIDField(null=True)
    policy_name = models.CharField(max_length=63, blank=True)
    confirmed_at = models.DateTimeField(null=True)
    confirmed_by_id = models.UUIDField(null=True)
    confirmed_by_username = models.CharField(max_length=127, blank=True, db_default="")
    confirmed_by_name = models.CharField(max_length=200, blank=True, db_default="")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(what=""), name="weakening_edit_says_what"),
        ]
        indexes = [models.Index(fields=["tenant", "-at"], name="weakening_edit_recent")]

    def __str__(self) -> str:
        return self.what
