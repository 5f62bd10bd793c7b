from typing import Any

from promotions.actions.signing_keys import register_signing_key
from stellapromote.accounts.command_line import ProductCommand, command_actor


class Command(ProductCommand):
    """Registers the public half of the key of SIGNING_KEY (or of the file), as the owner of the tables; audited.

    To be run after the first migrate and whenever the key is replaced. A key that is registered is left alone.
    """

    help = "Let this installation's signing key sign evidence."

    def act(self, **options: Any) -> None:
        row, new = register_signing_key(by=command_actor())
        if new or options["verbosity"] > 0:
            self.stdout.write(f"The signing key {row.key_id} is {'now ' if new else ''}registered.")
