"""The ETags of policies (contract.md, concurrency): the answers of GET, compared by a write under its row lock."""

from collections.abc import Sequence

import orjson

from policies.models import ApprovalPolicy, PromotionPolicy, Proposal
from stellapromote.api.etag import opaque


def approval_policy_tag(policy: ApprovalPolicy, used_by: Sequence[str]) -> str:
    """Changes with the policy, and with the environments (names, sorted) that it guards: both are in its answer."""
    return opaque("approval-policy", policy.pk, policy.revision, *used_by)


def promotion_policy_tag(policy: PromotionPolicy) -> str:
    """Changes with the draft and with every publication, and stands for the text of the draft."""
    draft = orjson.dumps(policy.draft, option=orjson.OPT_SORT_KEYS).decode()
    return opaque("promotion-policy", policy.pk, policy.revision, draft)


def proposal_tag(proposal: Proposal) -> str:
    """Stands for the proposed edit, with its state: a second person names by it the text that they read."""
    return opaque("proposal", proposal.pk, proposal.digest, proposal.state)
