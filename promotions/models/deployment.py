from django.conf import settings
from django.db import models
from django.db.models import Q

from promotions.models.promotion import Promotion
from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id


class Deployment(models.Model):
    """One accepted report about the deployment of a promotion; the first content of each status and attempt wins.

    ``run_id`` is the reporter's own name of the run that deploys, empty where none was given.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    promotion = models.ForeignKey(Promotion, on_delete=models.PROTECT, related_name="deployments", db_constraint=False)
    attempt = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=11)
    message = models.CharField(max_length=2000, blank=True)
    url = models.CharField(max_length=500, blank=True)
    run_id = models.CharField(max_length=200, blank=True, db_default="", default="")
    manifest_reported = models.BooleanField()
    reported_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    reported_with_token_issuer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    reported_by_username = models.CharField(max_length=127)
    reported_by_name = models.CharField(max_length=200)
    reported_at = models.DateTimeField()

    class Meta:
        indexes = [
            # Holds all that the delivery report asks of a report.
            models.Index(
                fields=["tenant", "reported_at"], include=["status", "promotion", "attempt"], name="deployment_by_time"
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["promotion", "attempt", "status"], name="deployment_report_once"),
            models.CheckConstraint(
                condition=Q(status__in=["started", "succeeded", "failed", "rolled_back"]),
                name="deployment_status_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} ({self.attempt})"
