from django.conf import settings
from django.db import models

from stellapromote.accounts.models.tenant import Tenant
from stellapromote.ids import new_id


class EndedSession(models.Model):
    """A session without rights in one tenant: an administrator of it ended it there (docs/adr/0235).

    ``sign_in_id`` is that of the session (stellapromote.accounts.sign_in), which may go on in other tenants.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="ended_sessions")
    sign_in_id = models.UUIDField()
    ended_at = models.DateTimeField()
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sign_in_id", "tenant"], name="session_ended_once_in_a_tenant"),
        ]
        indexes = [models.Index(fields=["ended_at"], name="ended_session_by_age")]

    def __str__(self) -> str:
        return f"{self.sign_in_id} in {self.tenant_id}"
