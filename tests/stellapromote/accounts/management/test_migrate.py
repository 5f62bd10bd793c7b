from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import ProgrammingError
from psycopg.errors import InsufficientPrivilege

from stellapromote.accounts.management.commands.migrate import Command
from tests.database import CommittedDatabase


def test_migrate_works_as_the_owner_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []
    monkeypatch.setattr(migrate.Command, "handle", lambda self, *_, **options: used.append(options["database"]))
    monkeypatch.setattr(Command, "_refuse_temporary_tables", used.append)
    call_command("migrate")
    call_command("migrate", "--database=default")
    assert used == ["owner", "owner", "default", "default"]


def test_migrate_takes_the_right_to_temporary_tables_each_time(committed_db: CommittedDatabase) -> None:
    with committed_db.as_owner() as owner, committed_db.as_app() as app:
        owner.execute("GRANT TEMPORARY ON DATABASE stellapromote TO PUBLIC")
        call_command("migrate", plan=True)
        app.execute("CREATE TEMP TABLE mine (a int)")
        call_command("migrate", verbosity=0)
        with pytest.raises(InsufficientPrivilege):
            app.execute("CREATE TEMP TABLE other (a int)")


def test_missing_right_is_told_with_what_the_administrator_has_to_run(
    committed_db: CommittedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        with committed_db.as_app() as connection:
            try:
                connection.execute(
                    "DO $$ BEGIN RAISE EXCEPTION 'No such role.' USING ERRCODE = 'insufficient_privilege', "
                    "HINT = 'Run: CREATE ROLE.'; END $$"
                )
            except InsufficientPrivilege as error:
                raise ProgrammingError("hidden") from error

    monkeypatch.setattr(migrate.Command, "handle", refused)
    with pytest.raises(CommandError, match=r"^No such role\. Run: CREATE ROLE\.$"):
        call_command("migrate")


def test_other_errors_of_a_migration_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ProgrammingError("relation does not exist")

    monkeypatch.setattr(migrate.Command, "handle", broken)
    with pytest.raises(ProgrammingError, match="relation does not exist"):
        call_command("migrate")
