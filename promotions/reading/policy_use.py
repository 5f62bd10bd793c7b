"""The environments that name a policy: policies themselves cannot know them (architecture.md, Direction)."""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from environments.models import EnvironmentApprovalPolicy
from policies.models import ApprovalPolicy


def environments_naming(policy_ids: Iterable[UUID]) -> dict[UUID, list[dict[str, str]]]:
    """Id and name of the environments that name each approval policy, by name; archived ones too, for they may return.

    Cost: one statement.
    """
    links = EnvironmentApprovalPolicy.objects.filter(policy_id__in=policy_ids).order_by("environment__name")
    found: defaultdict[UUID, list[dict[str, str]]] = defaultdict(list)
    for policy_id, environment_id, name in links.values_list("policy_id", "environment_id", "environment__name"):
        found[policy_id].append({"id": str(environment_id), "name": name})
    return found


def names_using(policy: ApprovalPolicy) -> list[str]:
    """Names of the environments that name the policy, sorted."""
    return [each["name"] for each in environments_naming([policy.pk])[policy.pk]]
