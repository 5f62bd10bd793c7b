"""Environments in which the product of a release decides by what it is guarded (domain.md §1b)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from environments.guarding import frozen_by
from environments.models import Environment, EnvironmentApprovalPolicy, FreezeWindow
from environments.ordering import lost_steps, order, order_of
from environments.paths import orders_of, paths_of_products
from policies.models import Proposal
from promotions.judging.guards import environments_judging_products
from stellapromote.accounts.models import RoleGrant
from stellapromote.accounts.scopes import PROMOTION_APPROVE, roles_with

_DECIDING: Final = ("environment.update", "freeze_window.update", "product.create", "product.update")
_OF_PATHS: Final = frozenset({"path", "requiredOnEveryPath", "isProduction"})
"""The parts of an environment and of a product that paths come from, beside the order."""


def any_names_products(tenant_id: UUID) -> bool:
    """Whether an approval policy guards any environment of the tenant for some products alone. One statement."""
    return _naming_products(tenant_id).exists()


def protected_by_product(tenant_id: UUID, at: datetime) -> dict[UUID, str]:
    """Names of the protected environments that guard products each by its own, by id: by approval policies for some
    products, by freezes of products that are not over and by paths, also those of open proposals; by gates that judge
    products; by people whose role that votes is for some products. Archived ones too, for they may return. A few
    statements, and those of ``frozen_by`` for each such freeze.

    Proposals are read first: one that is confirmed meanwhile is in force then.
    """
    names = {
        *_proposed(tenant_id, at),
        *_naming_products(tenant_id).values_list("environment__name", flat=True),
        *_freezing_products(tenant_id, at),
        *environments_judging_products(tenant_id, at),
        *_left_out(tenant_id),
        *_voting_on_products(tenant_id),
    }
    found = Environment.objects.of(tenant_id).filter(protected=True, name__in=names)
    return dict(found.values_list("pk", "name"))


def _left_out(tenant_id: UUID) -> Iterable[str]:
    """The environments that a path of a product leaves out, or enters without passing all before them. An archived
    product counts too: another one may claim its images. Two statements."""
    environments, paths = order(tenant_id), paths_of_products(tenant_id, archived=True)
    whole, by_product = order_of(environments), orders_of(environments, paths)
    for each in environments:
        if any(each.pk not in own or each.pk in lost_steps(whole, own) for own in by_product.values()):
            yield each.name


def _naming_products(tenant_id: UUID) -> QuerySet[EnvironmentApprovalPolicy]:
    return EnvironmentApprovalPolicy.objects.filter(environment__tenant_id=tenant_id).exclude(products=[])


def _voting_on_products(tenant_id: UUID) -> Iterable[str]:
    """All environments, while a role that votes is for some products alone (docs/adr/0242)."""
    voting = RoleGrant.objects.filter(tenant_id=tenant_id, ended_at=None, role__in=roles_with(PROMOTION_APPROVE))
    if voting.exclude(products=[]).exists():
        yield from Environment.objects.of(tenant_id).values_list("name", flat=True)


def _proposed(tenant_id: UUID, at: datetime) -> Iterable[str]:
    """The environments of which an open proposal has approval policies guard or a freeze hold some products alone, or
    changes paths."""
    open_ones = Proposal.objects.of(tenant_id).open().filter(expires_at__gt=at, kind__in=_DECIDING)
    for after, guards in open_ones.values_list("after", "guards"):
        if not after:
            continue
        if after.get("productApprovalPolicies") or after.get("products") or not _OF_PATHS.isdisjoint(after):
            yield from guards


def _freezing_products(tenant_id: UUID, at: datetime) -> Iterable[str]:
    """The environments that a freeze of some products concerns now, or will."""
    windows = FreezeWindow.objects.of(tenant_id).filter(cleared_at=None, ends_at__gt=at).exclude(products=[])
    for window in windows.select_related("environment"):
        yield from frozen_by(tenant_id, window.environment, at)
