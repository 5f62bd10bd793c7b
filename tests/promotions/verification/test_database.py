"""Who may change the database may show a verification other rows than a decision; that they can is a finding."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from promotions.verification import database
from promotions.verification.database import GUARDS, check_database
from promotions.verification.installation import check_installation
from promotions.worker import readiness
from stellapromote.postgresql.embedded import LOGIN
from tests.database import CommittedDatabase
from tests.promotions.kestrel import Kestrel
from tests.promotions.tampering import Tampering
from tests.promotions.verification.story import found_in

pytestmark = pytest.mark.slow

VOTE, EVENT, ROUND = "promotions_vote", "audit_auditevent", "promotions_evidenceround"
SLEEPS = f"CREATE FUNCTION public.sleeps() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
CREATE TRIGGER sleeps BEFORE UPDATE ON {ROUND} FOR EACH ROW EXECUTE FUNCTION public.sleeps()"
TRUE = (
    "CREATE FUNCTION public.same(varchar, text) RETURNS bool LANGUAGE sql AS 'SELECT $1::text = $2 OR $2 ~ ''^sha256'''"
)
EQUAL = "CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = text, FUNCTION = public.same)"
REVIEW = "ALTER TABLE promotions_overridereview ALTER display_name"
NOT_EMPTY = f"ALTER TABLE {VOTE} ALTER comment"
FUNCTION = "FUNCTION public.promotions_components_of_drafts()"
FIXED = f"ALTER {FUNCTION} SET search_path = pg_catalog, pg_temp"
UNIQUE = "promotions_deployment ADD CONSTRAINT deployment_report_once UNIQUE (promotion_id, attempt"

LIKE = "CREATE FUNCTION public.same(varchar, text) RETURNS bool LANGUAGE internal AS 'texteq'"
SYSTEM = "SET allow_system_table_mods = on;"
INTERNAL = f"{SYSTEM} UPDATE pg_trigger SET tgisinternal = true"
NOT_INTERNAL = f"{SYSTEM} UPDATE pg_trigger SET tgisinternal = false, tgconstraint = 0 WHERE tgname = 'sleeps'"
OF_VOTES = f"WHERE oid = '{VOTE}'::regclass"
LIVE = f"UNIQUE INDEX vote_one_live_per_person ON {VOTE} (promotion_id, voter_id) WHERE ended_at IS NULL"
EVENTS_LINK = "audit_link_sequence_unique"
LINKS = f"ALTER TABLE audit_auditlink DROP CONSTRAINT IF EXISTS {EVENTS_LINK}; DROP INDEX IF EXISTS {EVENTS_LINK};"

FREEZE = "environments_freezewindow"
OF_CLEARING = f"WHERE attrelid = '{FREEZE}'::regclass AND attname = 'cleared_at'"
CLEARED = f"ALTER TABLE {FREEZE} ADD CONSTRAINT cleared CHECK (cleared_at IS NOT NULL)"
NEVER = "CREATE FUNCTION public.never"
SAYS_NO = "RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN false; END'"
IN_C, BY = "RETURNS bool LANGUAGE c AS '$libdir/citext', 'citext_eq'", "FUNCTION = public.never"
CONTAINS_BY, OF_CONTAINS = "UPDATE pg_operator SET oprcode =", "WHERE oid = '@>(anyarray,anyarray)'::regoperator"
COMPARED, OF_UUID = "UPDATE pg_amproc SET amproc =", "WHERE amproc = 'uuid_cmp'::regproc"
COUNTED, OF_COUNT = "UPDATE pg_aggregate SET aggfinalfn =", "WHERE aggfnoid = 'count()'::regprocedure"
OTHER_LANGUAGE = "UPDATE pg_proc SET prolang = (SELECT oid FROM pg_language"
OF_REFUSING = "WHERE proname = 'stellapromote_refuse_change'"
NAMES = f"ALTER TABLE {FREEZE} ALTER products"
LINK = "environments_environmentapprovalpolicy"
HELD = "ALTER TABLE accounts_heldaccount DROP CONSTRAINT held_account_by_others"
HOLDERS = "ALTER TABLE accounts_heldaccount ADD CONSTRAINT held_account_by_others CHECK (cardinality(holders) > 0"
ALL_HOLDERS = (
    f"{HOLDERS} AND NOT user_id = ANY(holders) AND (confirmed_by_id IS NULL OR NOT confirmed_by_id = ANY(holders)))"
)
OWNERS = "accounts_ownersedit ADD CONSTRAINT owners_edit_as_its_product FOREIGN KEY (product_id, tenant_id)"
OF_PRODUCT = "REFERENCES accounts_product(id, tenant_id)"


def flag(index: str, name: str, value: bool) -> str:
    return f"{SYSTEM} UPDATE pg_index SET {name} = {value} WHERE indexrelid = '{index}'::regclass"


HIDDEN: list[tuple[str, str, str]] = [
    (f"{SYSTEM} CREATE VIEW pg_catalog.{VOTE} AS SELECT * FROM public.{VOTE}",
     f"{SYSTEM} DROP VIEW pg_catalog.{VOTE}", f"relation pg_catalog.{VOTE}"),
    (f"{SYSTEM} CREATE FUNCTION pg_catalog.upper(varchar) RETURNS text LANGUAGE sql AS 'SELECT ''X''::text'",
     f"{SYSTEM} DROP FUNCTION pg_catalog.upper(varchar)", "function upper(character varying)"),
    (f"{SYSTEM} CREATE FUNCTION pg_catalog.promotions_changed_meanwhile() RETURNS int LANGUAGE sql AS 'SELECT 1'",
     f"{SYSTEM} DROP FUNCTION pg_catalog.promotions_changed_meanwhile()",
     "function pg_catalog.promotions_changed_meanwhile()"),
    (f"{TRUE}; {SYSTEM} {EQUAL.replace('public.=', 'pg_catalog.=')}",
     f"{SYSTEM} DROP OPERATOR pg_catalog.= (varchar, text); DROP FUNCTION public.same",
     "operator = (character varying, text)"),
    (f"{LIKE}; {SYSTEM} CREATE OPERATOR pg_catalog.~~ (LEFTARG = varchar, RIGHTARG = text, FUNCTION = public.same)",
     f"{SYSTEM} DROP OPERATOR pg_catalog.~~ (varchar, text); DROP FUNCTION public.same",
     "operator ~~ (character varying, text)"),
    (f"{SLEEPS}; {INTERNAL} WHERE tgname = 'sleeps'",
     f"{NOT_INTERNAL}; DROP TRIGGER sleeps ON {ROUND}; DROP FUNCTION public.sleeps", f"trigger sleeps on {ROUND}"),
    (f"{SLEEPS}; {INTERNAL}, tgconstraint = (SELECT min(oid) FROM pg_constraint) WHERE tgname = 'sleeps'",
     f"{NOT_INTERNAL}; DROP TRIGGER sleeps ON {ROUND}; DROP FUNCTION public.sleeps", f"trigger sleeps on {ROUND}"),
    *((f"{SYSTEM} UPDATE pg_class SET {changed} {OF_VOTES}", f"{SYSTEM} UPDATE pg_class SET {right} {OF_VOTES}",
       f"table {VOTE}")
      for changed, right in (
          ("relhastriggers = false", "relhastriggers = true"),
          ("relhasindex = false", "relhasindex = true"),
          ("relchecks = 0",
           "relchecks = (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = pg_class.oid AND k.contype = 'c')"))),
    (f"DROP INDEX vote_one_live_per_person; CREATE {LIVE} AND false",
     f"DROP INDEX vote_one_live_per_person; CREATE {LIVE}", "index vote_one_live_per_person"),
    (f"{LINKS} CREATE UNIQUE INDEX {EVENTS_LINK} ON audit_auditlink (tenant_id, sequence)",
     f"{LINKS} ALTER TABLE audit_auditlink ADD CONSTRAINT {EVENTS_LINK} UNIQUE NULLS NOT DISTINCT (tenant_id,sequence)",
     f"index {EVENTS_LINK}"),
    *((flag(index, name, False), flag(index, name, True), f"index {index}")
      for index, name in (
          *((f"{VOTE}_pkey", each) for each in ("indisunique", "indisready", "indimmediate", "indisvalid")),
          ("promotion_by_status", "indisready"))),
    (f"{SYSTEM} UPDATE pg_attribute SET attnotnull = true {OF_CLEARING}",
     f"{SYSTEM} UPDATE pg_attribute SET attnotnull = false {OF_CLEARING}", f"column {FREEZE}.cleared_at"),
    (f"{CLEARED} NOT VALID; {SYSTEM} UPDATE pg_constraint SET convalidated = true WHERE conname = 'cleared'",
     f"ALTER TABLE {FREEZE} DROP CONSTRAINT cleared", "rule cleared"),
    (f"{SYSTEM} UPDATE pg_constraint SET convalidated = false WHERE conname = 'vote_as_the_promotion'",
     f"{SYSTEM} UPDATE pg_constraint SET convalidated = true WHERE conname = 'vote_as_the_promotion'",
     "rule vote_as_the_promotion"),
    (f"{NEVER}(anyarray, anyarray) {SAYS_NO}; {SYSTEM} {CONTAINS_BY} 'public.never'::regproc {OF_CONTAINS}",
     f"{SYSTEM} {CONTAINS_BY} 'arraycontains'::regproc {OF_CONTAINS}; DROP FUNCTION public.never",
     "operator @> (anyarray, anyarray)"),
    (f"{SYSTEM} CREATE OR REPLACE FUNCTION pg_catalog.arraycontains(anyarray, anyarray) {SAYS_NO}",
     (f"{SYSTEM} CREATE OR REPLACE FUNCTION pg_catalog.arraycontains(anyarray, anyarray) RETURNS bool"
      " LANGUAGE internal IMMUTABLE STRICT AS 'arraycontains'"), "operator @> (anyarray, anyarray)"),
    (f"{NEVER}(uuid, uuid) RETURNS int LANGUAGE sql AS 'SELECT 1'; {SYSTEM} {COMPARED} 'never'::regproc {OF_UUID}",
     f"{SYSTEM} {COMPARED} 'uuid_cmp'::regproc WHERE amproc = 'never'::regproc; DROP FUNCTION public.never",
     "operator family uuid_ops"),
    (f"{NEVER}(int8) RETURNS int8 LANGUAGE sql AS 'SELECT 0::int8'; {SYSTEM} {COUNTED} 'never'::regproc {OF_COUNT}",
     f"{SYSTEM} {COUNTED} 0::regproc {OF_COUNT}; DROP FUNCTION public.never", "aggregate pg_catalog.count"),
    (f"{SYSTEM} UPDATE pg_language SET lanplcallfoid = 'pg_backend_pid'::regproc WHERE lanname = 'plpgsql'",
     f"{SYSTEM} UPDATE pg_language SET lanplcallfoid = 'plpgsql_call_handler'::regproc WHERE lanname = 'plpgsql'",
     "language plpgsql"),
    (f"{SYSTEM} {OTHER_LANGUAGE} WHERE lanname = 'internal') {OF_REFUSING}",
     f"{SYSTEM} {OTHER_LANGUAGE} WHERE lanname = 'plpgsql') {OF_REFUSING}", "function stellapromote_refuse_change()"),
]  # fmt: skip
CHANGES: list[tuple[str, str, str]] = [
    (f"ALTER TABLE {VOTE} RENAME TO votes; CREATE VIEW public.{VOTE} AS SELECT * FROM votes",
     f"DROP VIEW {VOTE}; ALTER TABLE votes RENAME TO {VOTE}", f"table {VOTE}"),
    (f"ALTER TABLE {VOTE} ENABLE ROW LEVEL SECURITY", f"ALTER TABLE {VOTE} DISABLE ROW LEVEL SECURITY",
     f"table {VOTE}"),
    (f"CREATE RULE never AS ON UPDATE TO {ROUND} DO INSTEAD NOTHING", f"DROP RULE never ON {ROUND}", f"table {ROUND}"),
    (f"CREATE TABLE public.more () INHERITS ({VOTE})", "DROP TABLE public.more", f"table {VOTE}"),
    (f"ALTER TABLE {EVENT} DISABLE TRIGGER USER", f"ALTER TABLE {EVENT} ENABLE TRIGGER USER", f"table {EVENT}"),
    (f"ALTER TABLE {VOTE} DISABLE TRIGGER ALL", f"ALTER TABLE {VOTE} ENABLE TRIGGER ALL", f"table {VOTE}"),
    (SLEEPS, f"DROP TRIGGER sleeps ON {ROUND}; DROP FUNCTION public.sleeps", f"trigger sleeps on {ROUND}"),
    (f"ALTER TRIGGER {EVENT}_append_only ON {EVENT} RENAME TO other",
     f"ALTER TRIGGER other ON {EVENT} RENAME TO {EVENT}_append_only", f"trigger {EVENT}_append_only on {EVENT}"),
    (f"ALTER {FUNCTION} RESET ALL", FIXED, "function promotions_components_of_drafts()"),
    (f"{NOT_EMPTY} DROP NOT NULL", f"{NOT_EMPTY} SET NOT NULL", f"column {VOTE}.comment"),
    (f'{REVIEW} TYPE varchar(200) COLLATE "C"', f'{REVIEW} TYPE varchar(200) COLLATE "default"',
     "column promotions_overridereview.display_name"),
    ("ALTER TABLE promotions_deployment DROP CONSTRAINT deployment_report_once", f"ALTER TABLE {UNIQUE}, status)",
     "rule deployment_report_once"),
    (f"ALTER TABLE promotions_deployment DROP CONSTRAINT deployment_report_once; ALTER TABLE {UNIQUE}, status, url)",
     f"ALTER TABLE promotions_deployment DROP CONSTRAINT deployment_report_once; ALTER TABLE {UNIQUE}, status)",
     "rule deployment_report_once"),
    (f"ALTER TABLE {VOTE} DROP CONSTRAINT {VOTE}_pkey",
     f"ALTER TABLE {VOTE} ADD PRIMARY KEY (id)", f"column {VOTE}.id"),
    (f"ALTER TABLE {VOTE} DROP CONSTRAINT vote_verdict_known",
     f"ALTER TABLE {VOTE} ADD CONSTRAINT vote_verdict_known CHECK (verdict IN ('approve', 'reject'))",
     "rule vote_verdict_known"),
    (f"CREATE DOMAIN public.names AS varchar(63)[]; {NAMES} DROP DEFAULT, ALTER products TYPE public.names",
     f"{NAMES} TYPE varchar(63)[], ALTER products SET DEFAULT '{{}}'; DROP DOMAIN public.names",
     f"column {FREEZE}.products"),
    ("ALTER TABLE accounts_team ALTER name TYPE text", "ALTER TABLE accounts_team ALTER name TYPE varchar(200)",
     "column accounts_team.name"),
    (f"ALTER TABLE {VOTE} ALTER second_factor SET DEFAULT true",
     f"ALTER TABLE {VOTE} ALTER second_factor SET DEFAULT false", f"default {VOTE}.second_factor"),
    (f"ALTER TABLE {LINK} ALTER products DROP DEFAULT", f"ALTER TABLE {LINK} ALTER products SET DEFAULT '{{}}'",
     f"default {LINK}.products"),
    ("ALTER TABLE accounts_heldaccount ALTER confirmed_at SET DEFAULT now()",
     "ALTER TABLE accounts_heldaccount ALTER confirmed_at DROP DEFAULT", "default accounts_heldaccount.confirmed_at"),
    (HELD, ALL_HOLDERS, "rule held_account_by_others"),
    (f"{HELD}; {HOLDERS})", f"{HELD}; {ALL_HOLDERS}", "rule held_account_by_others"),
    ("ALTER TABLE accounts_ownersedit DROP CONSTRAINT owners_edit_as_its_product",
     f"ALTER TABLE {OWNERS} {OF_PRODUCT} DEFERRABLE INITIALLY DEFERRED", "rule owners_edit_as_its_product"),
    (("ALTER TABLE accounts_ownersedit DROP CONSTRAINT owners_edit_as_its_product; "
      f"ALTER TABLE {OWNERS} {OF_PRODUCT} ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"),
     ("ALTER TABLE accounts_ownersedit DROP CONSTRAINT owners_edit_as_its_product; "
      f"ALTER TABLE {OWNERS} {OF_PRODUCT} DEFERRABLE INITIALLY DEFERRED"), "rule owners_edit_as_its_product"),
    (f"CREATE UNIQUE INDEX once ON {VOTE} (promotion_id, at)", "DROP INDEX once", "index once"),
    ("ALTER FUNCTION public.stellapromote_refuse_change() SECURITY DEFINER",
     "ALTER FUNCTION public.stellapromote_refuse_change() SECURITY INVOKER",
     "function stellapromote_refuse_change()"),
    ((f"{NEVER}(varchar[], varchar[]) {IN_C}; "
      f"CREATE OPERATOR public.@> (LEFTARG = varchar[], RIGHTARG = varchar[], {BY})"),
     "DROP OPERATOR public.@> (varchar[], varchar[]); DROP FUNCTION public.never",
     "operator @> (character varying[], character varying[])"),
    (f"{TRUE}; {EQUAL}", "DROP OPERATOR public.= (varchar, text); DROP FUNCTION public.same",
     "operator = (character varying, text)"),
    (("CREATE FUNCTION public.holds(varchar[], varchar[]) RETURNS bool LANGUAGE sql AS 'SELECT false'; CREATE OPERATOR"
     " public.@> (LEFTARG = varchar[], RIGHTARG = varchar[], FUNCTION = public.holds)"),
     "DROP OPERATOR public.@> (varchar[], varchar[]); DROP FUNCTION public.holds",
     "operator @> (character varying[], character varying[])"),
    ("CREATE CAST (jsonb AS bytea) WITH INOUT AS IMPLICIT", "DROP CAST (jsonb AS bytea)", "cast jsonb as bytea"),
    ("CREATE FUNCTION public.sha256(varchar) RETURNS bytea LANGUAGE sql AS 'SELECT NULL::bytea'",
     "DROP FUNCTION public.sha256(varchar)", "function sha256(character varying)"),
    (f"ALTER ROLE {LOGIN} SET session_replication_role = replica",
     f"ALTER ROLE {LOGIN} RESET session_replication_role", "session_replication_role"),
]  # fmt: skip


@contextmanager
def changed(database: CommittedDatabase, change: str, undo: str) -> Iterator[None]:
    with database.as_superuser() as session:
        session.execute(change)  # type: ignore[arg-type]
    connection.close()
    try:
        yield
    finally:
        connection.close()
        with database.as_superuser() as session:
            session.execute(undo)  # type: ignore[arg-type]
        readiness._rules_changed.cache_clear()


def test_nothing_is_found_in_a_database_that_was_migrated(committed_db: CommittedDatabase) -> None:
    assert check_database() == []
    kept = GUARDS.read_text().splitlines()
    _, [rows] = database._read([(database._GUARDS, None)])
    guards = [line for (line,) in rows]
    assert set(guards) <= set(kept), f"a migration changed triggers: make guards.txt say {set(guards) ^ set(kept)}"
    _, [indexes] = database._read([(database._INDEXES, [sorted(database._models())])])
    unique = [database.unique_index(row[6], immediate=row[5]) for row in indexes if row[3]]
    assert sorted(unique) == database.INDEXES.read_text().splitlines(), "a migration changed indexes: see indexes.txt"
    names = sorted(database._models())
    _, [rules] = database._read([(database._RULES, [names, names])])
    made = {line for line, _ in rules} ^ set(database.RULES.read_text().splitlines())
    assert not made, f"a migration changed checks, foreign keys or defaults: make rules.txt say {made}"
    # The tests' database may be a restored dump, which writes what compares rows otherwise.
    assert len(kept) - len(guards) == len([line for line in kept if "promotions_release_stays_final" in line]) - 1 == 1


@pytest.mark.parametrize(
    ("change", "undo", "place"), CHANGES + HIDDEN, ids=[each[0][:100] for each in CHANGES + HIDDEN]
)
def test_a_changed_rule_is_found(committed_db: CommittedDatabase, change: str, undo: str, place: str) -> None:
    with changed(committed_db, change, undo):
        found = check_installation()
        assert place in {each.place for each in found if each.what == "DATABASE_CHANGED"}, found
    assert check_database() == []


ANOTHER_PATH = """
CREATE SCHEMA elsewhere;
CREATE FUNCTION elsewhere.leads() RETURNS event_trigger LANGUAGE plpgsql AS
  'BEGIN PERFORM set_config(''search_path'', ''elsewhere, public, pg_temp'', false); END';
GRANT USAGE ON SCHEMA elsewhere TO PUBLIC;
CREATE EVENT TRIGGER leads ON login EXECUTE FUNCTION elsewhere.leads();
ALTER EVENT TRIGGER leads ENABLE ALWAYS
"""
UNDO_PATH = "DROP EVENT TRIGGER leads; DROP SCHEMA elsewhere CASCADE"


def test_a_trigger_at_login_and_the_path_that_it_sets_are_found(committed_db: CommittedDatabase) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        if int(cursor.fetchone()[0]) < 170000:
            pytest.skip("PostgreSQL has them since version 17.")
    with changed(committed_db, ANOTHER_PATH, UNDO_PATH):
        assert [each.place for each in check_database()] == ["search_path", "event trigger leads"]
    assert check_database() == []


ORDINARY = """
CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm; CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION btree_gist; CREATE EXTENSION intarray; CREATE EXTENSION ltree; CREATE EXTENSION tablefunc;
CREATE FUNCTION public.follows() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE EVENT TRIGGER follows ON ddl_command_end EXECUTE FUNCTION public.follows();
CREATE SCHEMA provider; CREATE TABLE provider.promotions_vote ();
CREATE INDEX of_the_administrator ON promotions_vote (comment)
"""
UNDO_ORDINARY = """
DROP INDEX of_the_administrator; DROP SCHEMA provider CASCADE; DROP EVENT TRIGGER follows;
DROP FUNCTION public.follows; DROP EXTENSION citext, hstore, pg_trgm, pg_stat_statements, btree_gist, intarray, ltree,
tablefunc
"""


def test_what_administrators_and_providers_install_is_no_finding(committed_db: CommittedDatabase) -> None:
    """A type of an extension has functions and operators of names that PostgreSQL has, too."""
    with changed(committed_db, ORDINARY, UNDO_ORDINARY):
        assert check_database() == []


def test_an_operator_that_says_that_every_digest_fits_is_found(kestrel: Kestrel, tamper: Tampering) -> None:
    """It goes before PostgreSQL's own, so the documents of a changed blob fit, and no row tells."""
    tamper.run("UPDATE policies_approvalpolicyversion SET canonical = canonical || ' '::bytea")
    with changed(tamper.database, f"{TRUE}; {EQUAL}", CHANGES[-5][1]):
        assert (3, "POLICY_CHANGED") not in {each[:2] for each in found_in(kestrel)}
        assert [each.place for each in check_database()] == [CHANGES[-5][2]]


def test_readiness_says_that_the_rules_were_changed(committed_db: CommittedDatabase) -> None:
    readiness._rules_changed.cache_clear()
    [sound] = [part for part in readiness.check_readiness() if part.name == "evidence"]
    readiness._rules_changed.cache_clear()
    with changed(committed_db, CHANGES[1][0], CHANGES[1][1]):
        [part] = [part for part in readiness.check_readiness() if part.name == "evidence"]
    assert (sound.degraded, part.degraded, part.ok) == (False, True, True)
    assert "manage.py verify_evidence" in part.message
