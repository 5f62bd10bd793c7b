"""Policies as plain dicts in wire names, for API and pages alike (contract.md, Policies and gates)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from policies import sentences
from policies.models import (
    ApprovalPolicy,
    ApprovalPolicyVersion,
    PromotionPolicy,
    PromotionPolicyVersion,
    Proposal,
)
from policies.product_voters import MOST_SHOWN, ProductVoters
from policies.stored_documents import documents
from stellapromote.accounts.models import User
from stellapromote.clock import rfc3339

TEXT_MISSING: Final = "No stored text has the digest of this version any more: what it asks for is not known."


def approval_policy_document(
    policy: ApprovalPolicy, used_by: Sequence[dict[str, str]], product_voters: ProductVoters
) -> dict[str, Any]:
    """The full object. `used_by`: id and name of the environments it guards. No query when `current` was selected, but
    those of ``product_voters``."""
    version = policy.current
    assert version is not None
    content = orjson.loads(version.canonical)
    return {
        "id": str(policy.id),
        **{name: content[name] for name in content if name != "schema"},
        "enabled": policy.enabled,
        "version": version.version,
        "digest": version.digest,
        "usedBy": list(used_by),
        "failsForProducts": [each.as_json() for each in product_voters.failing([content])[:MOST_SHOWN]],
        "createdAt": rfc3339(policy.created_at),
        "updatedAt": rfc3339(policy.updated_at),
        "retiredAt": rfc3339(policy.retired_at) if policy.retired_at else None,
    }


def approval_version_document(version: ApprovalPolicyVersion) -> dict[str, Any]:
    """One version with what it says. `created_by` must be selected."""
    return {
        "version": version.version,
        "digest": version.digest,
        "document": orjson.loads(version.canonical),
        **_author("createdBy", version.created_by),
        "createdAt": rfc3339(version.created_at),
    }


def promotion_policy_document(policy: PromotionPolicy) -> dict[str, Any]:
    """The full object: `document` is the text that an edit changes, the draft if there is one, else the published text.

    No query when `current` and its `published_by` were selected.
    """
    version = policy.current
    document = policy.draft
    if document is None:
        assert version is not None
        document = orjson.loads(version.canonical)
    return {
        "id": str(policy.id),
        "name": policy.name,
        "document": document,
        "hasDraft": policy.draft is not None,
        "version": version.version if version else None,
        "digest": version.digest if version else None,
        **_author("publishedBy", version.published_by if version else None),
        "publishedAt": rfc3339(version.published_at) if version else None,
        "createdAt": rfc3339(policy.created_at),
        "updatedAt": rfc3339(policy.updated_at),
    }


def promotion_version_document(version: PromotionPolicyVersion) -> dict[str, Any]:
    """One published version with what it says. `published_by` must be selected."""
    return {
        "version": version.version,
        "digest": version.digest,
        "document": orjson.loads(version.canonical),
        **_author("publishedBy", version.published_by),
        "publishedAt": rfc3339(version.published_at),
    }


def _author(field: str, user: User | None) -> dict[str, str | None]:
    """Id and name; both null for what the installation itself wrote."""
    return {field: str(user.id) if user else None, f"{field}Name": user.display_name if user else None}


def proposal_document(proposal: Proposal) -> dict[str, Any]:
    """The full object: what would be loosened, by which edit, and where. Cost: as of policies_of."""
    return {
        "id": str(proposal.pk),
        "kind": proposal.kind,
        "resource": proposal.resource,
        "resourceId": proposal.resource_id,
        "name": proposal.name,
        "weakens": proposal.weakens,
        "environments": proposal.guards,
        "policies": policies_of(proposal),
        "before": proposal.before,
        "after": proposal.after,
        "state": proposal.state,
        "proposedAt": rfc3339(proposal.proposed_at),
        "proposedBy": str(proposal.proposed_by_id),
        "proposedByName": proposal.proposed_by_name,
        "expiresAt": rfc3339(proposal.expires_at),
        "endedAt": rfc3339(proposal.ended_at) if proposal.ended_at else None,
        "endedBy": str(proposal.ended_by_id) if proposal.ended_by_id else None,
        "endedByName": proposal.ended_by_name or None,
    }


def policies_of(proposal: Proposal) -> list[dict[str, Any]]:
    """The versions of policies that the edit names, with their requirements. No statement where it names none, or all
    were read lately, else one."""
    texts = documents(proposal.tenant_id, [each["digest"] for each in proposal.policies])
    return [{**each, "asks": _asks(texts.get(each["digest"]))} for each in proposal.policies]


def _asks(text: Mapping[str, Any] | None) -> list[str]:
    return [TEXT_MISSING] if text is None else sentences.of_policy(text)
