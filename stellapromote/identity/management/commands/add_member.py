from typing import Any, ClassVar

from django.core.management.base import CommandParser

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import ProductCommand, comma_separated, command_actor, read_password
from stellapromote.accounts.models import Team
from stellapromote.accounts.scopes import LIMITED_ROLES
from stellapromote.accounts.vouching import people_vouched_for
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity import rules
from stellapromote.identity.actions.add_member import AddedMember, add_member
from stellapromote.identity.actions.create_team import create_team
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_team import grant_team
from stellapromote.identity.one_time_links import first_password_link
from stellapromote.identity.products import check_can_be_limited
from stellapromote.transactions import transactional


class Command(ProductCommand):
    """Makes a person a member with roles and teams. It only adds: again with the same options it changes nothing.

    A new person gets the password from --password-stdin, else a one-time link is printed by which they set their own.
    Teams that do not exist are created.
    """

    help = "Add a person to a tenant, creating the account if it is new, and grant roles and teams."
    arguments_of_fields: ClassVar = {
        "role": "--roles",
        "products": "--products",
        "slug": "--teams",
        "password": "--password-stdin",
    }

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--username", required=True, metavar="NAME", help=rules.USERNAME_HELP)
        parser.add_argument("--display-name", default="", metavar="TEXT", help="Of a new account; else the username.")
        parser.add_argument("--roles", required=True, type=comma_separated, metavar="ROLE,ROLE")
        parser.add_argument(
            "--products",
            default=[],
            type=comma_separated,
            metavar="SLUG,SLUG",
            help="The roles operator and approver count for releases and promotions of these alone.",
        )
        parser.add_argument("--teams", default=[], type=comma_separated, metavar="TEAM,TEAM")
        parser.add_argument("--password-stdin", action="store_true", help="Read the new account's password from stdin.")

    def act(self, **options: Any) -> None:
        tenant = self.tenant(options["tenant"])
        password = read_password(options["username"]) if options["password_stdin"] else None
        added = _add(
            by=command_actor(tenant),
            clock=DATABASE_CLOCK,
            username=options["username"],
            display_name=options["display_name"],
            password=password,
            roles=options["roles"],
            products=options["products"],
            teams=options["teams"],
        )
        username = added.user.username
        news = "is now" if added.is_new_member else "was already"
        teams = f", teams {', '.join(options['teams'])}" if options["teams"] else ""
        limit = f" for {', '.join(options['products'])}" if options["products"] else ""
        self.stdout.write(f"{username} {news} a member of {tenant.slug}: {', '.join(options['roles'])}{limit}{teams}.")
        if people_vouched_for(tenant.pk) == [added.user.pk]:
            self.stdout.write(
                "One more admin or approver added here, and the two can confirm what pages grant to everybody else."
            )
        if password is not None and not added.password_set:
            self.stderr.write(f"{username} has a password already, which is theirs: the one given was not used.")
        elif not added.user.has_usable_password():
            self.stdout.write(f"They set their password here, once, within 3 days: {first_password_link(added.user)}")


@transactional
def _add(
    *,
    by: Actor,
    clock: Clock,
    username: str,
    display_name: str,
    password: str | None,
    roles: list[str],
    products: list[str],
    teams: list[str],
) -> AddedMember:
    """All of it or nothing."""
    for role in roles:
        rules.checked_role(role)
    check_can_be_limited(roles, products)
    added = add_member(by=by, clock=clock, username=username, display_name=display_name, password=password)
    for role in roles:
        limit = products if role in LIMITED_ROLES else ()
        grant_role(by=by, clock=clock, user_id=added.user.pk, role=role, products=limit)
    known = set(Team.objects.filter(tenant_id=by.tenant, slug__in=teams).values_list("slug", flat=True))
    for team in teams:
        if team not in known:
            create_team(by=by, clock=clock, slug=team)
            known.add(team)
        grant_team(by=by, clock=clock, user_id=added.user.pk, team=team)
    return added
