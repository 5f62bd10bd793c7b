from uuid import UUID

from policies.models import WeakeningEdit
from policies.proposals import proposable
from policies.weakening_edits import Weakening
from promotions.judging.guards import environments_with_overrides
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ScopeGrant
from stellapromote.clock import Clock
from stellapromote.identity.actions.grant_scope import grant_scope
from stellapromote.transactions import transactional


@proposable("override_right.grant")
@transactional
def grant_override(*, by: Actor, clock: Clock, user_id: UUID, scope: str, reason: str) -> ScopeGrant:
    """Gives a member the right to override gates; a proposal where a gate of a protected environment may be overridden.

    A member who holds it already keeps that grant. Raises the refusals of grant_scope.
    """
    new: list[ScopeGrant] = []

    def store(grant: ScopeGrant, sentences: list[str]) -> list[WeakeningEdit]:
        at, username = grant.granted_at, grant.user.username
        weakened = Weakening("member", str(user_id), username, after={"username": username, "scope": scope})
        weakened.add(sentences, guards=environments_with_overrides(by.tenant, at))
        return weakened.store(by=by, at=at)

    def loosen(grant: ScopeGrant) -> list[WeakeningEdit]:
        new.append(grant)
        return store(grant, [f"{grant.user.username} may override gates."])

    grant = grant_scope(by=by, clock=clock, user_id=user_id, scope=scope, reason=reason, beside=loosen)
    if not new:
        store(grant, [])  # refuses a second person who read that the right would be given
    return grant
