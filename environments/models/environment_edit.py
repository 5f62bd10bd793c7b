from django.conf import settings
from django.db import models

from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id
from stellapromote.recorded_rows import RecordedRow


class EnvironmentEdit(RecordedRow):
    """An edit of an environment's settings, or of its place in the order, with its editor and token (domain.md §5).

    For excludePolicyEditor it is to settings what a version is to a policy: settings have no versions. Append-only by
    trigger. ``environment_id`` may be that of a deleted environment. ``product``: the slug of the one of which
    the path into the environment was edited; empty: the edit is of all products.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    environment_id = models.UUIDField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    with_token_issuer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    at = models.DateTimeField()
    product = models.CharField(max_length=63, default="", db_default="", blank=True)

    class Meta:
        indexes = [models.Index(fields=["environment_id", "-at"], name="environment_edit_newest")]

    def __str__(self) -> str:
        return f"{self.environment_id} by {self.by_id}"
