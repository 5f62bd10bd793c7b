from policies.models.approval_policy import ApprovalPolicy, ApprovalPolicyVersion
from policies.models.promotion_policy import PromotionPolicy, PromotionPolicyVersion
from policies.models.weakening_edit import WeakeningEdit

__all__ = [
    "ApprovalPolicy",
    "ApprovalPolicyVersion",
    "PromotionPolicy",
    "PromotionPolicyVersion",
    "WeakeningEdit",
]
