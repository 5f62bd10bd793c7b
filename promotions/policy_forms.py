from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from environments.models import Environment
from stellapromote.accounts.models import User


class ApproverCheckForm(forms.Form):
    """Who could approve a promotion into this environment, if this person asked for it?"""

    environment = forms.ModelChoiceField(queryset=Environment.objects.none(), label=_("Into"), empty_label=None)
    requester = forms.ModelChoiceField(
        queryset=User.objects.none(), label=_("Requested by"), help_text=_("A member, or a service account.")
    )

    def __init__(self, data: Mapping[str, Any] | None, *, tenant_id: UUID, first: Environment | None) -> None:
        """`first`: the environment that is chosen until the person chooses another one."""
        super().__init__(data, initial={"environment": first})
        environments = Environment.objects.of(tenant_id).live().in_order()
        of_tenant = Q(memberships__tenant_id=tenant_id, memberships__ended_at=None) | Q(service__tenant_id=tenant_id)
        people = User.objects.filter(of_tenant).order_by("username").distinct()
        self._offer("environment", environments.select_related("promotion_policy__current"))
        self._offer("requester", people)

    def _offer(self, name: str, rows: QuerySet[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows
