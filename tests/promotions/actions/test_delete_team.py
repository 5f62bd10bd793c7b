"""delete_team beside what begins to use a team, on real transactions (docs/adr/0230)."""

from django.http import Http404

from policies.actions.create_approval_policy import create_approval_policy
from policies.documents import InvalidDocument
from promotions.actions.delete_team import TeamInUse, delete_team
from promotions.actions.products import create_product
from stellapromote.accounts.models import Team
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid
from stellapromote.identity.actions.create_team import create_team
from stellapromote.identity.actions.grant_team import grant_team
from tests.database import CommittedDatabase
from tests.stellapromote.identity.actions.cases import make_house


def test_a_person_is_not_put_into_a_team_that_goes(committed_db: CommittedDatabase) -> None:
    house = make_house()
    by = house.admin
    for slug in ("a", "b", "c"):
        create_team(by=by, clock=DATABASE_CLOCK, slug=slug)
        outcomes = committed_db.at_once(
            lambda slug=slug: grant_team(by=by, clock=DATABASE_CLOCK, user_id=house.nia.pk, team=slug),
            lambda slug=slug: delete_team(by=by, clock=DATABASE_CLOCK, slug=slug),
        )
        refusals = [type(each) for each in outcomes if isinstance(each, Exception)]
        assert refusals == ([TeamInUse] if Team.objects.filter(slug=slug).exists() else [Http404])


def test_a_policy_does_not_begin_to_name_a_team_that_goes(committed_db: CommittedDatabase) -> None:
    house = make_house()
    by = house.admin
    for slug in ("a", "b", "c"):
        create_team(by=by, clock=DATABASE_CLOCK, slug=slug)
        content = {"name": f"policy-{slug}", "rules": [{"name": "any", "teams": [slug, "release"]}]}
        outcomes = committed_db.at_once(
            lambda content=content: create_approval_policy(by=by, clock=DATABASE_CLOCK, content=content),
            lambda slug=slug: delete_team(by=by, clock=DATABASE_CLOCK, slug=slug),
        )
        refusals = [type(each) for each in outcomes if isinstance(each, Exception)]
        assert refusals == ([TeamInUse] if Team.objects.filter(slug=slug).exists() else [InvalidDocument])


def test_a_product_does_not_begin_to_belong_to_a_team_that_goes(committed_db: CommittedDatabase) -> None:
    by = make_house().admin
    for slug in ("a", "b", "c"):
        create_team(by=by, clock=DATABASE_CLOCK, slug=slug)
        outcomes = committed_db.at_once(
            lambda slug=slug: create_product(by=by, clock=DATABASE_CLOCK, slug=f"of-{slug}", owner_teams=[slug]),
            lambda slug=slug: delete_team(by=by, clock=DATABASE_CLOCK, slug=slug),
        )
        refusals = [type(each) for each in outcomes if isinstance(each, Exception)]
        assert refusals == ([TeamInUse] if Team.objects.filter(slug=slug).exists() else [Invalid])
