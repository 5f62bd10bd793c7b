from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from policies.models import Proposal
from policies.presenters import policies_of
from promotions.actions.proposals import confirm_proposal
from stellapromote.accounts.command_line import ProductCommand, command_actor
from stellapromote.accounts.models import Tenant


class Command(ProductCommand):
    """The platform owner as the second person of a proposal, where the tenant has no other; audited."""

    help = "Confirm a proposal as the platform owner. Without an id: list those that wait."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("proposal", nargs="?", metavar="ID", help="As the page Proposals shows it.")

    def act(self, **options: Any) -> None:
        tenant = self.tenant(options["tenant"])
        if options["proposal"] is None:
            self._list(tenant)
            return
        try:
            proposal_id = UUID(options["proposal"])
        except ValueError as error:
            raise CommandError(f"{options['proposal']!r} is no id of a proposal.") from error
        proposal = confirm_proposal(proposal_id, by=command_actor(tenant))
        self.stdout.write(f"Confirmed: {' '.join(proposal.weakens)}")

    def _list(self, tenant: Tenant) -> None:
        """Lists each proposal with everything that it would make easier, and the requirements of the policies that it
        puts in force."""
        waiting = list(Proposal.objects.of(tenant.pk).open().newest_first())
        if not waiting:
            self.stdout.write("Nothing waits for a second person.")
        for each in waiting:
            self.stdout.write(f"{each.pk} by {each.proposed_by_username}, about {', '.join(each.guards)}:")
            for sentence in each.weakens:
                self.stdout.write(f"  {sentence}")
            for policy in policies_of(each):
                if policy["after"]:
                    self.stdout.write(f"  It puts {policy['name']} version {policy['version']} in force:")
                    for sentence in policy["asks"]:
                        self.stdout.write(f"    {sentence}")
