from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Team
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import lock_team
from stellapromote.identity.etags import tag_of
from stellapromote.identity.presenters import team_document
from stellapromote.identity.roster import grants_of_team
from stellapromote.transactions import transactional


@transactional
def rename_team(
    *, by: Actor, clock: Clock, slug: str, name: str | None = None, if_match: IfMatch | None = None
) -> Team:
    """Gives a team another displayed name; its slug stays. Without a change it leaves no trace.

    Raises Refused (403), Http404, PreconditionFailed (412), Invalid (400).
    """
    rules.check_manages_members(by)
    team = lock_team(by.tenant, slug)
    if if_match is not None:
        if_match.check(tag_of("team", team_document(team, grants_of_team(team))))
    if name is None or name == team.name:
        return team
    before, team.name = team.name, rules.checked_line("displayName", name, longest=rules.LONGEST_NAME)
    team.save(update_fields=["name"])
    record(
        by=by,
        at=clock.now(),
        action="team.updated",
        resource="team",
        resource_id=team.id,
        before={"name": before},
        after={"name": team.name},
        metadata={"slug": slug},
        rows=[team],
    )
    return team
