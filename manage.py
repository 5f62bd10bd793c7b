#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL it uses the embedded PostgreSQL and starts it where it does not run."""

import os
import sys
from contextlib import nullcontext

from stellapromote.postgresql.embedded import EmbeddedPostgres, EmbeddedPostgresError

# These never ask the database, so they need not start one.
COMMANDS_WITHOUT_DATABASE = frozenset(
    {"collectstatic", "compilemessages", "explain_policy", "help", "makemessages", "makemigrations"}
)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stellapromote.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    needs_database = len(sys.argv) > 1 and sys.argv[1] not in COMMANDS_WITHOUT_DATABASE and "--help" not in sys.argv
    try:
        database: EmbeddedPostgres | None = settings.EMBEDDED_POSTGRES
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")
    try:
        with database.in_use() if needs_database and database else nullcontext():
            execute_from_command_line(sys.argv)
    except EmbeddedPostgresError as error:
        sys.exit(f"manage.py: {error}")
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) is not None:  # of a statement: no connection has none
            raise
        sys.exit(f"manage.py: The database does not answer: {error}")


if __name__ == "__main__":
    main()
