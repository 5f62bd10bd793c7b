"""What the database refuses by itself, the owner included: changes of what was asked, stated, reported, signed with."""

import threading
import time
from contextlib import AbstractContextManager
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from environments.actions.update_environment import update_environment
from promotions.actions.approve import approve
from promotions.actions.confirm import confirm, unconfirm
from promotions.actions.releases import finalize_release
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import Confirmation, Promotion, PublicSigningKey, Release, Vote
from promotions.models.promotion import MUTABLE
from tests.database import CommittedDatabase
from tests.factories import make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel

OTHER = "sha256:" + "f" * 64

WRITTEN_ONCE = [
    "UPDATE promotions_deployment SET message = 'It went well'",
    "DELETE FROM promotions_deployment",
    "TRUNCATE promotions_deployment CASCADE",
    "UPDATE promotions_installation SET installation_id = gen_random_uuid()",
    "DELETE FROM promotions_installation",
    "TRUNCATE promotions_installation CASCADE",
    "UPDATE promotions_publicsigningkey SET pem = 'another key'",
    "UPDATE promotions_publicsigningkey SET retired_at = now(), activated_at = now()",
    "UPDATE promotions_publicsigningkey SET retired_at = NULL",
    "DELETE FROM promotions_publicsigningkey",
    "TRUNCATE promotions_publicsigningkey CASCADE",
    f"UPDATE promotions_component SET digest = '{OTHER}'",
    "UPDATE promotions_component SET release_id = (SELECT id FROM promotions_release WHERE status = 'draft')",
    "DELETE FROM promotions_component",
    "TRUNCATE promotions_component CASCADE",
    """INSERT INTO promotions_component
       SELECT gen_random_uuid(), name || '-2', image_repository, digest, tag, semver, role, release_id
       FROM promotions_component""",
    f"UPDATE promotions_release SET manifest_digest = '{OTHER}' WHERE status = 'finalized'",
    "UPDATE promotions_release SET source_ref = '{}' WHERE status = 'finalized'",
    "UPDATE promotions_release SET contributors = '{}' WHERE status = 'finalized'",
    """UPDATE promotions_release SET status = 'draft', finalized_at = NULL, manifest_digest = NULL
       WHERE status = 'finalized'""",
    "UPDATE promotions_promotion SET requirements = '{}'",
    "UPDATE promotions_promotion SET excluded_persons = '{}', status = 'approved'",
    "UPDATE promotions_promotion SET requested_by_id = (SELECT id FROM accounts_user LIMIT 1)",
    "UPDATE promotions_promotion SET manifest_digest = manifest_digest",
    "DELETE FROM promotions_promotion",
    "TRUNCATE promotions_promotion CASCADE",
    "UPDATE promotions_vote SET verdict = 'approve'",
    "UPDATE promotions_vote SET subject_digest = subject_digest, ended_at = now(), ended_as = 'void'",
    "UPDATE promotions_vote SET ended_at = NULL, ended_as = '' WHERE ended_at IS NOT NULL",
    "UPDATE promotions_vote SET ended_reason = 'SUBJECT_CHANGED' WHERE ended_at IS NULL",
    "DELETE FROM promotions_vote",
    "TRUNCATE promotions_vote CASCADE",
    "UPDATE promotions_confirmation SET gate = 'another'",
    "UPDATE promotions_confirmation SET ended_at = NULL, ended_as = '' WHERE ended_at IS NOT NULL",
    "DELETE FROM promotions_confirmation",
    "TRUNCATE promotions_confirmation CASCADE",
]


def connect(database: CommittedDatabase, role: str) -> AbstractContextManager[psycopg.Connection[Any]]:
    return database.as_app() if role == "app" else database.as_owner()


def votes_and_confirmations(kestrel: Kestrel) -> None:
    """A live vote and a live confirmation of one approver, and of each one that was taken back."""
    backup = {"confirmers": {"teams": ["release"]}, "text": "Backup checked"}
    make_promotion_policy(
        kestrel["admin"], "backed", clock=kestrel.clock, gates=[{"name": "backup", "kind": "manual", "config": backup}]
    )
    changes = {"promotion_policy": "backed", "required_approvals": 2}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    for _ in range(2):
        approve(promotion.pk, by=kestrel["approver"], clock=kestrel.clock)
        withdraw_approval(promotion.pk, by=kestrel["approver"], clock=kestrel.clock)
        confirm(promotion.pk, "backup", by=kestrel["approver"], clock=kestrel.clock)
        unconfirm(promotion.pk, "backup", by=kestrel["approver"], clock=kestrel.clock)
    approve(promotion.pk, by=kestrel["approver"], clock=kestrel.clock)
    confirm(promotion.pk, "backup", by=kestrel["approver"], clock=kestrel.clock)


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    kestrel = make_kestrel()
    kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    return kestrel


@pytest.mark.parametrize("role", ["app", "owner"])
def test_what_is_written_once_is_neither_changed_nor_removed(
    committed_db: CommittedDatabase, kestrel: Kestrel, role: str
) -> None:
    kestrel.release(finalize=False, components=[])
    votes_and_confirmations(kestrel)
    with connect(committed_db, role) as connection:
        for statement in WRITTEN_ONCE:
            with pytest.raises(InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO promotions_publicsigningkey VALUES ('sha256:mine', 'a key of mine', now(), NULL)",
        "UPDATE promotions_publicsigningkey SET retired_at = now()",
    ],
)
def test_web_and_worker_neither_register_nor_retire_a_key(committed_db: CommittedDatabase, statement: str) -> None:
    with committed_db.as_app() as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement)  # type: ignore[call-overload]


@pytest.mark.parametrize("role", ["app", "owner"])
@pytest.mark.parametrize("table", ["promotions_vote", "promotions_confirmation"])
def test_a_vote_and_a_confirmation_end_once(
    committed_db: CommittedDatabase, kestrel: Kestrel, role: str, table: str
) -> None:
    votes_and_confirmations(kestrel)
    end = f"UPDATE {table} SET ended_at = now(), ended_as = 'void' WHERE ended_at IS %s"
    with connect(committed_db, role) as connection:
        assert connection.execute(end % "NULL").rowcount == 1  # type: ignore[arg-type]
        with pytest.raises(InsufficientPrivilege):
            connection.execute(end % "NOT NULL")  # type: ignore[arg-type]


def test_every_column_is_one_that_changes_or_one_that_stays(committed_db: CommittedDatabase) -> None:
    changing = {
        "promotions_promotion": {Promotion._meta.get_field(name).column for name in MUTABLE},
        "promotions_vote": {"ended_at", "ended_as", "ended_reason"},
        "promotions_confirmation": {"ended_at", "ended_as", "ended_reason"},
    }
    watched = """SELECT t.tgrelid::regclass::text, a.attname FROM pg_trigger t
        JOIN pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr)
        WHERE t.tgname = t.tgrelid::regclass::text || '_keeps'"""
    with committed_db.as_owner() as connection:
        kept = connection.execute(watched).fetchall()
    for model in (Promotion, Vote, Confirmation):
        table = model._meta.db_table
        columns = {field.column for field in model._meta.concrete_fields}
        assert {column for each, column in kept if each == table} == columns - changing[table]


def test_a_key_retires_once(committed_db: CommittedDatabase) -> None:
    with committed_db.as_owner() as connection:
        connection.execute("UPDATE promotions_publicsigningkey SET retired_at = now()")
        with pytest.raises(InsufficientPrivilege):
            connection.execute("UPDATE promotions_publicsigningkey SET retired_at = now() + interval '1 day'")
    assert PublicSigningKey.objects.get().retired_at is not None


@pytest.mark.parametrize("role", ["app", "owner"])
def test_components_of_a_draft_change(committed_db: CommittedDatabase, kestrel: Kestrel, role: str) -> None:
    draft = kestrel.release(finalize=False)
    with connect(committed_db, role) as connection:
        connection.execute("UPDATE promotions_component SET digest = %s WHERE release_id = %s", [OTHER, draft.pk])
        changed = connection.execute("DELETE FROM promotions_component WHERE release_id = %s", [draft.pk])
    assert changed.rowcount == 1


def test_a_component_does_not_slip_in_while_the_release_is_finalized(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    draft = kestrel.release(finalize=False)
    add = (
        "INSERT INTO promotions_component SELECT gen_random_uuid(), 'late', image_repository, digest, tag, semver,"
        " role, release_id FROM promotions_component WHERE release_id = %s"
    )
    began = threading.Event()

    def finalize() -> None:
        with committed_db.as_app() as connection, connection.transaction():
            connection.execute("SELECT 1 FROM promotions_release WHERE id = %s FOR UPDATE", [draft.pk])
            began.set()
            time.sleep(1)
            connection.execute(
                "UPDATE promotions_release SET status = 'finalized', finalized_at = now(), manifest_digest = %s"
                " WHERE id = %s",
                [OTHER, draft.pk],
            )

    def slip_in() -> None:
        began.wait(timeout=20)
        with committed_db.as_app() as connection:
            connection.execute(add, [draft.pk])

    finalized, slipped = committed_db.at_once(finalize, slip_in)
    assert finalized is None
    assert isinstance(slipped, InsufficientPrivilege)
    assert Release.objects.get(pk=draft.pk).components.count() == 1


def test_a_release_is_finalized_deprecated_and_archived_by_its_actions(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    draft = kestrel.release(finalize=False)
    assert finalize_release(draft.pk, by=kestrel["builder"], clock=kestrel.clock).status == "finalized"
