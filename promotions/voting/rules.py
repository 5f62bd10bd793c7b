"""Rights of a person on a promotion now: `check_can_x` raises with the reason (architecture.md, 2).

Actions, pages, API and button tooltips ask the same functions. They read a Ballot, which an action builds from fresh
facts under the lock and a page from the stored result of the last evaluation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from policies.eligibility import ALWAYS_EXCLUDED, NO_VOTING_ROLE, OTHER_PRODUCT, REQUESTER, SENTENCES
from policies.requirements import Rule
from promotions.judging.subject import changed_fields
from promotions.models import Promotion
from promotions.states import OPEN, REJECTABLE, VOTING, in_words
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import (
    PROMOTION_APPROVE,
    PROMOTION_CANCEL,
    PROMOTION_DEPLOY,
    PROMOTION_REQUEST,
    TENANT_ADMIN,
)
from stellapromote.errors import Conflict, FieldError, Invalid, ProductError, Refused, RuleViolation


class NamesNothing(ProductError):
    """A field names an object that the tenant does not have; the refusal is the same where another tenant has it."""

    families = ("RES_",)
    code = "RES_NOT_FOUND"

    def __init__(self, field: str, what: str) -> None:
        super().__init__(f"{field} names no {what} of your tenant: check it.", details={"field": field})


class AmbiguousName(Conflict):
    """Releases of several products have this name."""

    code = "RES_AMBIGUOUS"

    def __init__(self, name: str, products: list[str]) -> None:
        super().__init__(
            f"Releases of several products are named {name}: give product as well, one of {', '.join(products)}.",
            details={"products": products},
        )


class StateForbids(Conflict):
    """The promotion is not in a state in which this may be done."""

    code = "RES_STATE_CONFLICT"


class ManifestMismatch(RuleViolation):
    """The components of a finalized release are not those that its manifestDigest was made of (domain.md §3)."""

    code = "REL_MANIFEST_MISMATCH"


class MachinesDoNotVote(Refused):
    """Service accounts never vote or confirm, with any scopes (product.md, Roles)."""

    code = "PERM_SERVICE_ACCOUNT_CANNOT_VOTE"


class SeparationOfDuties(Refused):
    """The person had a part in what is being decided, so they may not decide it (domain.md §5)."""

    code = "PERM_SEPARATION_OF_DUTIES"


class NotEligible(Refused):
    """This person's vote, confirmation or override does not count; `details.reasons` holds the one reason."""

    code = "PERM_NOT_ELIGIBLE"


class AlreadyVoted(Conflict):
    """The person has a live vote."""

    code = "RES_ALREADY_VOTED"


class SubjectChanged(Conflict):
    """The subject of the decision is no longer the one that the voter saw (domain.md §5)."""

    code = "RES_SUBJECT_CHANGED"


class ApprovalExpired(RuleViolation):
    """The approval is too old to deploy on (domain.md §4)."""

    code = "PROM_APPROVAL_EXPIRED"


@dataclass(frozen=True, slots=True)
class Ballot:
    """The facts that the voting rules read. Ids are text, as in the gate input.

    ``product``: that of the promotion. ``requesting``: the requester, and the people and accounts behind the request.
    ``voted`` have a live vote; ``counted`` are those of them who may still vote, so that their vote is not void.
    ``holds_vote``: whether this account is an active person with a role that votes for the product; None on a page,
    which knows that of the reader alone. ``why_no_…``: the true reason of a refusal. These three are looked up only
    where a rule asks (promotions/voting/places.py).
    ``second_factor_required``: by the facts; a page has it from the actor, for the reader alone.
    """

    number: int
    product: str
    status: str
    retry_closed: bool
    requester_id: str
    requesting: frozenset[str]
    holds_vote: Callable[[str], bool] | None
    exclusions: Mapping[str, list[str]]
    voted: frozenset[str]
    counted: frozenset[str]
    open_voters: frozenset[str]
    why_no_vote: Callable[[Actor], NotEligible]
    why_no_confirmation: Callable[[Actor, Rule], NotEligible]
    subject_digest: str
    second_factor_required: bool
    comment_required: bool
    subject_digest_required: bool


def check_can_decide(by: Actor, ballot: Ballot) -> None:
    """Whether an act of ``by`` may count at all, in the contract's order of checks (contract.md, order of checks)."""
    if ballot.status not in VOTING:
        raise StateForbids(f"Promotion #{ballot.number} {in_words(ballot.status)}: it takes no more votes.")
    if by.kind != "person":
        raise MachinesDoNotVote("Service accounts cannot vote: ask a person who did not request this promotion.")
    me = str(by.user_id)
    if me == ballot.requester_id or me in ballot.exclusions:
        raise _excluded(by, ballot, ballot.exclusions.get(me, []))
    # After the reasons about this promotion, which help a person without the right more than its absence.
    _check_approves(by, ballot)


def check_can_vote(by: Actor, ballot: Ballot) -> None:
    """Whether a vote of ``by`` can be used by some open requirement, or is there already."""
    check_can_decide(by, ballot)
    if str(by.user_id) not in ballot.open_voters | ballot.counted:
        raise ballot.why_no_vote(by)
    by.require_second_factor(required=ballot.second_factor_required)


def check_can_approve(by: Actor, ballot: Ballot) -> None:
    """May ``by`` give an approval that counts, now? Raises the rule that stands against it."""
    check_can_vote(by, ballot)
    if str(by.user_id) in ballot.voted:
        raise AlreadyVoted("You have already approved this promotion. Withdraw the approval to change your mind.")


def check_can_reject(by: Actor, ballot: Ballot) -> None:
    """Checks that ``by`` may reject now. Every holder of promotion:approve may, without the people behind the request
    (domain.md §5)."""
    if ballot.retry_closed:
        raise no_further_attempt(ballot.number, ballot.status)
    if ballot.status not in REJECTABLE:
        raise StateForbids(
            f"Promotion #{ballot.number} {in_words(ballot.status)}: it can no longer be rejected.",
            details={"status": str(ballot.status)},
        )
    if by.kind != "person":
        raise MachinesDoNotVote("Service accounts cannot vote: ask a person who did not request this promotion.")
    me = str(by.user_id)
    if me == ballot.requester_id or me in ballot.requesting:
        raise _excluded(by, ballot, [each for each in ballot.exclusions.get(me, ()) if each in ALWAYS_EXCLUDED])
    _check_approves(by, ballot)
    if ballot.holds_vote is not None and not ballot.holds_vote(me):
        raise NotEligible(
            "Your role that votes for this product has just ended: ask an administrator of your tenant.",
            details={"reasons": [NO_VOTING_ROLE]},
        )
    by.require_second_factor(required=ballot.second_factor_required)


def _check_approves(by: Actor, ballot: Ballot) -> None:
    """Whether ``by`` has a role that votes, for the product of the promotion. Raises Refused, SecondFactorRequired,
    NotEligible."""
    by.require(PROMOTION_APPROVE)
    if not by.has_for(ballot.product, PROMOTION_APPROVE):
        raise NotEligible(role_for_other_products(ballot.product), details={"reasons": [OTHER_PRODUCT]})


def role_for_other_products(product: str) -> str:
    """The sentence to a person whose voting role is limited to other products."""
    return f"Your role that votes is for other products: ask an administrator of your tenant for it for {product}."


def _excluded(by: Actor, ballot: Ballot, reasons: list[str]) -> SeparationOfDuties:
    if str(by.user_id) == ballot.requester_id:
        message, reasons = "You requested this promotion, so somebody else must decide on it.", [REQUESTER]
    else:
        why = ", ".join(SENTENCES.get(reason, reason) for reason in reasons)
        message = f"Somebody else must decide on this promotion: {by.display_name} {why}."
    return SeparationOfDuties(message, details={"reasons": reasons})


def no_further_attempt(number: int, status: str) -> StateForbids:
    """The refusal of every act after a reject of a failed promotion (domain.md §4)."""
    return StateForbids(
        f"Promotion #{number} {in_words(status)} and was rejected: it takes no further attempt. Request again.",
        details={"status": str(status), "retryClosed": True},
    )


def check_can_withdraw(by: Actor, ballot: Ballot) -> None:
    """May ``by`` take their approval back? While the promotion is open and the approval is theirs and live."""
    _check_approves(by, ballot)
    if ballot.status not in OPEN:
        raise StateForbids(f"Promotion #{ballot.number} {in_words(ballot.status)}: votes stay as they are.")
    if str(by.user_id) not in ballot.voted:
        raise StateForbids("You have no live approval on this promotion to withdraw.")


def check_can_confirm(
    by: Actor, ballot: Ballot, may: frozenset[str], *, confirmed: frozenset[str], confirmers: Rule
) -> None:
    """May ``by`` confirm a manual gate? ``may``: those of its ``confirmers`` whose confirmation counts."""
    check_can_decide(by, ballot)
    if str(by.user_id) in confirmed:
        raise AlreadyVoted("You have already confirmed this gate.")
    if str(by.user_id) not in may:
        raise ballot.why_no_confirmation(by, confirmers)
    by.require_second_factor(required=ballot.second_factor_required)


def check_can_unconfirm(by: Actor, ballot: Ballot, *, confirmed: frozenset[str]) -> None:
    """May ``by`` take their confirmation back? While the promotion is open and it is theirs."""
    _check_approves(by, ballot)
    if ballot.status not in OPEN:
        raise StateForbids(f"Promotion #{ballot.number} {in_words(ballot.status)}: confirmations stay as they are.")
    if str(by.user_id) not in confirmed:
        raise StateForbids("You have no live confirmation of this gate to withdraw.")


def check_can_cancel(by: Actor, promotion: Promotion) -> None:
    """A person cancels an open promotion: their own with promotion:cancel, any with tenant:admin."""
    mine = by.user_id is not None and by.user_id in promotion.requesting_persons
    if not by.has(TENANT_ADMIN):
        by.require(PROMOTION_CANCEL)
        if not mine:
            raise Refused("Only the person who requested this promotion, or an administrator, may cancel it.")
        by.require_product(promotion.product, PROMOTION_CANCEL)
    if promotion.status not in OPEN:
        raise StateForbids(
            f"Promotion #{promotion.number} {in_words(promotion.status)}: only open ones can be cancelled."
        )


def check_can_evaluate(by: Actor, promotion: Promotion) -> None:
    """Checks that ``by`` may have an open promotion judged again: people who request, approve or administer."""
    if not (by.has(PROMOTION_REQUEST) or by.has(PROMOTION_APPROVE) or by.has(TENANT_ADMIN)):
        by.require(PROMOTION_REQUEST)
    by.require_product(promotion.product, PROMOTION_REQUEST, PROMOTION_APPROVE, TENANT_ADMIN)
    if promotion.status not in OPEN:
        raise StateForbids(f"Promotion #{promotion.number} {in_words(promotion.status)}: its decision is final.")


def check_manifest(promotion: Promotion, found: str | None) -> None:
    """``found``: the manifestDigest of the facts, which is made of the components. Raises ManifestMismatch."""
    if found != promotion.manifest_digest:
        raise ManifestMismatch(
            f"The components of release {promotion.release.name} are not those of its manifestDigest: they were "
            "changed in the database. Tell the platform owner, and create a new release.",
            details={"manifestDigest": promotion.manifest_digest},
        )


def check_can_request(by: Actor) -> None:
    by.require(PROMOTION_REQUEST)


def check_can_report(by: Actor) -> None:
    by.require(PROMOTION_DEPLOY)


def check_comment(ballot: Ballot, comment: str) -> None:
    """A policy may require a comment with every approval."""
    if ballot.comment_required and not comment.strip():
        message = "An approval policy of this promotion requires a comment."
        raise Invalid(message, fields=[FieldError("comment", message, "required")])


def check_says_what_was_seen(ballot: Ballot, seen: str | None) -> None:
    """A policy may refuse votes without the digest of the subject that the voter saw."""
    if seen is None and ballot.subject_digest_required:
        message = (
            "An approval policy of this promotion requires the subjectDigest that you saw, or If-Match with the "
            "promotion's ETag alone."
        )
        raise Invalid(message, fields=[FieldError("subjectDigest", message, "required")])


def subject_changed(promotion: Promotion, seen: str | None) -> SubjectChanged | None:
    """The refusal of a vote on a subject that is no longer current, with the changed fields; None when it is current.

    A digest that this promotion never had is refused in the same way, without changed fields.
    """
    if seen is None or seen == promotion.subject_digest:
        return None
    earlier = promotion.earlier_subjects.get(seen)
    if earlier is None:
        changed: list[str] = []
        message = (
            "This promotion never had this subjectDigest: read the promotion again, and send the subjectDigest that "
            "it has."
        )
    else:
        changed = changed_fields(earlier, promotion.subject)
        message = "The promotion has changed since you looked at it: look at it again, then vote."
    return SubjectChanged(message, details={"changed": changed, "subjectDigest": promotion.subject_digest})
