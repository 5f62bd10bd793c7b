"""The two database roles (domain.md §9) as SQL for migrations.

The owner owns the tables and is used by `migrate` alone. Everything else works as the app role: it reads and writes
rows, changes no structure, and cannot change or remove what is append-only. The app role cannot log in; the login of
DATABASE_URL is a member and becomes it on connecting (libpq option `-c role=stellapromote_app`).
"""

import re

APP_ROLE = "stellapromote_app"
REFUSAL_FUNCTION = "stellapromote_refuse_change"
SEARCH_PATH = "public,pg_temp"
"""The schemas in which every connection of ours looks for tables, under any setting of its role: temporary ones come
last."""


def create_app_role_sql() -> tuple[str, str]:
    """(forward, reverse) for the first migration: the role, the login's membership, rights on present and future
    tables.

    Fails with a sentence for the database administrator where the login may not create the role or join it. The reverse
    takes the rights back and keeps the role: another database of the server may use it.
    """
    forward = f"""
DO $body$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APP_ROLE}') THEN
        BEGIN
            CREATE ROLE {APP_ROLE} NOLOGIN;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database of this server is being migrated at this moment
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'The role {APP_ROLE} does not exist and % may not create it.', session_user
                    USING HINT = format('As an administrator of the server run: CREATE ROLE {APP_ROLE} NOLOGIN; '
                                        'GRANT {APP_ROLE} TO %I; then migrate again.', session_user),
                          ERRCODE = 'insufficient_privilege';
        END;
    END IF;
    -- From PostgreSQL 16 on a role's creator is a member who may not become it.
    IF NOT pg_has_role(session_user, '{APP_ROLE}',
                       CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
        BEGIN
            GRANT {APP_ROLE} TO SESSION_USER;
        EXCEPTION
            WHEN insufficient_privilege OR invalid_grant_operation THEN
                RAISE EXCEPTION '% is not a member of the role {APP_ROLE} and may not join it.', session_user
                    USING HINT = format('As an administrator of the server run: GRANT {APP_ROLE} TO %I; '
                                        'then migrate again.', session_user),
                          ERRCODE = 'insufficient_privilege';
        END;
    END IF;
END
$body$;
GRANT USAGE ON SCHEMA public TO {APP_ROLE};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP_ROLE};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APP_ROLE};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APP_ROLE};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {APP_ROLE};
CREATE FUNCTION {REFUSAL_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused.', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$body$;
"""
    reverse = f"""
DROP FUNCTION {REFUSAL_FUNCTION}();
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM {APP_ROLE};
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM {APP_ROLE};
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {APP_ROLE};
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {APP_ROLE};
REVOKE USAGE ON SCHEMA public FROM {APP_ROLE};
"""
    return forward, reverse


def append_only_sql(table: str) -> tuple[str, str]:
    """(forward, reverse) that make `table` append-only: the app role loses the rights, triggers refuse every role.

    UPDATE and DELETE are refused even where they would touch no row, and for the owner too. Needs the first migration
    of accounts (create_app_role_sql) as a dependency. Raises ValueError for a name that needs quoting.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", table):
        raise ValueError(f"{table!r} is not a plain table name")
    forward = f"""
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}();
REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {APP_ROLE};
"""
    reverse = f"""
GRANT UPDATE, DELETE ON {table} TO {APP_ROLE};
DROP TRIGGER {table}_append_only ON {table};
"""
    return forward, reverse


def no_temporary_tables_sql() -> str:
    """Takes the right to temporary tables on this database from every role but its owner. May run any number of times.

    A dump holds no rights on the database itself, so it belongs after each restore, too. Fails with a sentence where
    the login may not do it.
    """
    return f"""
DO $body$
BEGIN
    BEGIN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC, {APP_ROLE}', current_database());
    EXCEPTION
        WHEN insufficient_privilege THEN
            NULL;  -- an administrator may have done it
    END;
    IF has_database_privilege('{APP_ROLE}', current_database(), 'TEMPORARY') THEN
        RAISE EXCEPTION 'The role {APP_ROLE} may make temporary tables, and % may not take that right.', session_user
            USING HINT = format('As the owner of the database run: REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC; '
                                'then migrate again.', current_database()),
                  ERRCODE = 'insufficient_privilege';
    END IF;
END
$body$;
"""
