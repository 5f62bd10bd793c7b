"""The preparations of `make run` before the server starts: structure, signing key, static files, demo data. Each is
done once."""

import hashlib
import sys
from pathlib import Path

import django
from django.core.management.base import CommandError


def migrate() -> None:
    from django.core.management import call_command
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connections["owner"])
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        print(f"Preparing the database ({len(waiting)} migrations) …", flush=True)
        call_command("migrate", interactive=False, verbosity=0)


def register_signing_key() -> None:
    """Without a key that may sign everything can be read and nothing be decided: no reason not to start."""
    from django.core.management import call_command

    try:
        call_command("register_signing_key", verbosity=0)
    except CommandError as error:
        print(error, flush=True)


def collect_static_files() -> None:
    from django.conf import settings
    from django.contrib.staticfiles.finders import get_finders
    from django.core.management import call_command

    if settings.DEBUG:
        return
    found = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            file = Path(storage.path(path)).stat()
            found.update(f"{path} {file.st_size} {file.st_mtime_ns}\n".encode())
    stamp = Path(settings.STATIC_ROOT) / "collected"
    if not stamp.exists() or stamp.read_text() != found.hexdigest():
        print("Collecting static files …", flush=True)
        stamp.unlink(missing_ok=True)
        call_command("collectstatic", interactive=False, clear=True, verbosity=0)
        stamp.write_text(found.hexdigest())


def seed_demo(sign_ins: Path) -> None:
    """Demo data where it is allowed (issue 2, paragraph 8); what the command says goes to the file `sign_ins`."""
    from django.conf import settings
    from django.core.management import call_command

    embedded_here = settings.EMBEDDED_POSTGRES is not None and settings.LISTENS_ON_LOOPBACK
    if settings.DEMO is False or not (embedded_here or settings.DEMO):
        return
    print("Seeing to the demo data (DEMO=0 leaves it out) …", flush=True)
    with sign_ins.open("w") as said:
        call_command("seed_demo", stdout=said)


if __name__ == "__main__":
    django.setup()
    try:
        migrate()
        register_signing_key()
        collect_static_files()
        seed_demo(Path(sys.argv[1]))
    except CommandError as error:
        sys.exit(str(error))
