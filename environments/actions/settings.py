"""Shared by the creation and the change of an environment: names become rows."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import orjson

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


def lock_approval_policies(tenant_id: UUID, names: Sequence[str]) -> list[ApprovalPolicy]:
    """The tenant's enabled approval policies of these names, kept from being disabled or retired until commit. Invalid
    naming each one that does not exist or is disabled."""
    rows = (
        ApprovalPolicy.objects.filter(tenant_id=tenant_id, name__in=names, retired_at=None)
        .select_for_update(no_key=True)
        .order_by("id")
    )
    found = {row.name: row for row in rows}
    errors = []
    for index, name in enumerate(names):
        if name not in found:
            errors.append(FieldError(f"approvalPolicies[{index}]", f"There is no approval policy {name}.", "unknown"))
        elif not found[name].enabled:
            errors.append(FieldError(f"approvalPolicies[{index}]", f"Approval policy {name} is disabled.", "disabled"))
    refuse(errors)
    return [found[name] for name in names]


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
    environment: Environment, policies: Iterable[ApprovalPolicy]
) -> tuple[list[EnvironmentApprovalPolicy], list[EnvironmentApprovalPolicy]]:
    """Makes these the approval policies of the environment; links that stay are left alone. Returns those that it made,
    and those that are gone."""
    wanted = {policy.pk: policy for policy in policies}
    links = environment.approval_policy_links
    gone = list(links.exclude(policy__in=wanted))
    links.exclude(policy__in=wanted).delete()
    present = set(links.values_list("policy_id", flat=True))
    made = EnvironmentApprovalPolicy.objects.bulk_create(
        EnvironmentApprovalPolicy(environment=environment, policy=policy)
        for pk, policy in wanted.items()
        if pk not in present
    )
    return made, gone


def policy_texts(
    environment: Environment, approval: Iterable[ApprovalPolicy] | None, promotion: PromotionPolicy | None
) -> PolicyTexts:
    """The texts of the policies that guard the environment now, and of those to come (None: the same). A few
    statements."""
    approvals = {*environment.approval_policies.select_related("current"), *(approval or ())}
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
