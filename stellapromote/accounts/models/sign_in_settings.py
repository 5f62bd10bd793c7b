from collections.abc import Mapping
from typing import ClassVar

from django.db import models

from stellapromote.accounts.models.tenant import Tenant
from stellapromote.ids import new_id
from stellapromote.recorded_rows import RecordedRow


class SignInSettings(RecordedRow):
    """What a tenant requires of a sign-in; without a row it requires nothing (docs/adr/0237).

    ``second_factor_from``: from this instant a person decides and confirms with a second factor alone; None: without
    one too.
    """

    GUARDS: ClassVar[frozenset[str]] = frozenset({"second_factor_from"})
    NO_GUARDS: ClassVar[Mapping[str, str]] = {"id": "never changes", "tenant": "never changes"}

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.OneToOneField(Tenant, on_delete=models.PROTECT, related_name="sign_in_settings")
    second_factor_from = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "sign-in settings"
        verbose_name_plural = "sign-in settings"

    def __str__(self) -> str:
        return f"Signing in to {self.tenant_id}"
