from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from environments.models import Environment
from stellapromote.accounts.models import User


class ApproverCheckForm(forms.Form):
    """Who could approve a promotion into this environment, if this person asked for it?"""

    environment = forms.ModelChoiceField(queryset=Environment.objects.none(), label=_("Into"), empty_label=None)
    requester = forms.ModelChoiceField(
        queryset=User.objects.none(), label=_("Requested by"), help_text=_("A member, or a service account.")
    )

    def __init__(self, data: Mapping[str, Any] | None, *, tenant_id: UUID) -> None:
        super().__init__(data)
        environments = Environment.objects.of(tenant_id).live().in_order()
        of_tenant = Q(memberships__tenant_id=tenant_id, memberships__ended_at=None) | Q(service__tenant_id=tenant_id)
        self.fields["environment"].queryset = environments.select_related("promotion_policy__current")
        self.fields["requester"].queryset = User.objects.filter(of_tenant).order_by("username").distinct()
