"""Shared by the creation and the change of an environment: names become rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from environments.actions.products import check_products
from environments.models import Environment, EnvironmentApprovalPolicy
from environments.settings_schema import refuse
from environments.weakening import PolicyTexts
from policies.models import ApprovalPolicy, PromotionPolicy
from stellapromote.errors import FieldError, Invalid

Before = Environment | None


def published_policy(tenant_id: UUID, name: str) -> PromotionPolicy:
    """The tenant's published promotion policy of that name, kept from being published again until commit; Invalid when
    there is none."""
    policy = PromotionPolicy.objects.filter(tenant_id=tenant_id, name=name).select_for_update(no_key=True).first()
    if policy is None:
        raise Invalid(fields=[FieldError("promotionPolicy", f"There is no promotion policy {name}.", "unknown")])
    if policy.current_id is None:
        problem = f"Promotion policy {name} has no published version yet."
        raise Invalid(fields=[FieldError("promotionPolicy", problem, "unpublished")])
    return policy


Entry = tuple[ApprovalPolicy, Sequence[str]]
"""An approval policy, and the products for which it holds; none: all of them."""


def lock_entries(
    tenant_id: UUID, names: Sequence[str], by_product: Sequence[Mapping[str, Any]], *, gone: Sequence[str] = ()
) -> list[Entry]:
    """The approval policies for all products and those for some, and beside them those that are ``gone``: enabled ones
    of the tenant, kept from being disabled or retired until commit.

    Invalid naming each one that does not exist, is disabled or named twice, and each product that does not exist.
    """
    _check_named_once(names, by_product)
    check_products(
        tenant_id,
        {
            f"productApprovalPolicies[{index}].products[{place}]": slug
            for index, each in enumerate(by_product)
            for place, slug in enumerate(each["products"])
        },
    )
    places = {f"approvalPolicies[{index}]": name for index, name in enumerate([*names, *gone])}
    places |= {f"productApprovalPolicies[{index}].name": each["name"] for index, each in enumerate(by_product)}
    policies = _lock_approval_policies(tenant_id, places)
    return [
        *((policies[name], ()) for name in names),
        *((policies[each["name"]], each["products"]) for each in by_product),
    ]


def _check_named_once(names: Sequence[str], by_product: Sequence[Mapping[str, Any]]) -> None:
    seen, errors = set(names), []
    for index, each in enumerate(by_product):
        if each["name"] in seen:
            place = f"productApprovalPolicies[{index}].name"
            problem = f"Approval policy {each['name']} is named twice: name it once, with all its products."
            errors.append(FieldError(place, problem, "invalid"))
        seen.add(each["name"])
    refuse(errors)


def _lock_approval_policies(tenant_id: UUID, places: Mapping[str, str]) -> dict[str, ApprovalPolicy]:
    """``places``: the name of a policy by the place where it stands."""
    names = [*places.values()]
    rows = (
        ApprovalPolicy.objects.filter(tenant_id=tenant_id, name__in=names, retired_at=None)
        .select_for_update(no_key=True)
        .order_by("id")
    )
    found = {row.name: row for row in rows}
    errors = []
    for place, name in places.items():
        if name not in found:
            errors.append(FieldError(place, f"There is no approval policy {name}.", "unknown"))
        elif not found[name].enabled:
            errors.append(FieldError(place, f"Approval policy {name} is disabled.", "disabled"))
    refuse(errors)
    return found


def environment_named(name: str | None, environments: Iterable[Environment]) -> Environment | None:
    """For autoPromoteFrom, by id or name; Invalid when the tenant has no such environment. Its place is checked
    afterwards."""
    if name is None:
        return None
    known = list(environments)
    # The id counts first: no request can choose one.
    named = {each.name: each for each in known} | {str(each.pk): each for each in known}
    if name in named:
        return named[name]
    raise Invalid(fields=[FieldError("autoPromoteFrom", f"There is no environment {name}.", "unknown")])


def guard_with(
    environment: Environment, entries: Iterable[Entry]
) -> tuple[list[EnvironmentApprovalPolicy], list[EnvironmentApprovalPolicy]]:
    """Makes these the approval policies of the environment; links that stay are left alone. Returns those that it
    wrote, and those that are gone."""
    wanted = {policy.pk: (policy, list(products)) for policy, products in entries}
    present = {link.policy_id: link for link in environment.approval_policy_links.all()}
    gone = [link for pk, link in present.items() if pk not in wanted]
    EnvironmentApprovalPolicy.objects.filter(pk__in=[link.pk for link in gone]).delete()
    changed = [link for pk, link in present.items() if pk in wanted and link.products != wanted[pk][1]]
    for link in changed:
        link.products = wanted[link.policy_id][1]
        link.save(update_fields=["products"])
    made = EnvironmentApprovalPolicy.objects.bulk_create(
        EnvironmentApprovalPolicy(environment=environment, policy=policy, products=products)
        for pk, (policy, products) in wanted.items()
        if pk not in present
    )
    return [*changed, *made], gone


def policy_texts(
    environment: Environment, approval: Iterable[Entry] | None, promotion: PromotionPolicy | None
) -> PolicyTexts:
    """The texts of the policies that guard the environment now, and of those to come (None: the same). A few
    statements."""
    approvals = {*environment.approval_policies.select_related("current"), *(policy for policy, _ in approval or ())}
    promotions = {environment.promotion_policy, *([] if promotion is None else [promotion])}
    return PolicyTexts(
        approval={each.name: orjson.loads(each.current.canonical) for each in approvals if each.current},
        promotion={each.name: orjson.loads(each.current.canonical) for each in promotions if each.current},
        versions={
            (kind, each.name): (each.current.version, each.current.digest)
            for kind, policies in (("approval_policy", approvals), ("promotion_policy", promotions))
            for each in policies
            if each.current
        },
    )


def merged_config(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Parts that are given replace those that are stored; `variables` counts as one part."""
    return {**config, **changes}


def reloaded(environment_id: UUID) -> Environment:
    """The environment with everything its full object shows, as it is now."""
    return Environment.objects.with_settings().get(pk=environment_id)
