"""The rights to override a gate of a promotion now, and to review an override (domain.md §6, Overrides).

As in ``promotions.voting.rules``: ``check_can_x`` raises with the reason; actions, API, pages and tooltips ask the
same one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from environments.models import FreezeWindow
from environments.models.freeze_window import FreezeWindowQuerySet
from policies.eligibility import ACCOUNT_ACTED, ACCOUNT_RESET_BY, SENTENCES, Grant, discounted_granters, eligibility_of
from policies.facts import exclusions
from policies.outcomes import blocks
from policies.overrides import (
    BY_EXCEPTION,
    DEFAULT_HOURS,
    DEFAULT_REVIEW_HOURS,
    NEVER,
    UNJUDGED,
    may_be_overridden,
    named_in,
    setting_of,
)
from policies.people import source_of, vouching_in
from policies.vouching import Vouching
from promotions.judging.held_accounts import FIRST, Confirmed, Held, another_acted, excluded_with, held_at
from promotions.models import Override, Promotion
from promotions.states import OPEN, in_words
from promotions.voting.blindness import can_see_votes
from promotions.voting.held_accounts import confirmed_since, held_here, others_acted, override_act
from promotions.voting.places import NOT_NAMED, team_that_does_not_count
from promotions.voting.rules import MachinesDoNotVote, NotEligible, SeparationOfDuties, StateForbids
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.alike import alike
from stellapromote.accounts.models import ScopeGrant, TeamGrant
from stellapromote.accounts.scopes import PROMOTION_APPROVE, PROMOTION_OVERRIDE, TENANT_ADMIN
from stellapromote.errors import FieldError, Invalid
from stellapromote.wrong_values import too_long

# Reasons why a grant of the right does not count here, beside those of `promotions.voting.places` for votes.
NEVER_OVERRIDDEN = "NEVER_OVERRIDDEN"
EXCEPTED_BY_EXCLUDED = "EXCEPTED_BY_EXCLUDED"
RIGHT_NOT_GRANTED = "RIGHT_NOT_GRANTED"
RIGHT_GRANTED_AFTER_REQUEST = "RIGHT_GRANTED_AFTER_REQUEST"
RIGHT_GRANTED_BY_EXCLUDED = "RIGHT_GRANTED_BY_EXCLUDED"
TOKEN_TOO_NARROW = "TOKEN_TOO_NARROW"  # noqa: S105 - a code, not a credential

LONGEST_REASON = 2000
LONGEST_TICKET = 200


@dataclass(frozen=True, slots=True)
class Case:
    """One gate of one promotion as one person might override it. ``gate`` is its result in wire names.

    ``setting``: `override` of the gate in the promotion's policy. ``granted``: whether the person's live grant of
    promotion:override counts here, as a role would for a vote; None without one. ``granted_late``: that it was given
    after the request. ``teams``: those of the person that count here, as for a vote; ``team_refused``: the reason
    against one that the policy names. ``windows``: for each active freeze window, the person who excepted this one,
    None without, and its author. ``alike``: other accounts that may be theirs (docs/adr/0234); ``alike_acted``: one of
    them decided here, or may have, where this person does not see votes.
    """

    number: int
    status: str
    gate: Mapping[str, Any]
    setting: Mapping[str, Any] | None
    requester_id: UUID
    exclusions: Mapping[str, list[str]]
    granted: bool | None
    granted_late: bool
    teams: tuple[str, ...]
    team_refused: NotEligible | None
    windows: tuple[tuple[frozenset[str] | None, UUID | None], ...]
    alike: frozenset[str] = frozenset()
    alike_acted: bool = False

    @property
    def max_hours(self) -> int:
        """The longest that an override of this gate lasts."""
        return DEFAULT_HOURS if self.setting is None else int(self.setting["maxHours"])

    @property
    def review_hours(self) -> int:
        """The number of hours in which another person reviews it."""
        return DEFAULT_REVIEW_HOURS if self.setting is None else int(self.setting["reviewHours"])


def case_of(
    promotion: Promotion,
    gate: Mapping[str, Any],
    *,
    by: Actor,
    policy: Mapping[str, Any],
    requirements: Mapping[str, Any],
) -> Case:
    """The case of ``by`` and this gate. Cost: four statements, one more for a freeze, one where the policy names
    people, and three where another account is theirs, or was since the request."""
    held, confirmed = held_here(promotion.tenant_id), confirmed_since(promotion)
    others = alike(held, [str(by.account)])
    once = alike(held_at(FIRST, held, confirmed), [str(by.account)])
    grant = ScopeGrant.objects.filter(
        tenant_id=promotion.tenant_id, user_id=by.account, scope=PROMOTION_OVERRIDE, ended_at=None
    ).first()
    excluded = excluded_with(held, exclusions(requirements), str(promotion.requested_by_id))
    barred = {**dict.fromkeys(excluded), **discounted_granters(requirements)}
    vouching = vouching_in(promotion.tenant_id, barred).without(str(by.account), *others)
    setting = setting_of(policy, gate["name"])
    teams, refused = ((), None) if setting is None else _teams(promotion, by, setting, excluded, vouching, others)
    return Case(
        number=promotion.number,
        status=promotion.status,
        gate=gate,
        setting=setting,
        requester_id=promotion.requested_by_id,
        exclusions=excluded,
        granted=None if grant is None else vouching.counts(source_of(grant)),
        granted_late=grant is not None and grant.granted_at > promotion.requested_at,
        teams=teams,
        team_refused=refused,
        windows=_windows(promotion.tenant_id, gate, by) if gate["type"] == BY_EXCEPTION else (),
        alike=others,
        alike_acted=bool(once)
        and (not can_see_votes(by, promotion) or others_acted(promotion, by.account, held, confirmed)),
    )


def _teams(
    promotion: Promotion,
    by: Actor,
    setting: Mapping[str, Any],
    exclusions: Mapping[str, list[str]],
    vouching: Vouching,
    others: Collection[str],
) -> tuple[tuple[str, ...], NotEligible | None]:
    """The person's teams that count on this promotion, by the rule for voters, and why one that the policy names does
    not."""
    live = TeamGrant.objects.filter(tenant_id=promotion.tenant_id, user_id=by.account, ended_at=None)
    grants = [Grant(grant.team.slug, grant.granted_at, source_of(grant)) for grant in live.select_related("team")]
    person_id, requested_at = str(by.account), promotion.requested_at
    counting = eligibility_of(
        person_id=person_id,
        kind="person",
        active=True,
        roles=(),
        teams=grants,
        voting_roles=(),
        product=promotion.product,
        requested_at=requested_at,
        excluded=exclusions,
        vouching=vouching,
        alike=others,
    ).teams
    named = [grant.name for grant in grants if named_in(setting, "", [grant.name])]
    refused = team_that_does_not_count(
        grants,
        named,
        person_id=person_id,
        requested_at=requested_at,
        excluded=exclusions,
        vouching=vouching,
        alike=others,
    )
    return counting, refused


def _windows(
    tenant_id: UUID, gate: Mapping[str, Any], by: Actor
) -> tuple[tuple[frozenset[str] | None, UUID | None], ...]:
    rows = freezes_named_by(gate, tenant_id).values_list("exceptions", "excepted_by", "created_by_id")
    return tuple(
        (frozenset(behind[by.username]) if by.username in exceptions and by.username in behind else None, created_by_id)
        for exceptions, behind, created_by_id in rows
    )


def freezes_named_by(gate: Mapping[str, Any], tenant_id: UUID) -> FreezeWindowQuerySet:
    """The active freezes that a gate names; none, without a statement, for a gate that names none."""
    named = [window["id"] for window in gate["details"].get("windows", ())]
    windows = FreezeWindow.objects.of(tenant_id)
    return windows.filter(pk__in=named) if named else windows.none()


def check_can_override(by: Actor, case: Case) -> Override.Authority:
    """Whether ``by`` may override the gate, and by what right: StateForbids, MachinesDoNotVote, SeparationOfDuties or
    NotEligible, in the contract's order (contract.md, order of checks)."""
    name = case.gate["name"]
    if case.status not in OPEN:
        raise StateForbids(f"Promotion #{case.number} {in_words(case.status)}: its gates can no longer be overridden.")
    if case.gate["type"] in NEVER:
        raise StateForbids(f"{name} is never overridden: it keeps the subject and the approvals of the promotion.")
    if not blocks(case.gate["status"]):
        raise StateForbids(f"{name} does not block this promotion: there is nothing to override.")
    if not UNJUDGED.isdisjoint(case.gate["reasonCodes"]):
        raise StateForbids(f"{name} could not be judged, so an override would have nothing to lift: evaluate again.")
    if by.kind != "person":
        raise MachinesDoNotVote("Service accounts cannot override a gate: ask a person whom the policy names.")
    me = str(by.user_id)
    if by.user_id == case.requester_id or me in case.exclusions:
        reasons = case.exclusions.get(me, ["REQUESTER"])
        why = ", ".join(SENTENCES.get(reason, reason) for reason in reasons)
        raise SeparationOfDuties(
            f"Somebody else must override a gate of this promotion: {by.display_name} {why}.",
            details={"reasons": reasons},
        )
    if case.alike_acted:
        raise NotEligible(
            f"Your override does not count: {by.display_name} {SENTENCES[ACCOUNT_ACTED]}.",
            details={"reasons": [ACCOUNT_ACTED]},
        )
    if _excepted(by, case):
        if all(_barred(by, case).isdisjoint(givers or ()) for givers, _ in case.windows):
            by.require_second_factor()
            return Override.Authority.EXCEPTION
        if case.setting is None:
            raise NotEligible(
                "A person who is excluded here excepted you from the freeze: the exception does not count here.",
                details={"reasons": [EXCEPTED_BY_EXCLUDED]},
            )
    if not may_be_overridden(case.gate["type"], case.setting, case.gate["reasonCodes"]):
        raise NotEligible(
            f"The policy of this promotion allows no override of {name}.", details={"reasons": [NEVER_OVERRIDDEN]}
        )
    _check_granted(by, case)
    by.require_second_factor()
    return Override.Authority.GRANT


def _excepted(by: Actor, case: Case) -> bool:
    """In `exceptions` of every active window; signed in, because no token has the right."""
    return (by.auth_method == "session" or by.has(PROMOTION_OVERRIDE)) and _in_exceptions(by, case)


def _in_exceptions(by: Actor, case: Case) -> bool:
    """In those of every active window, and of none that they wrote themselves."""
    own = {str(by.user_id), *case.alike}
    return bool(case.windows) and all(givers is not None and str(wrote) not in own for givers, wrote in case.windows)


def _barred(by: Actor, case: Case) -> frozenset[str]:
    """The people whose grants of a right do not count here."""
    return frozenset({str(case.requester_id), str(by.user_id), *case.alike, *case.exclusions})


def _check_granted(by: Actor, case: Case) -> None:
    name = case.gate["name"]
    if case.granted is None and _in_exceptions(by, case):
        raise NotEligible(
            "You are excepted from this freeze, but no token carries an exception: override it on the page.",
            details={"reasons": [TOKEN_TOO_NARROW]},
        )
    if case.granted is None:
        raise NotEligible(
            f"Overriding {name} needs the right {PROMOTION_OVERRIDE}, which an administrator gives to people by name.",
            details={"reasons": [RIGHT_NOT_GRANTED]},
        )
    if not by.has(PROMOTION_OVERRIDE):
        by.require_second_factor()
        raise NotEligible(
            f"You have the right {PROMOTION_OVERRIDE}, but this token does not carry it: use one that was issued with "
            "it after it was granted to you, or the page.",
            details={"reasons": [TOKEN_TOO_NARROW]},
        )
    if case.setting is None or not named_in(case.setting, by.username, case.teams):
        raise case.team_refused or NotEligible(
            f"The policy names other people to override {name}.", details={"reasons": [NOT_NAMED]}
        )
    if not case.granted:
        raise NotEligible(
            f"A person who is excluded here gave you the right {PROMOTION_OVERRIDE}: ask another person to confirm it "
            "on Members.",
            details={"reasons": [RIGHT_GRANTED_BY_EXCLUDED]},
        )
    if case.granted_late:
        raise NotEligible(
            f"Your right {PROMOTION_OVERRIDE} was granted after this promotion was requested: it counts for promotions "
            "that are requested from then on.",
            details={"reasons": [RIGHT_GRANTED_AFTER_REQUEST]},
        )


def check_words(reason: str, ticket: str) -> tuple[str, str]:
    """Both, without blanks around them. Invalid when one is missing or too long."""
    reason, ticket = reason.strip(), ticket.strip()
    errors = []
    if not reason:
        errors.append(FieldError("reason", "An override needs a reason: say why it cannot wait.", "required"))
    if not ticket:
        errors.append(FieldError("ticket", "An override needs a ticket: where it is followed up.", "required"))
    for field, text, longest in (("reason", reason, LONGEST_REASON), ("ticket", ticket, LONGEST_TICKET)):
        if len(text) > longest:
            errors.append(FieldError(field, *too_long(longest)))
    if errors:
        raise Invalid(errors[0].message, fields=errors)
    return reason, ticket


def check_end(expires_at: datetime, at: datetime, case: Case) -> None:
    """Invalid unless the override ends after ``at`` and within what the policy allows."""
    if at < expires_at <= at + timedelta(hours=case.max_hours):
        return
    message = f"An override of {case.gate['name']} ends in the future, within {case.max_hours} hours."
    raise Invalid(message, fields=[FieldError("expiresAt", message, "range")])


def check_can_review(
    by: Actor,
    promotion: Promotion,
    override: Override,
    exclusions: Mapping[str, list[str]],
    held: Held,
    confirmed: Confirmed,
) -> None:
    """Another person, with a say in promotions and no part in this one, once. ``held``: the accounts that may be in
    other hands, which review nothing; ``confirmed``: those that might have been since the request."""
    if hasattr(override, "review"):
        raise StateForbids("This override is reviewed already.")
    if by.kind != "person":
        raise MachinesDoNotVote("Service accounts cannot review an override: ask a person.")
    if by.user_id == override.actor_id:
        raise SeparationOfDuties("You gave this override, so somebody else must review it.", details={"reasons": []})
    if str(by.user_id) in held or another_acted(held, [override_act(override)], confirmed, str(by.user_id)):
        raise SeparationOfDuties(
            "You may be the same person as another account here, by a one-time link: ask another person to confirm the "
            "account on Members, or to review the override.",
            details={"reasons": [ACCOUNT_RESET_BY]},
        )
    exclusions = excluded_with(held, exclusions, str(promotion.requested_by_id))
    if by.user_id == promotion.requested_by_id or str(by.user_id) in exclusions:
        reasons = exclusions.get(str(by.user_id), ["REQUESTER"])
        raise SeparationOfDuties("You took part in this promotion, so somebody else must review the override.",
                                 details={"reasons": reasons})  # fmt: skip
    if not (by.has(PROMOTION_OVERRIDE) or by.has(TENANT_ADMIN)):
        by.require(PROMOTION_APPROVE)
    by.require_product(promotion.product, PROMOTION_OVERRIDE, TENANT_ADMIN, PROMOTION_APPROVE)
    by.require_second_factor()
