"""The environments that a policy guards: read through the relation that environments have to it."""

from policies.models import ApprovalPolicy, PromotionPolicy


def protected_by(policy: ApprovalPolicy | PromotionPolicy) -> list[str]:
    """Names of the protected environments that name the policy, by name, archived ones too, for they may return.

    Read under the policy's lock, which naming it needs too.
    """
    return list(policy.environments.filter(protected=True).order_by("name").values_list("name", flat=True))
