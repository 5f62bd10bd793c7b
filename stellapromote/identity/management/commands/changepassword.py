from typing import Any

from django.core.management.base import CommandError, CommandParser

from stellapromote.accounts.command_line import ProductCommand, command_actor
from stellapromote.accounts.models import User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.make_password_link import make_password_link


class Command(ProductCommand):
    """In place of Django's command of this name, which sets any password and leaves no trace.

    Prints a one-time link by which the person sets a password; the one they have works until then.
    """

    help = "Print a one-time link by which a person sets a new password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def act(self, **options: Any) -> None:
        username = options["username"]
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"No account has the username {username!r}.")
        link = make_password_link(by=command_actor(), clock=DATABASE_CLOCK, user=user)
        self.stdout.write(f"{username} sets a new password here, once, within 3 days: {link}")
