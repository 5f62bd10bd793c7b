from typing import Any

from django.core.management.base import CommandParser

from promotions.actions.signing_keys import retire_signing_key
from promotions.packets import signing_key
from stellapromote.accounts.command_line import ProductCommand, command_actor


class Command(ProductCommand):
    """Retires a signing key for good, as the owner of the tables; audited. What it signed here stays valid."""

    help = "Let a signing key sign nothing any more: it was replaced, or somebody else has it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key_id", metavar="KEYID", help="sha256:…, as GET /api/v1/evidence/keys shows it.")

    def act(self, **options: Any) -> None:
        row = retire_signing_key(options["key_id"], by=command_actor())
        self.stdout.write(f"The signing key {row.key_id} signs nothing any more.")
        problem = signing_key.problem()
        if problem is not None:
            self.stderr.write(problem)
