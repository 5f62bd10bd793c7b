from typing import Any

from django.core.management.base import CommandParser

from stellapromote.accounts.command_line import ProductCommand, command_actor
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.add_service_owner import add_service_owner


class Command(ProductCommand):
    """Gives a service another owner; its other owners stay."""

    help = "Add an owner of a service account: its acts count as done by them, too."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True, help="The service.")
        parser.add_argument("--owner", required=True, metavar="USERNAME")

    def act(self, **options: Any) -> None:
        tenant = self.tenant(options["tenant"])
        service = self.service(tenant, options["name"])
        add_service_owner(by=command_actor(tenant), clock=DATABASE_CLOCK, service_id=service.pk, owner=options["owner"])
        self.stdout.write(f"{options['owner']} owns {service.name} in {tenant.slug}.")
