"""Edits that wait for a second person: their storage, and the action of each kind (domain.md §5, loosening).

An action that may loosen a guard is declared with ``proposable``. A call does its work, or stores a proposal where it
would loosen a guard of a protected environment and no second person confirmed it.
"""

import inspect
from collections.abc import Callable, Mapping
from copy import copy
from datetime import datetime
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar
from uuid import UUID

from django.db import transaction

from policies.models import Proposal
from policies.models.proposal import LIFE
from policies.second_person import accountable_accounts
from policies.weakening_edits import NeedsSecondPerson, Weakening
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import accounts_behind
from stellapromote.api.etag import IfMatch
from stellapromote.audit.events import Audited
from stellapromote.audit.recording import record
from stellapromote.clock import Clock, rfc3339
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.signing.canonical_json import digest
from stellapromote.transactions import transactional

P = ParamSpec("P")
R = TypeVar("R")

SCHEMA: Final = "stella.proposal/v1"

_ENDED: Final[Mapping[str, Audited]] = {
    Proposal.State.CONFIRMED: "proposal.confirmed",
    Proposal.State.EXPIRED: "proposal.expired",
    Proposal.State.WITHDRAWN: "proposal.withdrawn",
}

ACTIONS: Final[dict[str, Callable[..., Any]]] = {}
"""The action of each kind. Arguments that end in `_id` are UUIDs; everything else is JSON."""


def proposable(kind: str) -> Callable[[Callable[P, R]], Callable[P, R | Proposal]]:
    """Declares an action whose arguments are `by`, `clock`, perhaps `if_match`, and the values that a proposal keeps.

    The declared function returns the action's result, or the proposal that was stored instead.
    """

    def declare(action: Callable[P, R]) -> Callable[P, R | Proposal]:
        ACTIONS[kind] = action

        @wraps(action)
        @transactional
        def act_or_propose(*args: P.args, **options: P.kwargs) -> R | Proposal:
            assert not args, "a proposal keeps its arguments by name"
            try:
                with transaction.atomic():
                    return action(*args, **options)
            except NeedsSecondPerson as needed:
                given: dict[str, Any] = dict(options)
                by, clock = given.pop("by"), given.pop("clock", DATABASE_CLOCK)
                given.pop("if_match", None)
                return _store(kind, given, needed.weakened, by=by, at=clock.now())

        return act_or_propose

    return declare


def perform(proposal: Proposal, *, by: Actor, clock: Clock) -> None:
    """Carries out a proposal. ``by``: its author, with the second person. Raises the refusals of the action."""
    action = ACTIONS[proposal.kind]
    arguments = {name: _revived(name, value) for name, value in proposal.arguments.items()}
    if "if_match" in inspect.signature(action).parameters:
        arguments["if_match"] = IfMatch(proposal.tag)
    action(by=by, clock=clock, **arguments)


def _store(kind: str, arguments: Mapping[str, Any], weakened: Weakening, *, by: Actor, at: datetime) -> Proposal:
    """Stores the edit; an open proposal of the same author for the same edit's object is withdrawn by it. Where that
    one says the same, it stays, and is returned."""
    told = {name: str(value) if isinstance(value, UUID) else value for name, value in arguments.items()}
    earlier = (
        Proposal.objects.of(by.tenant)
        .open()
        .filter(kind=kind, resource_id=weakened.resource_id, name=weakened.name, proposed_by_id=by.account)
    )
    proposal = Proposal(
        tenant_id=by.tenant,
        kind=kind,
        resource=weakened.resource,
        resource_id=weakened.resource_id,
        name=weakened.name,
        arguments=told,
        tag=weakened.tag,
        weakens=weakened.sentences,
        guards=sorted(weakened.guards),
        policies=weakened.policies,
        before=weakened.before,
        after=weakened.after,
        proposed_at=at,
        proposed_by_id=by.account,
        proposed_by_username=by.username,
        proposed_by_name=by.display_name,
        behind=sorted(accountable_accounts(by.tenant, {*accounts_behind(by), *weakened.authors})),
        token_issuer_id=by.token_issuer_id,
        expires_at=at + LIFE,
    )
    for each in earlier.select_for_update():
        if at < each.expires_at and _says_the_same(each, proposal):
            return each
        end(each, Proposal.State.WITHDRAWN, by=by, at=at)
    proposal.digest = digest_of(proposal)
    proposal.save(force_insert=True)
    record(
        by=by,
        at=at,
        action="proposal.created",
        resource="proposal",
        resource_id=proposal.pk,
        before=weakened.before,
        after=weakened.after,
        metadata={"kind": kind, "of": weakened.resource_id, "weakens": len(weakened.rows), "guards": proposal.guards},
        rows=[proposal],
    )
    return proposal


def _says_the_same(stored: Proposal, proposal: Proposal) -> bool:
    """Whether a second person reads and does the same by both, in the name of the same people."""
    as_stored = copy(proposal)
    as_stored.pk, as_stored.proposed_at = stored.pk, stored.proposed_at
    return (digest_of(as_stored), proposal.token_issuer_id) == (stored.digest, stored.token_issuer_id)


def digest_of(proposal: Proposal) -> str:
    """The digest of the text that a second person reads and of the act that follows."""
    return digest(
        {
            "schema": SCHEMA,
            "id": str(proposal.pk),
            "kind": proposal.kind,
            "arguments": proposal.arguments,
            "tag": proposal.tag,
            "weakens": proposal.weakens,
            "guards": proposal.guards,
            **({"policies": proposal.policies} if proposal.policies else {}),
            "before": proposal.before,
            "after": proposal.after,
            "proposedById": str(proposal.proposed_by_id),
            "behind": [str(each) for each in proposal.behind],
            "proposedAt": rfc3339(proposal.proposed_at),
        }
    )


def end(proposal: Proposal, state: str, *, by: Actor, at: datetime) -> None:
    """Ends an open proposal that the caller has locked."""
    proposal.state, proposal.ended_at = state, at
    proposal.ended_by_id, proposal.ended_by_username = by.user_id, by.username
    proposal.ended_by_name = by.display_name
    proposal.save(update_fields=["state", "ended_at", "ended_by_id", "ended_by_username", "ended_by_name"])
    record(
        by=by,
        at=at,
        action=_ENDED[state],
        resource="proposal",
        resource_id=proposal.pk,
        metadata={"kind": proposal.kind, "of": proposal.resource_id},
        rows=[proposal],
    )


def _revived(name: str, value: Any) -> Any:
    return UUID(value) if name.endswith("_id") and value is not None else value
