from typing import Any

from django.core.management.base import CommandError, CommandParser

from stellapromote.accounts.command_line import ProductCommand, command_actor
from stellapromote.accounts.models import User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.end_service_owner import end_service_owner


class Command(ProductCommand):
    """Ends an ownership; one that ended already stays as it is."""

    help = "End somebody's ownership of a service account and revoke the tokens that they know."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True, help="The service.")
        parser.add_argument("--owner", required=True, metavar="USERNAME")
        parser.add_argument("--reason", default="", help="Kept in the audit log.")

    def act(self, **options: Any) -> None:
        tenant = self.tenant(options["tenant"])
        service = self.service(tenant, options["name"])
        person = User.objects.filter(username=options["owner"], owned_services__service=service).first()
        if person is None:
            raise CommandError(f"{options['owner']} does not own {service.name} in {tenant.slug}.")
        _, revoked = end_service_owner(
            by=command_actor(tenant),
            clock=DATABASE_CLOCK,
            service_id=service.pk,
            user_id=person.pk,
            reason=options["reason"],
        )
        self.stdout.write(f"{person.username} owns {service.name} in {tenant.slug} no more; tokens revoked: {revoked}.")
