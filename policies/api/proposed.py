"""The answer of an edit that was stored as a proposal."""

from policies.etags import proposal_tag
from policies.models import Proposal
from policies.presenters import proposal_document
from stellapromote.api.rendering import ApiResponse


def proposed(proposal: Proposal, status: int = 202) -> ApiResponse:
    """The proposal, with the tag by which a second person names what they read."""
    return ApiResponse(proposal_document(proposal), status=status, etag=proposal_tag(proposal))
