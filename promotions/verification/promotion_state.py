"""Compares a promotion with its events: its requester, and the state that each change left."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any
from uuid import UUID

from policies.eligibility import RELEASE_CREATOR, REQUESTER, TOKEN_ISSUER, duties_in_force
from policies.facts import exclusions
from policies.stored_documents import documents
from promotions.judging.evaluation_context import stored_requirements
from promotions.models.state import STATE, state_digest
from promotions.verification.audited import actor_of, first_other
from promotions.verification.mismatch import Mismatch, MismatchKind
from promotions.verification.stored_promotions import StoredPromotion

_PLACE = "state"


def check_state(stored_promotion: StoredPromotion) -> Iterator[Mismatch]:
    """One finding at most. Events of version 1.0 have no state, so a promotion of that version has none to compare
    with."""
    recorded = sorted(
        (event.metadata[STATE] for event in stored_promotion.events if STATE in event.metadata), key=_version
    )
    if not recorded:
        return
    promotion, newest = stored_promotion.promotion, _version(recorded[-1])
    changed = _changed_between(recorded)
    if changed is not None:
        message = f"Before its version {changed} something else than a change that the audit log tells of changed it."
        yield Mismatch(MismatchKind.PROMOTION_CHANGED, _PLACE, message)
    elif promotion.version < newest:
        message = f"The audit log tells of its version {newest}, and it has version {promotion.version}."
        yield Mismatch(MismatchKind.PROMOTION_CHANGED, _PLACE, message)
    elif state_digest(promotion) not in {each["digest"] for each in recorded if _version(each) == newest}:
        message = f"It is not what the audit log tells of it as of version {newest}."
        yield Mismatch(MismatchKind.PROMOTION_CHANGED, _PLACE, message)


def check_request(stored_promotion: StoredPromotion) -> Iterator[Mismatch]:
    """Compares the requester and the time of the request with the audit log."""
    promotion, events = stored_promotion.promotion, stored_promotion.events_named("promotion.requested")
    if len(events) != 1:
        number = "Two events of the audit log tell" if events else "No event of the audit log tells"
        yield Mismatch(MismatchKind.PROMOTION_CHANGED, "request", f"{number} that this promotion was requested.")
        return
    [event] = events
    at, token = promotion.requested_at, promotion.requested_with_token
    by = actor_of(promotion.requested_by_id, promotion.requested_by_name, promotion.requested_by_username, at)
    if promotion.triggered_by_id is not None:
        by = actor_of(None, event.actor_name, "", at)  # the worker asks for what follows a deployment
    difference = first_other({**by, "tokenId": token and str(token)}, event.by)
    if difference is not None:
        message = f"{difference} is not what the audit log tells of the request."
        yield Mismatch(MismatchKind.PROMOTION_CHANGED, f"request, {difference}", message)


def check_excluded(stored_promotion: StoredPromotion) -> Iterator[Mismatch]:
    """Whether the people behind the request and the release are excluded in the snapshot taken then.

    Owners of a machine, authors of commits and editors of settings stand in no row that the audit log repeats.
    """
    promotion, release = stored_promotion.promotion, stored_promotion.promotion.release
    requirements = stored_requirements(promotion)
    digests = [each["digest"] for each in requirements["approvalPolicies"]]
    texts = documents(promotion.tenant_id, digests)
    policies = [texts[digest] for digest in digests if digest in texts]  # one that is gone is a finding already
    behind: set[tuple[UUID | str | None, str]] = set()
    if promotion.triggered_by_id is None:
        behind.add((promotion.requested_by_id, REQUESTER))
        behind |= {
            (event.by["tokenIssuerId"], TOKEN_ISSUER) for event in stored_promotion.events_named("promotion.requested")
        }
    if RELEASE_CREATOR in duties_in_force(requirements["requireSeparationOfDuties"], policies):
        behind |= {(each, RELEASE_CREATOR) for each in (release.created_by_id, *release.contributors)}
        behind.add((release.created_with_token_issuer_id, TOKEN_ISSUER))
    excluded = {(each, reason) for each, reasons in exclusions(requirements).items() for reason in reasons}
    lacking = sorted({(str(each), reason) for each, reason in behind if each is not None} - excluded)
    if lacking:
        message = f"The snapshot does not exclude {lacking[0][0]} as {lacking[0][1]}."
        yield Mismatch(MismatchKind.PROMOTION_CHANGED, "request, excludedPersons", message)


def _changed_between(recorded: list[dict[str, Any]]) -> int | None:
    """The first version that began with another state than the one before left; ``recorded`` by version.

    No event states what the first began with where version 1.0 made the promotion.
    """
    left = {state["before"] for state in recorded if _version(state) == _version(recorded[0])}
    for version, states in groupby(recorded, key=_version):
        waiting = list(states)
        reached = set(left)
        left = {state["digest"] for state in waiting}
        while following := [state for state in waiting if state["before"] in reached]:
            reached |= {state["digest"] for state in following}
            waiting = [state for state in waiting if state not in following]
        if waiting:
            return version
    return None


def _version(state: dict[str, Any]) -> int:
    version: int = state["version"]
    return version
