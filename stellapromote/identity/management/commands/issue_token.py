from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from stellapromote.accounts.command_line import ProductCommand, comma_separated, command_actor
from stellapromote.accounts.models import Membership, ServiceAccount, Tenant
from stellapromote.accounts.models.token import DEFAULT_LIFE
from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.identity.actions.issue_token import issue_token

LONGEST_NUMBER_OF_DAYS = 100_000


class Command(ProductCommand):
    """Issues a token for a member or a service and prints it, and nothing else, to stdout. It is shown this once."""

    help = "Issue an API token that acts for a person or a service."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--username", required=True, metavar="NAME", help="Of a member, or of a service.")
        parser.add_argument(
            "--scopes", type=comma_separated, metavar="SCOPE,SCOPE", help="All that the owner has when left out."
        )
        parser.add_argument(
            "--expires-days", type=int, default=DEFAULT_LIFE.days, metavar="N", help="Default 90, at most 366."
        )

    def act(self, **options: Any) -> None:
        tenant = self.tenant(options["tenant"])
        days = max(-LONGEST_NUMBER_OF_DAYS, min(options["expires_days"], LONGEST_NUMBER_OF_DAYS))
        issued = issue_token(
            by=command_actor(tenant),
            clock=SYSTEM_CLOCK,
            user_id=_account(tenant, options["username"]),
            name="Issued on the command line",
            scopes=options["scopes"],
            life=timedelta(days=days),
        )
        self.stdout.write(issued.text)


def _account(tenant: Tenant, name: str) -> UUID:
    """The member with this username, else the service with this name or username."""
    members = Membership.objects.filter(tenant=tenant, ended_at=None, user__username=name)
    services = ServiceAccount.objects.filter(tenant=tenant, name=name.removeprefix(f"{tenant.slug}."))
    found = members.values_list("user_id", flat=True).first() or services.values_list("user_id", flat=True).first()
    if found is None:
        raise CommandError(f"{tenant.slug} has no member and no service {name!r}.")
    return found
