"""The ETags of policies (api.md, concurrency): what GET answers, and what a write compares under its row lock."""

import hashlib
from collections.abc import Sequence

from policies.models import ApprovalPolicy, PromotionPolicy
from stellapromote.api.etag import strong


def approval_policy_tag(policy: ApprovalPolicy, used_by: Sequence[str]) -> str:
    """Changes with the policy, and with the environments (names, sorted) that it guards: both are in its answer."""
    if not used_by:
        return strong(policy.revision)
    return strong(f"{policy.revision}-{hashlib.sha256(','.join(used_by).encode()).hexdigest()[:12]}")


def promotion_policy_tag(policy: PromotionPolicy) -> str:
    """Changes with the draft and with every publication."""
    return strong(policy.revision)
