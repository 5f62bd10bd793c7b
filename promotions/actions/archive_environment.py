from uuid import UUID

from environments import rules
from environments.actions.archive_environment import archive_environment as archive
from environments.locks import lock_topology
from environments.models import Environment
from policies.proposals import proposable
from promotions.reading.environment_state import active_promotions
from stellapromote.accounts.actor import Actor
from stellapromote.api.etag import IfMatch
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@proposable("environment.archive")
@transactional
def archive_environment(
    *, by: Actor, clock: Clock, environment_id: UUID, if_match: IfMatch | None = None
) -> Environment:
    """Archives an environment without active promotions; counts them under its lock, which requesting one needs too.

    Raises what environments.actions.archive_environment raises.
    """
    rules.check_can_write(by)
    active = active_promotions(by.tenant, environment_id) if environment_id in lock_topology(by.tenant) else 0
    return archive(by=by, clock=clock, environment_id=environment_id, active_promotions=active, if_match=if_match)
