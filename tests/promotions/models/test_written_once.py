"""What the database refuses by itself, the owner included: changes of reports, keys, components (domain.md §3, §8)."""

import threading
import time
from contextlib import AbstractContextManager
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from promotions.actions.releases import finalize_release
from promotions.models import PublicSigningKey, Release
from tests.database import CommittedDatabase
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
]


def connect(database: CommittedDatabase, role: str) -> AbstractContextManager[psycopg.Connection[Any]]:
    return database.as_app() if role == "app" else database.as_owner()


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
