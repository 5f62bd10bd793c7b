from policies.models.approval_policy import ApprovalPolicy, ApprovalPolicyVersion
from policies.models.promotion_policy import PromotionPolicy, PromotionPolicyVersion
from policies.models.proposal import Proposal
from policies.models.weakening_edit import WeakeningEdit

__all__ = [
    "ApprovalPolicy",
    "ApprovalPolicyVersion",
    "PromotionPolicy",
    "PromotionPolicyVersion",
    "Proposal",
    "WeakeningEdit",
]
