"""A superuser who changes, adds or removes a row of settings, rights or accounts is found (docs/adr/0224)."""

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg.types.json import Jsonb

from environments.actions.update_environment import update_environment
from promotions.actions.change_sign_in_settings import change_sign_in_settings
from promotions.actions.delete_environment import delete_environment
from promotions.actions.products import update_product
from promotions.actions.record_rows import record_rows
from promotions.actions.webhooks import add_webhook
from promotions.models import EvidenceFinding, ProcessHeartbeat
from promotions.models.worker import SILENT
from promotions.verification import rows
from promotions.verification.rows import recorded_from
from promotions.worker.heartbeats import beat
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import ImageRepository, Product, RoleGrant, User
from stellapromote.audit.models import AuditEvent
from stellapromote.audit.sealer import seal_chain
from stellapromote.clock import FixedClock, rfc3339
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.accept_invitation import accept_with_new_account
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.invite import invite
from stellapromote.ids import new_id
from stellapromote.recorded_rows import ROWS, SCHEMA, RecordedRow, name_of, recorded_columns, recorded_models
from tests.factories import PASSWORD, make_environment, make_freeze, make_service, make_tenant, make_token
from tests.kept import kept
from tests.promotions.kestrel import Kestrel
from tests.promotions.tampering import Tampering
from tests.promotions.verification.story import READ_FOR_ROWS, make_story, rows_found
from tests.proposals import confirmed

pytestmark = pytest.mark.slow

MODELS = [*recorded_models(None), *recorded_models(new_id())]
OTHER = {
    "boolean": "NOT coalesce({0}, false)",
    "uuid": "gen_random_uuid()",
    "uuid[]": "ARRAY[gen_random_uuid()]",
    "character varying": "'x'",
    "character varying[]": "'{{x}}'",
    "text": "'x'",
    "integer": "coalesce({0}, 0) + 1",
    "smallint": "{0} + 1",
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 day'",
    "bytea": "'x'",
    "jsonb": """'{{"x": 1}}'""",
}
NOT_RECORDED = {
    "environments.Calendar": "when something was written last: nothing is decided before",
    "policies.ApprovalPolicyVersion": "its columns are compared with its event",
    "policies.PromotionPolicyVersion": "its columns are compared with its event",
    "accounts.Tenant": "its row is compared with the event of its creation",
    "identity.Message": "what the worker sends; a link is made when it is sent",
    "accounts.EndedSession": "takes a right from a session, which is not recorded",
    "identity.PersonSession": "who is signed in: its text is sealed with a secret that is not in the database",
    "identity.SignInThrottle": "counts attempts",
}
"""Models of settings and accounts whose rows are not recorded, with the reason."""


@kept
def make_rows() -> Kestrel:
    """The story with a row of each kind; all rows are recorded."""
    kestrel = make_story()
    service = make_service(kestrel.tenant, User.objects.get(username="second"), clock=kestrel.clock)
    make_token(kestrel.tenant, service.user, clock=kestrel.clock)
    by, clock, start = kestrel["admin"], kestrel.clock, kestrel.clock.now()
    make_freeze(by, kestrel.staging, *(rfc3339(start + timedelta(days=days)) for days in (1, 2)), clock=clock)
    old = make_environment(by, "old", 9, protected=True, clock=clock)
    confirmed(delete_environment(by=by, clock=clock, environment_id=old.pk), clock)
    update_product(by=by, clock=clock, slug="main", changes={"owner_teams": ["security"]})
    update_environment(by=by, clock=clock, environment_id=kestrel.production.pk, changes={"approval_policies": []})
    made = invite(by=by, clock=clock, username="invited", roles=["operator"])
    assert made.link is not None
    nobody = Actor("system", None, "", "Nobody signed in", None, "")
    accept_with_new_account(by=nobody, clock=clock, secret=made.link.rsplit("/", 1)[1], password=PASSWORD)
    change_sign_in_settings(by=by, clock=clock, require_second_factor=True)
    add_webhook(by=by, clock=clock, url="https://hooks.example.org/")
    record_rows(by=command_actor(), clock=kestrel.clock)
    return kestrel


@pytest.fixture
def kestrel(committed_db: Any) -> Kestrel:
    return make_rows()


def found(kestrel: Kestrel) -> list[str]:
    return rows_found(None) + rows_found(kestrel.tenant.pk)


def found_of(kestrel: Kestrel, model: type[RecordedRow]) -> list[str]:
    """The rows of this kind alone."""
    return [*changed_of(kestrel, model), *gone_with(kestrel, model)]


def changed_of(kestrel: Kestrel, model: type[RecordedRow]) -> list[str]:
    tenant = None if model.TENANT_PATH is None else kestrel.tenant.pk
    return rows_found(tenant, [f"rows: {model._meta.verbose_name}"])


def gone_with(kestrel: Kestrel, model: type[RecordedRow]) -> list[str]:
    """The rows that are gone from the tenant, or from the accounts."""
    return (
        rows_found(None, ["rows: accounts gone"])
        if model.TENANT_PATH is None
        else rows_found(kestrel.tenant.pk, ["rows: gone"])
    )


def is_found(kestrel: Kestrel, model: type[RecordedRow], name: str) -> bool:
    """What is gone is read alone where the row is not found changed: it is of another tenant now."""
    return name in names(changed_of(kestrel, model)) or name in names(gone_with(kestrel, model))


def names(told: list[str]) -> set[str]:
    return {each.partition(":")[0] for each in told}


@contextmanager
def without_checks(tamper: Tampering, table: str) -> Iterator[Callable[..., Any]]:
    """Runs statements as a superuser with the triggers off, and the checks of the table away meanwhile."""
    of_table = "FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass"
    with tamper.database.as_superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        checks = connection.execute(f"SELECT conname, pg_get_constraintdef(oid) {of_table}", [table]).fetchall()
        for name, _ in checks:
            connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")  # type: ignore[arg-type]
        yield connection.execute
        for name, condition in checks:
            connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {condition}")  # type: ignore[arg-type]


def first_of(model: type[RecordedRow]) -> tuple[str, str]:
    """Id and name of a row."""
    row = model._default_manager.order_by("pk").first()
    assert row is not None
    return str(row.pk), name_of(model, row.pk)


def test_nothing_is_found_where_nothing_was_changed(kestrel: Kestrel) -> None:
    assert found(kestrel) == []
    assert {model._meta.label for model in MODELS if not model._default_manager.exists()} == set()


def test_no_other_table_is_read_than_these_and_the_audit_log(kestrel: Kestrel) -> None:
    """So a change of evidence changes nothing of what is found of settings: tests of one leave the other out."""
    with CaptureQueriesContext(connection) as read:
        rows_found(kestrel.tenant.pk)
    statements = " ".join(each["sql"] for each in read)
    tables = {each for each in connection.introspection.table_names() if re.search(rf"\b{each}\b", statements)}
    assert tables == READ_FOR_ROWS


def test_each_column_that_is_changed_alone_is_found(kestrel: Kestrel, tamper: Tampering) -> None:
    for model in MODELS:
        table, (pk, name) = model._meta.db_table, first_of(model)
        columns = [field.column for field in model._meta.concrete_fields if field.attname in recorded_columns(model)]
        with without_checks(tamper, table) as run:
            [stored] = run(f"SELECT to_jsonb(t) FROM {table} t WHERE id = %s", [pk]).fetchone()
            of_table = "FROM pg_attribute WHERE attrelid = %s::regclass"
            types = dict(run(f"SELECT attname, format_type(atttypid, NULL) {of_table}", [table]))
            for column in columns:
                run(f"UPDATE {table} SET {column} = {OTHER[types[column]].format(column)} WHERE id = %s", [pk])
                assert (column, name, is_found(kestrel, model, name)) == (column, name, True)
                others = f"to_jsonb({table}) - %s = %s::jsonb - %s"
                run(f"DELETE FROM {table} WHERE {others}", [column, Jsonb(stored), column])
                run(f"INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, %s)).*", [Jsonb(stored)])
    assert found(kestrel) == []


def test_a_row_that_is_gone_or_was_added_is_found(kestrel: Kestrel, tamper: Tampering) -> None:
    """One was added under the lowest id there is."""
    lowest = str(UUID(int=0))
    for model in MODELS:
        table, (pk, name) = model._meta.db_table, first_of(model)
        tamper.run(f"UPDATE {table} SET id = %s WHERE id = %s", [lowest, pk])
        missing = {
            f"{name}: The audit log tells of it, and it is gone.",
            f"{name_of(model, lowest)}: No event of the audit log tells of it: nobody made it here.",
        } - set(found_of(kestrel, model))
        assert missing == set()
        tamper.run(f"UPDATE {table} SET id = %s WHERE id = %s", [pk, lowest])
    assert found(kestrel) == []


def test_a_change_that_the_product_went_on_from_is_found(kestrel: Kestrel, tamper: Tampering) -> None:
    """A right that was given back beside the product is found, also after the product ended it again."""
    by, member = kestrel["admin"], kestrel["second"].account
    grant = grant_role(by=by, clock=kestrel.clock, user_id=member, role="viewer")
    end_role(by=by, clock=kestrel.clock, user_id=member, role="viewer")
    seal_chain(kestrel.tenant.pk)
    tamper.run("UPDATE accounts_rolegrant SET ended_at = NULL, ended_by_id = NULL WHERE id = %s", [grant.pk])
    end_role(by=by, clock=kestrel.clock, user_id=member, role="viewer")
    [told] = found(kestrel)
    assert told.startswith(f"role grant {grant.pk}: Before its change at ")


def test_a_row_that_was_moved_to_another_tenant_is_found_in_both(kestrel: Kestrel, tamper: Tampering) -> None:
    other = make_tenant("other")
    grant = RoleGrant.objects.get(user__username="auditor")
    tamper.run("UPDATE accounts_rolegrant SET tenant_id = %s WHERE id = %s", [other.pk, grant.pk])
    assert names(rows_found(kestrel.tenant.pk)) == names(rows_found(other.pk)) == {f"role grant {grant.pk}"}


def test_rows_of_an_earlier_version_are_compared_from_their_record_on(kestrel: Kestrel, tamper: Tampering) -> None:
    """No false finding in what an earlier version wrote, and none of what it did not record."""
    tamper.run("UPDATE audit_auditevent SET metadata = metadata - 'rows' - 'rowsFrom'")
    tamper.run("UPDATE accounts_user SET username = 'mallory' WHERE username = 'third'")
    assert found(kestrel) == []
    for by in (command_actor(), command_actor(kestrel.tenant)):
        record_rows(by=by, clock=kestrel.clock)
    assert found(kestrel) == []
    tamper.run("UPDATE accounts_user SET username = 'third' WHERE username = 'mallory'")
    tamper.run("UPDATE accounts_rolegrant SET role = 'admin' WHERE role = 'viewer'")
    assert len(found(kestrel)) == 2


def test_rows_that_a_migration_made_are_recorded_alone(kestrel: Kestrel, tamper: Tampering) -> None:
    """What was changed before the upgrade stays a finding: only the new kind of rows is recorded."""
    before_owners = "action LIKE %s AND action <> 'product.updated'"
    tamper.run(f"UPDATE audit_auditevent SET metadata = metadata - 'rows' WHERE {before_owners}", ["product.%"])
    tamper.run(
        "UPDATE audit_auditevent SET metadata = jsonb_set(metadata, '{rowsFrom}', %s) WHERE metadata ? 'rowsFrom'",
        [Jsonb(SCHEMA)],
    )
    grant = RoleGrant.objects.get(user__username="auditor")
    tamper.run("UPDATE accounts_rolegrant SET role = 'admin' WHERE id = %s", [grant.pk])
    of_grant = {f"role grant {grant.pk}"}
    assert names(found(kestrel)) == of_grant
    record_rows(by=command_actor(kestrel.tenant), clock=DATABASE_CLOCK)
    assert names(found(kestrel)) == of_grant
    recorded = AuditEvent.objects.get(action="rows.recorded", tenant=kestrel.tenant)
    made = [*Product.objects.filter(tenant=kestrel.tenant), *ImageRepository.objects.filter(tenant=kestrel.tenant)]
    assert set(recorded.metadata[ROWS]) == {name_of(type(each), each.pk) for each in made}
    tamper.run("UPDATE accounts_product SET display_name = 'Other'")
    tamper.run("UPDATE accounts_imagerepository SET name = 'registry.evil/app'")
    assert names(found(kestrel)) == of_grant | set(recorded.metadata[ROWS])
    record_rows(by=command_actor(kestrel.tenant), clock=DATABASE_CLOCK)
    assert AuditEvent.objects.filter(action="rows.recorded", tenant=kestrel.tenant).count() == 1


def test_rows_are_recorded_once_every_process_records_what_it_changes(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run("UPDATE audit_auditevent SET metadata = metadata - 'rows' - 'rowsFrom'")
    by, clock = command_actor(), kestrel.clock
    beat("new", ProcessHeartbeat.Role.WORKER, clock.now())
    old = ProcessHeartbeat.objects.create(name="old", role=ProcessHeartbeat.Role.WEB, at=clock.now())
    record_rows(by=by, clock=clock)
    assert not recorded_from(None)
    ProcessHeartbeat.objects.filter(pk=old.pk).update(at=clock.now() - SILENT)
    record_rows(by=by, clock=clock)
    assert recorded_from(None)


def test_a_report_dated_ahead_does_not_put_the_recording_off(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run("UPDATE audit_auditevent SET metadata = metadata - 'rows' - 'rowsFrom'")
    ProcessHeartbeat.objects.create(name="old", role="web", at=kestrel.clock.now() + timedelta(days=365))
    record_rows(by=command_actor(), clock=kestrel.clock)
    assert recorded_from(None)


def test_a_change_that_was_under_way_when_all_rows_were_recorded_is_no_finding(
    kestrel: Kestrel, tamper: Tampering
) -> None:
    """It began before, and was committed after: the record has the row as it was."""
    tamper.run("UPDATE audit_auditevent SET metadata = metadata - 'rows' - 'rowsFrom'")
    clock, by = kestrel.clock, kestrel["admin"]
    record_rows(by=command_actor(kestrel.tenant), clock=FixedClock(clock.now() + timedelta(seconds=1)))
    end_role(by=by, clock=clock, user_id=kestrel["viewer"].account, role="viewer")
    grant_role(by=by, clock=clock, user_id=kestrel["viewer"].account, role="auditor")
    assert rows_found(kestrel.tenant.pk) == []
    grant_role(by=by, clock=DATABASE_CLOCK, user_id=kestrel["viewer"].account, role="viewer")
    seal_chain(kestrel.tenant.pk)
    assert rows_found(kestrel.tenant.pk) == []


def test_a_row_that_an_action_changes_while_it_is_compared_is_no_finding(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row was read, then its change and the event of it were committed."""
    seal_chain(kestrel.tenant.pk)
    read, calls = rows._states, count()

    def late(tenant_id: UUID | None, names: Collection[str]) -> Any:
        if next(calls) == 0:
            end_role(by=kestrel["admin"], clock=kestrel.clock, user_id=kestrel["viewer"].account, role="viewer")
        return read(tenant_id, names)

    monkeypatch.setattr(rows, "_states", late)
    assert rows_found(kestrel.tenant.pk, ["rows: role grant"]) == []
    assert next(calls) == 2


def test_the_command_notes_each_finding_for_its_tenant_or_the_installation(
    kestrel: Kestrel, tamper: Tampering, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper.run("UPDATE accounts_user SET username = 'mallory' WHERE username = 'third'")
    tamper.run("UPDATE accounts_rolegrant SET role = 'admin' WHERE role = 'viewer'")
    with pytest.raises(Exception, match="Stored rows differ"):
        call_command("verify_evidence")
    noted = EvidenceFinding.objects.filter(what="SETTING_CHANGED")
    assert {(row.tenant_id, row.place.rpartition(" ")[0]) for row in noted} == {
        (None, "user"),
        (kestrel.tenant.pk, "role grant"),
    }
    tamper.run("UPDATE accounts_user SET username = 'third' WHERE username = 'mallory'")
    tamper.run(
        "UPDATE accounts_rolegrant SET role = 'viewer' WHERE id = %s",
        [noted.get(tenant=kestrel.tenant).place.removeprefix("role grant ")],
    )
    call_command("verify_evidence")
    assert not EvidenceFinding.objects.filter(gone_at=None).exists()


def test_each_model_of_settings_and_accounts_is_recorded_or_has_a_reason() -> None:
    models = {
        model._meta.label: model
        for app in ("accounts", "identity", "environments", "policies")
        for model in apps.get_app_config(app).get_models()
    }
    recorded = {label for label, model in models.items() if issubclass(model, RecordedRow)}
    assert models.keys() - recorded == NOT_RECORDED.keys()
    assert len({model._meta.verbose_name for model in MODELS}) == len(MODELS)
    for model in MODELS:
        assert set(model.NOT_RECORDED) <= {field.name for field in model._meta.concrete_fields}


def test_no_event_of_a_vote_has_rows(kestrel: Kestrel) -> None:
    """Voting records no settings."""
    assert not AuditEvent.objects.filter(metadata__has_key=ROWS, promotion_id__isnull=False).exists()


def test_a_row_that_has_a_name_is_called_by_it(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run("UPDATE environments_environment SET required_approvals = 7 WHERE name = 'staging'")
    [told] = found(kestrel)
    assert told.endswith(": staging is not what the audit log tells of it.")
