"""The step between the facts and the voting rules: the people who may vote now, and the columns of a vote (domain.md
§5)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from policies.electorate import electorate
from policies.eligibility import discounted_granters, requesters_of
from policies.facts import approval_policies_of, exclusions, owners_of
from policies.requirements import all_of
from promotions.judging.candidates import holds_vote, roles_for, teams_of
from promotions.judging.electorate import approval_voters
from promotions.judging.evaluation_context import EvaluationContext, stored_requirements
from promotions.models import Confirmation, Promotion, Vote
from promotions.models.vote import ACT_TEXTS, ActTexts
from promotions.voting.places import Approval, Places
from promotions.voting.rules import Ballot
from stellapromote.accounts.actor import Actor
from stellapromote.ids import new_id


def ballot_under_lock(context: EvaluationContext) -> Ballot:
    """The voting rules' view of fresh facts: for actions."""
    context.facts.note_acts()
    voted = frozenset(vote["voterId"] for vote in context.votes)
    return _ballot(
        context.promotion,
        requirements=context.facts.gate_input["requirements"],
        documents=context.documents,
        voted=voted,
        counted=voted.intersection(electorate(context.facts.gate_input, context.documents)),
        holds_vote=lambda account: _holds_vote(account, context),
        approvals=[(each["username"], each["teams"]) for each in context.votes if each["verdict"] == "approve"],
        open_voters=frozenset(approval_voters(context.facts.gate_input, context.documents)),
        subject_digest=context.facts.gate_input["subject"]["digest"],
        second_factor_required=context.facts.requires_second_factor(context.at),
    )


def ballot_on_page(
    promotion: Promotion,
    documents: Mapping[str, dict[str, Any]],
    acts: Iterable[Vote | Confirmation],
    voted: frozenset[str],
) -> Ballot:
    """The voting rules' view of the last evaluation: for pages, which show the reasons before a click."""
    votes = [act for act in acts if isinstance(act, Vote) and act.ended_at is None]
    return _ballot(
        promotion,
        requirements=stored_requirements(promotion),
        documents=documents,
        voted=voted,
        counted=voted,
        holds_vote=None,
        approvals=[(vote.username, vote.teams) for vote in votes if vote.verdict == Vote.Verdict.APPROVE],
        open_voters=frozenset(str(each) for each in promotion.open_voters),
        subject_digest=promotion.subject_digest,
    )


def new_act(
    by: Actor, context: EvaluationContext, *, texts: ActTexts, seen: str | None, **fields: Any
) -> dict[str, Any]:
    """The row of a vote or confirmation, with everything the record must remember of the person, not stored yet."""
    promotion = context.promotion
    roles, teams = _standing(by, context)
    return {
        "id": new_id(),
        "tenant_id": promotion.tenant_id,
        "promotion_id": promotion.id,
        "requester_id": promotion.requested_by_id,
        "voter_id": by.account,
        "username": by.username,
        "display_name": by.display_name,
        "roles": roles,
        "teams": teams,
        "auth_method": by.auth_method,
        "second_factor": by.second_factor,
        "token_id": by.token_id,
        "token_issuer_id": by.token_issuer_id,
        "address": by.address,
        **{name: texts.get(name, "") for name in ACT_TEXTS},
        "subject_digest": context.facts.gate_input["subject"]["digest"],
        "subject_binding": "implicit" if seen is None else "explicit",
        "at": context.at,
        "ended_at": None,
        "ended_as": "",
        "ended_reason": "",
        **fields,
    }


def _holds_vote(account: str, context: EvaluationContext) -> bool:
    person = context.facts.people.get(account)
    return person is not None and holds_vote(person, context.promotion.product)


def _standing(by: Actor, context: EvaluationContext) -> tuple[list[str], list[str]]:
    """The roles and teams of the person that count here; for a person who may only reject, all that they hold
    for the product."""
    me = str(by.user_id)
    candidate = electorate(context.facts.gate_input, context.documents).get(me)
    if candidate is not None:
        return candidate["roles"], candidate["teams"]
    person = context.facts.people[me]
    return roles_for(person, context.promotion.product), teams_of(person)


def _ballot(
    promotion: Promotion,
    *,
    requirements: Mapping[str, Any],
    documents: Mapping[str, dict[str, Any]],
    voted: frozenset[str],
    counted: frozenset[str],
    holds_vote: Callable[[str], bool] | None,
    approvals: Sequence[Approval],
    open_voters: frozenset[str],
    subject_digest: str,
    second_factor_required: bool = False,
) -> Ballot:
    policies, excluded = approval_policies_of(requirements, documents), exclusions(requirements)

    def places() -> Places:
        return Places(
            promotion,
            excluded,
            discounted_granters(requirements),
            all_of(requirements["requiredApprovals"], policies, owners_of(requirements)),
            approvals,
        )

    return Ballot(
        number=promotion.number,
        product=promotion.product,
        status=promotion.status,
        retry_closed=promotion.retry_closed,
        requester_id=str(promotion.requested_by_id),
        requesting=frozenset(requesters_of(map(str, promotion.requesting_persons), requirements["excludedPersons"])),
        holds_vote=holds_vote,
        exclusions=excluded,
        voted=voted,
        counted=counted,
        open_voters=open_voters,
        why_no_vote=lambda by: places().why_no_vote(by),
        why_no_confirmation=lambda by, confirmers: places().why_no_confirmation(by, confirmers),
        subject_digest=subject_digest,
        second_factor_required=second_factor_required,
        comment_required=any(policy["commentRequired"] for policy in policies),
        subject_digest_required=any(policy["requireSubjectDigest"] for policy in policies),
    )
