from typing import Any

from django.core.management.base import CommandError, CommandParser

from stellapromote.accounts.command_line import ProductCommand, command_actor
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.confirm_account import confirm_account
from stellapromote.identity.actions.confirm_grant import confirm_grant
from stellapromote.identity.roster import members_of


class Command(ProductCommand):
    """Confirms roles, teams and rights that a page gave, and the account; for a tenant in which no person is vouched
    for."""

    help = "Confirm what a page granted to a member and that the right person has the account, or one grant alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--username", required=True, metavar="NAME")
        parser.add_argument("--grant", metavar="NAME", help="A role, team or right; all and the account when left out.")

    def act(self, **options: Any) -> None:
        tenant = self.tenant(options["tenant"])
        username, wanted = options["username"], options["grant"]
        member = next((each for each in members_of(tenant.pk) if each.user.username == username), None)
        if member is None:
            raise CommandError(f"{username} is no member of {tenant.slug}.")
        grants = [each for each in member.grants if wanted in (None, each.names_right[1])]
        if wanted is not None and not grants:
            held = ", ".join(each.names_right[1] for each in member.grants) or "nothing"
            raise CommandError(f"{username} does not hold {wanted} in {tenant.slug}. Held: {held}.")
        names = []
        if wanted is None and confirm_account(by=command_actor(tenant), clock=DATABASE_CLOCK, user_id=member.user.pk):
            names.append("the account")
        for grant in grants:
            if not grant.is_vouched_for:
                by = command_actor(tenant)
                confirm_grant(by=by, clock=DATABASE_CLOCK, user_id=member.user.pk, grant_id=grant.pk)
                names.append(grant.names_right[1])
        what = f"confirmed {', '.join(names)}" if names else "nothing to confirm"
        self.stdout.write(f"{username} in {tenant.slug}: {what}.")
