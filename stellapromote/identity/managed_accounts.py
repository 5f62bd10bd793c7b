"""The accounts whose password an administrator of a tenant may help to replace (access.md, People)."""

from uuid import UUID

from stellapromote.accounts.models import Invitation, Membership


def is_managed(tenant_id: UUID, user_id: UUID) -> bool:
    """Whether an invitation of this tenant made the account, and it never was a member of another. Two statements."""
    made = Invitation.objects.filter(tenant_id=tenant_id, ended_by_id=user_id, made_account=True).exists()
    return made and not Membership.objects.filter(user_id=user_id).exclude(tenant_id=tenant_id).exists()
