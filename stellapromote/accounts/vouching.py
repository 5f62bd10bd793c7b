"""The grants under which a person gives a right, or vouches for one that another person gave (domain.md §5).

People only: a machine gives rights under no role, so its grants count once a person confirmed them.
"""

from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import GrantedVia, HeldAccount, RoleGrant
from stellapromote.accounts.scopes import PROMOTION_APPROVE, ROLES, TENANT_ADMIN

GRANTING_ROLES: Final = tuple(role for role, scopes in ROLES.items() if TENANT_ADMIN in scopes)
"""Roles that give rights to others."""

CONFIRMING_SCOPES: Final = (TENANT_ADMIN, PROMOTION_APPROVE)
"""The roles with which a person may confirm: those that give rights, and those that decide on promotions
(docs/adr/0157)."""

CONFIRMING_ROLES: Final = tuple(role for role, scopes in ROLES.items() if scopes & set(CONFIRMING_SCOPES))
"""A role that is limited to products vouches for nothing: what it would confirm counts for all of them."""


def via(by: Actor) -> GrantedVia:
    """Where a grant of the actor is made."""
    return GrantedVia.COMMAND if by.auth_method == "command" else GrantedVia.PAGE


def authority_of(by: Actor) -> UUID | None:
    """The live role grant under which a person gives rights in their tenant. None for machines and commands."""
    if by.kind != "person":
        return None
    live = RoleGrant.objects.filter(tenant_id=by.tenant, user_id=by.account, role__in=GRANTING_ROLES, ended_at=None)
    return live.order_by("granted_at", "pk").values_list("pk", flat=True).first()


def vouched_for(tenant_id: UUID, user_id: UUID) -> RoleGrant | None:
    """The live role grant under which the person may confirm: one made on the command line or by a directory comes
    before a confirmed one. None: no grant of theirs is vouched for."""
    found = _vouched_for(tenant_id).filter(user_id=user_id)
    return min(found, key=lambda each: (each.granted_via == GrantedVia.PAGE, each.granted_at, each.pk), default=None)


def people_vouched_for(tenant_id: UUID) -> list[UUID]:
    """The people of the tenant who may confirm."""
    return sorted(set(_vouched_for(tenant_id).values_list("user_id", flat=True)))


def _vouched_for(tenant_id: UUID) -> QuerySet[RoleGrant]:
    """The roles of accounts that may be in other hands (docs/adr/0234) are not among them."""
    live = RoleGrant.objects.filter(tenant_id=tenant_id, role__in=CONFIRMING_ROLES, ended_at=None)
    held = HeldAccount.objects.filter(tenant_id=tenant_id, user_id=OuterRef("user_id"), confirmed_at=None)
    return live.filter(~Exists(held), ~Q(granted_via=GrantedVia.PAGE) | Q(confirmed_at__isnull=False))
