from collections.abc import Sequence

from policies.team_names import policies_naming
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Product, Team
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.errors import Conflict
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import lock_team
from stellapromote.identity.etags import tag_of
from stellapromote.identity.presenters import team_document
from stellapromote.identity.roster import grants_of_team
from stellapromote.transactions import transactional


class TeamInUse(Conflict):
    """Records hold the name of a team that had people or that a policy named, so it never gets another meaning."""

    code = "RES_IN_USE"

    def __init__(self, slug: str, *, grants: int, policies: Sequence[str], products: Sequence[str]) -> None:
        if grants:
            why = f"People are or were in {slug}"
        elif policies:
            why = f"A version of {', '.join(policies)} names {slug}"
        else:
            why = f"{slug} owns or owned {', '.join(products)}"
        super().__init__(
            f"{why}, so records hold its name and the team stays: take its people out of it instead.",
            details={"grants": grants, "policies": list(policies), "products": list(products)},
        )


@transactional
def delete_team(*, by: Actor, clock: Clock, slug: str, if_match: IfMatch | None = None) -> Team:
    """Removes a team that nobody was ever in, that no version of a policy names and that never owned a product, from
    where it is not used again (docs/adr/0230).

    Raises Refused (403), Http404, PreconditionFailed (412), TeamInUse (409).
    """
    rules.check_manages_members(by)
    team = lock_team(by.tenant, slug, for_deletion=True)
    if if_match is not None:
        if_match.check(tag_of("team", team_document(team, grants_of_team(team))))
    grants, policies = team.grants.count(), policies_naming(by.tenant, slug)
    owned = Product.objects.filter(tenant_id=by.tenant, owners_edits__owner_teams__contains=[slug])
    products = sorted(set(owned.values_list("slug", flat=True)))
    if grants or policies or products:
        raise TeamInUse(slug, grants=grants, policies=policies, products=products)
    Team.objects.filter(pk=team.pk).delete()
    record(
        by=by,
        at=clock.now(),
        action="team.deleted",
        resource="team",
        resource_id=team.pk,
        before={"slug": slug, "name": team.name},
        gone=[team],
    )
    return team
