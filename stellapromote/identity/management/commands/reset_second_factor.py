from typing import Any

from django.core.management.base import CommandError, CommandParser

from stellapromote.accounts.command_line import ProductCommand, command_actor
from stellapromote.accounts.models import User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.end_second_factor import reset_second_factor


class Command(ProductCommand):
    """For a person who lost their device and their recovery codes. Ends their sessions; they sign in with the password
    and set up another second factor."""

    help = "Remove the second factor of a person who lost it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def act(self, **options: Any) -> None:
        username = options["username"]
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"No account has the username {username!r}.")
        reset_second_factor(by=command_actor(), clock=DATABASE_CLOCK, user=user)
        self.stdout.write(f"{username} has no second factor now, and is signed out everywhere.")
