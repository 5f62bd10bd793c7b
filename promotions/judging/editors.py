"""The editors of the guards of an environment since a release was created (domain.md §5, excludePolicyEditor)."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from environments.models import Environment, EnvironmentEdit
from policies.models import ApprovalPolicyVersion, PromotionPolicyVersion, Proposal
from promotions.judging.attribution import Origin
from promotions.judging.products import KnownProduct
from stellapromote.accounts.models import OwnersEdit
from stellapromote.fastpath.together import fetch_together


class _Edit(NamedTuple):
    """The edits that put a version of ``guard`` in force: their people, with the issuers of their tokens."""

    guard: UUID
    at: datetime
    people: tuple[tuple[UUID | None, UUID | None], ...]


def editors(
    target: Environment,
    approval_policies: Iterable[UUID],
    product: KnownProduct | None,
    *,
    of_owners: bool = False,
    since: datetime,
) -> Iterator[Origin]:
    """The people who wrote, drafted or published any version in force at ``since`` or later of a policy that guards
    ``target`` now, and the editors of its settings and of the path of the product into it, with the instant from which
    it was in force. Texts of the installation have no editor.

    The confirmation of an edit counts only after ``since``. ``approval_policies``: those that guard it. ``of_owners``:
    whether one asks for the owner teams of the product, which is not None then. Cost: four statements that are sent
    together, five of owners.
    """
    policies = list(approval_policies)
    confirmed, published, versions, settings, *owned = fetch_together(
        _confirmations(target, policies, product, of_owners, since),
        _publications(target.promotion_policy_id),
        _versions(policies),
        _settings(target, product),
        *([] if product is None or not of_owners else [_owners(product)]),
    )
    yield from (Origin(second, None, at) for second, at in confirmed)
    edits = (
        [_Edit(target.promotion_policy_id, at, _drafters(*who)) for at, *who in published],
        [_Edit(policy, at, ((by, issuer),)) for policy, at, by, issuer in versions],
        [_Edit(target.pk, at, ((by, issuer),)) for of, at, by, issuer in settings if not of],
        [_Edit(target.pk, at, ((by, issuer),)) for of, at, by, issuer in settings if of],
        [_Edit(owned_by, at, ((by, issuer),)) for owners in owned for owned_by, at, by, issuer in owners],
    )
    for newest_first in edits:
        for edit in _in_force(newest_first, since):
            for user_id, issuer_id in edit.people:
                if user_id is not None:
                    yield Origin(user_id, issuer_id, edit.at)


def _in_force(newest_first: Iterable[_Edit], since: datetime) -> Iterator[_Edit]:
    """Of each guard the edits after ``since``, and the last one before it, which was in force then."""
    for _, edits in groupby(newest_first, key=lambda edit: edit.guard):
        for edit in edits:
            yield edit
            if edit.at <= since:
                break


def _drafters(
    drafters: list[UUID], drafter: UUID | None, publisher: UUID | None, issuer: UUID | None
) -> tuple[tuple[UUID | None, UUID | None], ...]:
    return (*((each, None) for each in (*drafters, drafter)), (publisher, issuer))


def _publications(policy_id: UUID) -> QuerySet[PromotionPolicyVersion, Any]:
    rows = PromotionPolicyVersion.objects.filter(policy=policy_id).order_by("-version")
    return rows.values_list(
        "published_at", "drafters", "drafted_by_id", "published_by_id", "published_with_token_issuer_id"
    )


def _confirmations(
    target: Environment, policies: Iterable[UUID], product: KnownProduct | None, of_owners: bool, since: datetime
) -> QuerySet[Proposal, Any]:
    """Second persons of edits of the target, of its policies, of the product, and of an order or a path of the product
    that made entering it easier."""
    edited = [str(each) for each in (target.pk, target.promotion_policy_id, *policies)]
    about = Q(resource_id__in=edited) | Q(resource="environment", guards__contains=[target.name])
    if product is not None:
        of_product = Q(resource="product", name=product.slug)
        about |= of_product if of_owners else of_product & Q(guards__contains=[target.name], after__has_key="path")
    confirmed = Proposal.objects.of(target.tenant_id).filter(
        about,
        state=Proposal.State.CONFIRMED,
        ended_at__gt=since,
        ended_by_id__isnull=False,
    )
    return confirmed.values_list("ended_by_id", "ended_at")


def _versions(policies: Iterable[UUID]) -> QuerySet[ApprovalPolicyVersion, Any]:
    rows = ApprovalPolicyVersion.objects.filter(policy__in=list(policies)).order_by("policy_id", "-version")
    return rows.values_list("policy_id", "created_at", "created_by_id", "created_with_token_issuer_id")


def _settings(target: Environment, product: KnownProduct | None) -> QuerySet[EnvironmentEdit, Any]:
    of = [""] if product is None else ["", product.slug]
    rows = EnvironmentEdit.objects.filter(tenant_id=target.tenant_id, environment_id=target.pk, product__in=of)
    return rows.order_by("-at", "-id").values_list("product", "at", "by_id", "with_token_issuer_id")


def _owners(product: KnownProduct) -> QuerySet[OwnersEdit, Any]:
    rows = OwnersEdit.objects.filter(product=product.id).order_by("-at", "-id")
    return rows.values_list("product_id", "at", "by_id", "with_token_issuer_id")
