from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Team
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.errors import Conflict
from stellapromote.identity import rules
from stellapromote.transactions import transactional


class TeamExists(Conflict):
    code = "RES_DUPLICATE"
    about = "slug"

    def __init__(self, slug: str) -> None:
        super().__init__(f"There is a team {slug} already.", details={"slug": slug})


@transactional
def create_team(*, by: Actor, clock: Clock, slug: str, name: str = "") -> Team:
    """A team without people. Raises Refused (403), Invalid (400), TeamExists (409)."""
    rules.check_manages_members(by)
    tenant_id = by.tenant
    rules.checked_slug("slug", slug)
    name = rules.checked_line("name", name or slug, longest=rules.LONGEST_NAME)
    team, is_new = Team.objects.get_or_create(tenant_id=tenant_id, slug=slug, defaults={"name": name})
    if not is_new:
        raise TeamExists(slug)
    record(
        by=by,
        at=clock.now(),
        action="team.created",
        resource="team",
        resource_id=team.id,
        after={"slug": slug, "name": name},
        rows=[team],
    )
    return team
