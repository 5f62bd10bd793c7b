"""What a session does to names changes nothing that a function of ours refers to (domain.md §9)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg.errors import InsufficientPrivilege

from promotions.worker.readiness import check_readiness
from stellapromote.accounts.actor import system_actor
from stellapromote.audit.recording import Entry, insertion
from stellapromote.database.addresses import AS_APP_ROLE
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.ids import new_id
from stellapromote.postgresql.embedded import LOGIN
from stellapromote.postgresql.roles import APP_ROLE, no_temporary_tables_sql
from tests.database import CommittedDatabase
from tests.promotions.kestrel import make_kestrel
from tests.stellapromote.audit.chains import make_chain

OTHER = "sha256:" + "e" * 64


@contextmanager
def with_a_table_of_its_own(database: CommittedDatabase, table: str, rows: str) -> Iterator[psycopg.Connection[Any]]:
    """The app role in a session where somebody with more rights left a temporary table of that name."""
    with database.as_superuser() as connection:
        connection.execute(f"CREATE TEMP TABLE {table} AS SELECT * FROM public.{table} {rows}")  # type: ignore[arg-type]
        connection.execute(f"GRANT ALL ON pg_temp.{table} TO {APP_ROLE}")  # type: ignore[arg-type]
        connection.execute(f"SET ROLE {APP_ROLE}")  # type: ignore[arg-type]
        yield connection


def test_a_temporary_release_opens_no_finalized_one(committed_db: CommittedDatabase) -> None:
    release = make_kestrel().release()
    with with_a_table_of_its_own(committed_db, "promotions_release", "") as session:
        session.execute("UPDATE pg_temp.promotions_release SET status = 'draft'")
        for change in (
            f"UPDATE public.promotions_component SET digest = '{OTHER}' WHERE release_id = '{release.pk}'",
            f"DELETE FROM public.promotions_component WHERE release_id = '{release.pk}'",
            f"""INSERT INTO public.promotions_component
                  (id, name, image_repository, digest, tag, semver, role, release_id)
                VALUES ('{new_id()}', 'more', 'registry.example/more', '{OTHER}', '', '', 'sidecar', '{release.pk}')""",
        ):
            with pytest.raises(InsufficientPrivilege, match="change only in draft"):
                session.execute(change)  # type: ignore[arg-type]


@pytest.mark.parametrize("table", ["audit_auditpending", "audit_auditevent"])
def test_a_temporary_table_keeps_no_event_from_the_sealer(committed_db: CommittedDatabase, table: str) -> None:
    tenant = make_chain()
    entry = Entry(by=system_actor(tenant.id, tenant.slug), at=DATABASE_CLOCK.now(), action="a.b", resource="r")
    event = new_id()
    text, values = insertion([(event, entry)])
    with with_a_table_of_its_own(committed_db, table, "LIMIT 0") as session:
        session.execute(text.replace("audit_auditevent", "public.audit_auditevent"), values)  # type: ignore[arg-type]
        found = session.execute("SELECT tenant_id FROM public.audit_auditpending WHERE event_id = %s", [event])
        assert found.fetchall() == [(tenant.id,)]


def test_a_temporary_table_is_not_taken_for_the_rows_that_were_added(committed_db: CommittedDatabase) -> None:
    tenant = make_chain()
    entry = Entry(by=system_actor(tenant.id, tenant.slug), at=DATABASE_CLOCK.now(), action="a.b", resource="r")
    event = new_id()
    with committed_db.as_superuser() as session:
        session.execute("CREATE TEMP TABLE added (id uuid, tenant_id uuid)")
        session.execute(*insertion([(event, entry)]))  # type: ignore[arg-type]
        found = session.execute("SELECT tenant_id FROM audit_auditpending WHERE event_id = %s", [event])
        assert found.fetchall() == [(tenant.id,)]


@pytest.mark.parametrize("options", ["", AS_APP_ROLE])
def test_the_login_makes_no_temporary_table(committed_db: CommittedDatabase, options: str) -> None:
    conninfo = settings.EMBEDDED_POSTGRES.connection(LOGIN).conninfo
    with psycopg.connect(conninfo, autocommit=True, options=options) as session:
        for what in ("TABLE mine (a int)", "TABLE mine AS SELECT 1", "VIEW mine AS SELECT 1", "SEQUENCE mine"):
            with pytest.raises(InsufficientPrivilege):
                session.execute(f"CREATE TEMP {what}")  # type: ignore[arg-type]


def test_the_path_of_the_processes_is_theirs_whatever_is_set_for_the_login(committed_db: CommittedDatabase) -> None:
    with committed_db.as_superuser() as session:
        session.execute(f"ALTER ROLE {LOGIN} SET search_path = pg_temp, elsewhere")
    try:
        with committed_db.as_app() as session:
            assert session.execute("SHOW search_path").fetchone() == ("public,pg_temp",)
    finally:
        with committed_db.as_superuser() as session:
            session.execute(f"ALTER ROLE {LOGIN} RESET search_path")


@pytest.mark.django_db
def test_every_function_fixes_its_path_and_names_the_schema_of_every_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        relations = {name for (name,) in cursor.fetchall()}
        cursor.execute("SELECT proname, proconfig, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
        functions = cursor.fetchall()
    assert {"audit_event_is_pending", "promotions_components_of_drafts"} <= {name for name, _, _ in functions}
    for name, config, body in functions:
        assert "search_path=pg_catalog, pg_temp" in (config or []), name
        unqualified = {word for word in re.findall(r"(?<![\w.])\w+", body) if word in relations}
        assert not unqualified, (name, unqualified)


def test_a_restored_database_gives_the_right_until_it_is_migrated(committed_db: CommittedDatabase) -> None:
    with committed_db.as_owner() as owner, committed_db.as_app() as app:
        owner.execute("GRANT TEMPORARY ON DATABASE stellapromote TO PUBLIC")
        try:
            app.execute("CREATE TEMP TABLE mine (a int)")
            assert "`manage.py migrate`" in check_readiness()[0].message
        finally:
            owner.execute(no_temporary_tables_sql().encode())
        with pytest.raises(InsufficientPrivilege):
            app.execute("CREATE TEMP TABLE other (a int)")
    assert check_readiness()[0].message == "The database answers."


def test_who_may_not_take_the_right_is_told_what_the_owner_of_the_database_has_to_run(
    committed_db: CommittedDatabase,
) -> None:
    with committed_db.as_owner() as owner, committed_db.as_app() as app:
        owner.execute("GRANT TEMPORARY ON DATABASE stellapromote TO PUBLIC")
        try:
            with pytest.raises(InsufficientPrivilege) as refusal:
                app.execute(no_temporary_tables_sql().encode())
        finally:
            owner.execute(no_temporary_tables_sql().encode())
        app.execute(no_temporary_tables_sql().encode())
    assert f"The role {APP_ROLE} may make temporary tables" in str(refusal.value)
    assert "REVOKE TEMPORARY ON DATABASE stellapromote FROM PUBLIC;" in str(refusal.value.diag.message_hint)
