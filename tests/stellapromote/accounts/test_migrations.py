"""Grants of before get where they were made, and under which role (migration 0007)."""

from django.core.management import call_command

from stellapromote.accounts.models import RoleGrant
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from tests.database import CommittedDatabase
from tests.stellapromote.identity.actions.cases import make_house


def migrate(to: str) -> None:
    call_command("migrate", "accounts", to, database="owner", interactive=False, verbosity=0)


def test_grants_of_before_say_where_they_were_made(committed_db: CommittedDatabase) -> None:
    house = make_house()
    given = grant_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk, role="approver")
    end_role(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk, role="approver")
    end_role(by=house.as_actor(house.greta), clock=DATABASE_CLOCK, user_id=house.nia.pk, role="approver")
    migrate("0006")
    try:
        with committed_db.as_app() as connection:
            assert connection.execute("SELECT count(*) FROM accounts_rolegrant WHERE granted_by_id IS NULL")
    finally:
        migrate("0007")
    given.refresh_from_db()
    assert (given.granted_via, given.granted_under) == ("page", RoleGrant.objects.get(user=house.greta))
    by_command = RoleGrant.objects.get(user=house.nia)
    assert (by_command.granted_via, by_command.granted_under) == ("command", None)
