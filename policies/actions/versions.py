"""The immutable versions that a change of a policy adds; called inside an action's transaction."""

from datetime import datetime

from policies.documents import Document
from policies.models import (
    ApprovalPolicy,
    ApprovalPolicyVersion,
    PromotionPolicy,
    PromotionPolicyVersion,
)
from stellapromote.accounts.actor import Actor


def add_approval_version(policy: ApprovalPolicy, document: Document, *, by: Actor, at: datetime) -> None:
    """Stores the document as the policy's next version and makes it the current one; the caller saves the policy."""
    policy.current = ApprovalPolicyVersion.objects.create(
        tenant_id=policy.tenant_id,
        policy=policy,
        version=policy.current.version + 1 if policy.current else 1,
        canonical=document.canonical,
        digest=document.digest,
        created_by_id=by.user_id,
        created_with_token_issuer_id=by.token_issuer_id,
        created_at=at,
    )


def add_promotion_version(policy: PromotionPolicy, document: Document, *, by: Actor, at: datetime) -> None:
    """The same for a promotion policy."""
    policy.current = PromotionPolicyVersion.objects.create(
        tenant_id=policy.tenant_id,
        policy=policy,
        version=policy.current.version + 1 if policy.current else 1,
        canonical=document.canonical,
        digest=document.digest,
        drafted_by_id=policy.draft_by_id,
        drafters=policy.drafters,
        published_by_id=by.user_id,
        published_with_token_issuer_id=by.token_issuer_id,
        published_at=at,
    )


def drafted(version: PromotionPolicyVersion) -> dict[str, object]:
    """The authors of a version's text, as the event of its publication has them."""
    author = version.drafted_by_id and str(version.drafted_by_id)
    return {"drafters": sorted(map(str, version.drafters)), "draftedBy": author}
