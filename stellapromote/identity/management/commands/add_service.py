from typing import Any

from django.core.management.base import CommandParser

from stellapromote.accounts.command_line import ProductCommand, comma_separated, command_actor
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.add_service import add_service
from stellapromote.patterns import SLUG_HELP


class Command(ProductCommand):
    """Creates a service account; a name that is taken is refused."""

    help = "Add a service account, owned by people: its acts count as done by them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True, help=SLUG_HELP)
        parser.add_argument("--owner", required=True, action="append", metavar="USERNAME", help="May be given again.")
        parser.add_argument("--scopes", required=True, type=comma_separated, metavar="SCOPE,SCOPE")
        parser.add_argument(
            "--products",
            type=comma_separated,
            default=(),
            metavar="SLUG,SLUG",
            help="It reads everything, and writes releases and promotions of these products alone.",
        )

    def act(self, **options: Any) -> None:
        tenant = self.tenant(options["tenant"])
        service = add_service(
            by=command_actor(tenant),
            clock=DATABASE_CLOCK,
            name=options["name"],
            owners=options["owner"],
            scopes=options["scopes"],
            products=options["products"],
        )
        username = service.user.username
        self.stdout.write(
            f"{username} is ready. Next: manage.py issue_token --tenant {tenant.slug} --username {username}"
        )
