from datetime import datetime
from typing import Final
from uuid import UUID

from django.http import Http404

from environments.actions import (
    clear_freeze_window,
    unarchive_environment,
    update_environment,
    update_freeze_window,
)
from policies import proposals
from policies.actions import publish_promotion_policy, update_approval_policy
from policies.etags import proposal_tag
from policies.models import Proposal
from policies.weakening_edits import ChangedMeanwhile, versions_of
from promotions.actions import (
    archive_environment,
    change_sign_in_settings,
    delete_environment,
    grant_override,
    image_repositories,
    products,
    trust_key,
    upload_feed,
)
from promotions.voting import proposals as rules
from stellapromote.accounts.actor import Actor, SecondPerson, system_actor
from stellapromote.accounts.actor_lookup import actor_for_proposal
from stellapromote.accounts.models import Tenant
from stellapromote.api.etag import IfMatch
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Conflict, FieldError, Invalid
from stellapromote.transactions import transactional

PROPOSABLE: Final = (
    *(update_environment, archive_environment, unarchive_environment, delete_environment),
    *(update_freeze_window, clear_freeze_window, update_approval_policy, publish_promotion_policy),
    *(trust_key, upload_feed, grant_override, products, image_repositories, change_sign_in_settings),
)
"""Modules of the actions that a proposal may carry out: a command, which loads no pages, knows them from here."""


class NotNamed(Invalid):
    """The call does not say which text of the proposal its author has read."""

    def __init__(self) -> None:
        message = "Read the proposal, then confirm it with If-Match and the one ETag that it has."
        super().__init__(message, fields=[FieldError("If-Match", message, "required")])


class ProposalExpired(Conflict):
    """The proposal was not confirmed in time."""

    code = "RES_STATE_CONFLICT"


class AuthorGone(Conflict):
    """The author may not do any more what they proposed."""

    code = "RES_STATE_CONFLICT"


def confirm_proposal(
    proposal_id: UUID, *, by: Actor, if_match: IfMatch | None = None, clock: Clock = DATABASE_CLOCK
) -> Proposal:
    """Carries out the proposal of another person, judged against the settings in force now (domain.md §5).

    The author acts, ``by`` is the second person; ``if_match`` names the text that they read. Raises Http404, NotNamed,
    PreconditionFailed (412, also ChangedMeanwhile), ProposalExpired, AuthorGone, the refusals of
    ``promotions.voting.proposals`` and those of the action.
    """
    proposal = _confirm(proposal_id, by, if_match, clock)
    if proposal.state == Proposal.State.EXPIRED:
        raise ProposalExpired("This proposal expired before anybody confirmed it: propose the edit again.")
    return proposal


@transactional
def withdraw_proposal(
    proposal_id: UUID, *, by: Actor, if_match: IfMatch | None = None, clock: Clock = DATABASE_CLOCK
) -> Proposal:
    """Ends a proposal without its edit: its author takes it back, or an administrator turns it down.

    Raises Http404, PreconditionFailed, StateForbids, Refused.
    """
    proposal = _locked(proposal_id, by)
    if if_match is not None:
        if_match.check(proposal_tag(proposal))
    rules.check_can_withdraw(by, proposal)
    proposals.end(proposal, Proposal.State.WITHDRAWN, by=by, at=clock.now())
    return proposal


@transactional
def expire_proposals(now: datetime, *, limit: int = 200) -> int:
    """Ends proposals that were not confirmed in time, and returns their number. For the worker."""
    due = Proposal.objects.open().filter(expires_at__lte=now).select_for_update(skip_locked=True)
    ended = list(due.order_by("expires_at")[:limit])
    slugs = dict(Tenant.objects.filter(pk__in={each.tenant_id for each in ended}).values_list("pk", "slug"))
    for each in ended:
        proposals.end(each, Proposal.State.EXPIRED, by=system_actor(each.tenant_id, slugs[each.tenant_id]), at=now)
    return len(ended)


@transactional
def _confirm(proposal_id: UUID, by: Actor, if_match: IfMatch | None, clock: Clock) -> Proposal:
    proposal = _locked(proposal_id, by)
    at = clock.now()
    if proposal.state == Proposal.State.OPEN and at >= proposal.expires_at:
        proposals.end(proposal, Proposal.State.EXPIRED, by=by, at=at)
        return proposal
    rules.check_can_confirm(by, proposal, at)
    if by.auth_method != "command":
        if if_match is None or not if_match.names_one:
            raise NotNamed()
        if_match.check(proposal_tag(proposal))
    if proposals.digest_of(proposal) != proposal.digest:
        raise ChangedMeanwhile()
    second = SecondPerson(
        proposal.pk,
        by.user_id,
        by.username,
        by.display_name,
        read=tuple(proposal.weakens),
        guards=frozenset(proposal.guards),
        policies=versions_of(proposal.policies),
    )
    author = actor_for_proposal(
        proposal.proposed_by_id, by.tenant, token_issuer_id=proposal.token_issuer_id, second=second
    )
    if author is None:
        raise AuthorGone(
            f"{proposal.proposed_by_name} may not act here any more: withdraw this and propose the edit yourself."
        )
    proposals.perform(proposal, by=author, clock=clock)
    proposals.end(proposal, Proposal.State.CONFIRMED, by=by, at=at)
    return proposal


def _locked(proposal_id: UUID, by: Actor) -> Proposal:
    proposal = Proposal.objects.of(by.tenant).select_for_update().filter(pk=proposal_id).first()
    if proposal is None:
        raise Http404("No such proposal.")
    return proposal
