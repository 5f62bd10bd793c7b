"""Where the measurements live: a state directory of their own beside the product's, with fsync on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".data" / "bench"


def set_up_django() -> None:
    """Before anything of Django is imported; keeps a DATABASE_URL out, so that nobody fills a real database."""
    os.environ.pop("DATABASE_URL", None)
    os.environ["STELLAPROMOTE_DATA"] = str(STATE)
    os.environ["DJANGO_SETTINGS_MODULE"] = "stellapromote.settings"
    import django

    django.setup()


@contextmanager
def database_of_its_own(name: str) -> Iterator[None]:
    """An empty database in the place of the one with the rows, which is not filled with what only one measurement
    needs: plans of statements follow the number of rows, so a later run would measure others."""
    import psycopg
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections

    from promotions.judging.packet_content import installation_id
    from stellapromote.postgresql.embedded import OWNER, SUPERUSER

    server = settings.EMBEDDED_POSTGRES
    names = {alias: connections[alias].settings_dict["NAME"] for alias in connections}
    with psycopg.connect(server.connection(SUPERUSER).conninfo, autocommit=True) as superuser:
        superuser.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")  # type: ignore[arg-type]
        superuser.execute(f"CREATE DATABASE {name} OWNER {OWNER}")  # type: ignore[arg-type]
        connections.close_all()
        try:
            for alias in names:
                connections[alias].settings_dict["NAME"] = name
            installation_id.cache_clear()
            call_command("migrate", database="owner", interactive=False, verbosity=0)
            call_command("register_signing_key", verbosity=0)
            yield
        finally:
            connections.close_all()
            for alias, before in names.items():
                connections[alias].settings_dict["NAME"] = before
            installation_id.cache_clear()
            superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]
