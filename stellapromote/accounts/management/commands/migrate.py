from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import ProgrammingError
from psycopg.errors import InsufficientPrivilege


class Command(migrate.Command):
    """Django's migrate, as the owner role unless --database says otherwise: the app role may not change structure."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        """A right that the login lacks becomes one sentence with what the administrator of the server has to do."""
        try:
            super().handle(*args, **options)
        except ProgrammingError as error:
            if not isinstance(error.__cause__, InsufficientPrivilege):
                raise
            told = error.__cause__.diag
            raise CommandError(f"{told.message_primary} {told.message_hint or ''}".strip()) from error
