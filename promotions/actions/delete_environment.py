from uuid import UUID

from environments import rules
from environments.actions.delete_environment import delete_environment as delete
from environments.locks import lock_topology
from policies.proposals import proposable
from promotions.reading.environment_state import recorded_promotions
from stellapromote.accounts.actor import Actor
from stellapromote.api.etag import IfMatch
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@proposable("environment.delete")
@transactional
def delete_environment(*, by: Actor, clock: Clock, environment_id: UUID, if_match: IfMatch | None = None) -> None:
    """Deletes an environment without promotion history; counts it under its lock, which requesting one needs too.

    Raises the refusals of environments.actions.delete_environment.
    """
    rules.check_can_write(by)
    recorded = recorded_promotions(by.tenant, environment_id) if environment_id in lock_topology(by.tenant) else 0
    delete(by=by, clock=clock, environment_id=environment_id, promotions=recorded, if_match=if_match)
