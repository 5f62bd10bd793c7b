from typing import Any

from django.core.management.base import CommandError, CommandParser

from stellapromote.accounts.command_line import ProductCommand, command_actor
from stellapromote.accounts.models import Membership
from stellapromote.accounts.scopes import GRANTED_BY_NAME
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.grant_scope import grant_scope


class Command(ProductCommand):
    """Gives a member a right that no role has; a member who holds it keeps the grant they have."""

    help = "Give a member a right by name, such as promotion:override."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--username", required=True)
        parser.add_argument("--scope", default=GRANTED_BY_NAME[0], help=f"One of {', '.join(GRANTED_BY_NAME)}.")
        parser.add_argument("--reason", required=True, help="Kept with the grant and in the audit log.")

    def act(self, **options: Any) -> None:
        tenant = self.tenant(options["tenant"])
        username, scope = options["username"], options["scope"]
        member = Membership.objects.filter(tenant=tenant, user__username=username, ended_at=None).first()
        if member is None:
            raise CommandError(f"{username} is no member of {tenant.slug}.")
        grant_scope(
            by=command_actor(tenant),
            clock=DATABASE_CLOCK,
            user_id=member.user_id,
            scope=scope,
            reason=options["reason"],
        )
        self.stdout.write(f"{username} holds {scope} in {tenant.slug}, by name.")
