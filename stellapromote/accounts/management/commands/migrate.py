from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import ProgrammingError, connections
from psycopg.errors import InsufficientPrivilege

from stellapromote.postgresql.roles import APP_ROLE, no_temporary_tables_sql


class Command(migrate.Command):
    """Django's migrate, as the owner role unless --database says otherwise: the app role may not change structure.

    Each time it also takes the right to temporary tables from the app role: a restored database gives it again.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        """A right that the login lacks becomes one sentence with what the administrator of the server has to do."""
        try:
            super().handle(*args, **options)
            if not (options["plan"] or options["check_unapplied"]):
                self._refuse_temporary_tables(options["database"])
        except ProgrammingError as error:
            if not isinstance(error.__cause__, InsufficientPrivilege):
                raise
            told = error.__cause__.diag
            raise CommandError(f"{told.message_primary} {told.message_hint or ''}".strip()) from error

    @staticmethod
    def _refuse_temporary_tables(database: str) -> None:
        with connections[database].cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP_ROLE])
            if cursor.fetchone():
                cursor.execute(no_temporary_tables_sql())
