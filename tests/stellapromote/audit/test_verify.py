import pytest

from stellapromote.accounts.actor import Actor, system_actor
from stellapromote.audit import verify
from stellapromote.audit.chain import Break, event_hash
from stellapromote.audit.models import AuditEvent, AuditLink
from stellapromote.audit.recording import Entry, record_many
from stellapromote.audit.sealer import seal_chain
from stellapromote.audit.verify import verify_tenant
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.ids import new_id
from tests.database import CommittedDatabase
from tests.stellapromote.audit.chains import make_chain

LENGTH = 9


@pytest.fixture
def chain(committed_db: CommittedDatabase) -> Actor:
    """A chain of nine sealed events, the first of which tells of the tenant's creation."""
    tenant = make_chain()
    by = Actor("system", None, "root", "root", tenant.id, tenant.slug, address="192.0.2.1")
    for number in range(1, LENGTH):
        now = DATABASE_CLOCK.now()
        record_many([Entry(by=by, at=now, action="a.b", resource="r", before={"n": number}, after={"n": number + 1})])
    seal_chain(tenant.id)
    return by


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of four: a chain of nine takes three of them."""
    monkeypatch.setattr(verify, "PAGE", 4)


class Tampering:
    """Hands that the database's own guards do not stop."""

    def __init__(self, database: CommittedDatabase, by: Actor) -> None:
        self.database, self.by = database, by

    def run(self, statement: str, sequence: int = 5) -> None:
        event = (
            f"(SELECT event_id FROM audit_auditlink WHERE sequence = {sequence} AND tenant_id = '{self.by.tenant_id}')"
        )
        with self.database.as_superuser() as connection, connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute(statement.replace("{event}", event))  # type: ignore[arg-type]


@pytest.fixture
def tamper(committed_db: CommittedDatabase, chain: Actor) -> Tampering:
    return Tampering(committed_db, chain)


def found(by: Actor) -> tuple[int, Break] | None:
    broken = verify_tenant(by.tenant_id).broken
    return None if broken is None else (broken.sequence, broken.reason)


def test_a_sound_chain_is_intact_to_its_head(chain: Actor) -> None:
    result = verify_tenant(chain.tenant_id)
    head = AuditLink.objects.get(tenant_id=chain.tenant_id, sequence=LENGTH)
    assert (result.intact, result.checked) == (True, LENGTH)
    assert result.head_hash == f"sha256:{bytes(head.event_hash).hex()}"


def test_an_empty_chain_is_intact(chain: Actor) -> None:
    result = verify_tenant(new_id())
    assert (result.intact, result.checked, result.head_hash) == (True, 0, None)


def test_what_is_not_sealed_yet_is_sealed_first(chain: Actor) -> None:
    record_many([Entry(by=chain, at=DATABASE_CLOCK.now(), action="a.b", resource="r")])
    assert verify_tenant(chain.tenant_id).checked == LENGTH + 1


def test_progress_is_told_after_every_page(chain: Actor) -> None:
    heard: list[int] = []
    verify_tenant(chain.tenant_id, heard.append)
    assert heard == [4, 8, 9]


@pytest.mark.parametrize(
    "change",
    [
        "timestamp = timestamp + interval '1 second'",
        "timestamp = timestamp + interval '1 microsecond'",
        "tenant_id = NULL",
        "actor_type = 'user'",
        "actor_id = gen_random_uuid()",
        "actor_name = 'somebody else'",
        "actor_ip = '192.0.2.9'",
        "actor_ip = NULL",
        "action = 'a.c'",
        "resource = 's'",
        "resource_id = 'x'",
        "environment_id = gen_random_uuid()",
        "release_id = gen_random_uuid()",
        "promotion_id = gen_random_uuid()",
        "before = '{\"n\": 0}'",
        "after = NULL",
        "after = '{\"n\": 9007199254740993}'",
        "metadata = metadata || '{\"x\": 1}'",
        "request_id = 'x'",
        "salt = decode(repeat('00', 64), 'hex')",
        "event_digest = decode(repeat('00', 32), 'hex')",
    ],
)
def test_any_changed_column_of_an_event_is_found(chain: Actor, tamper: Tampering, change: str) -> None:
    tamper.run(f"UPDATE audit_auditevent SET {change} WHERE id = {{event}}")
    assert found(chain) == (5, Break.DIGEST_MISMATCH)


def test_every_column_of_an_event_is_verified() -> None:
    assert set(verify._COLUMNS) == {field.column for field in AuditEvent._meta.concrete_fields}


def test_a_changed_hash_is_found(chain: Actor, tamper: Tampering) -> None:
    tamper.run("UPDATE audit_auditlink SET event_hash = previous_event_hash WHERE event_id = {event}")
    assert found(chain) == (5, Break.HASH_MISMATCH)


def test_a_link_that_follows_another_hash_is_found(chain: Actor, tamper: Tampering) -> None:
    tamper.run("UPDATE audit_auditlink SET previous_event_hash = event_hash WHERE event_id = {event}")
    assert found(chain) == (5, Break.LINK_MISMATCH)


def test_a_removed_link_is_a_gap(chain: Actor, tamper: Tampering) -> None:
    tamper.run("DELETE FROM audit_auditlink WHERE event_id = {event}")
    assert found(chain) == (5, Break.GAP)


def test_a_removed_event_is_missing(chain: Actor, tamper: Tampering) -> None:
    tamper.run("DELETE FROM audit_auditevent WHERE id = {event}")
    assert found(chain) == (5, Break.MISSING_EVENT)


def test_a_removed_last_link_is_found_by_its_event(chain: Actor, tamper: Tampering) -> None:
    tamper.run("DELETE FROM audit_auditlink WHERE event_id = {event}", sequence=LENGTH)
    assert found(chain) == (LENGTH, Break.MISSING_LINK)


def test_an_event_kept_from_the_sealer_is_found(chain: Actor, tamper: Tampering) -> None:
    record_many([Entry(by=chain, at=DATABASE_CLOCK.now(), action="a.b", resource="r")])
    tamper.run("DELETE FROM audit_auditpending")
    assert found(chain) == (LENGTH + 1, Break.MISSING_LINK)


@pytest.mark.parametrize("change", ["sequence = -9", "tenant_id = gen_random_uuid()"])
def test_an_event_whose_link_no_walk_meets_is_found(chain: Actor, tamper: Tampering, change: str) -> None:
    """A superuser drops the rule that numbers are positive, and the one that there is such a tenant."""
    with tamper.database.as_superuser() as session:
        session.execute("ALTER TABLE audit_auditlink DROP CONSTRAINT audit_link_sequence_positive")
    try:
        tamper.run(f"UPDATE audit_auditlink SET {change} WHERE event_id = {{event}}", sequence=LENGTH)
        assert found(chain) == (LENGTH, Break.MISSING_LINK)
    finally:
        tamper.run("UPDATE audit_auditlink SET sequence = 9 WHERE sequence = -9")
        with tamper.database.as_superuser() as session:
            session.execute(
                "ALTER TABLE audit_auditlink ADD CONSTRAINT audit_link_sequence_positive CHECK (sequence >= 1)"
            )


@pytest.mark.parametrize(
    "change",
    ["timestamp = 'infinity'", "timestamp = '-infinity'", "metadata = '{\"n\": 1e400}'", "after = '{\"n\": 1e17}'"],
)
def test_an_event_that_cannot_be_read_was_changed(chain: Actor, tamper: Tampering, change: str) -> None:
    tamper.run(f"UPDATE audit_auditevent SET {change} WHERE id = {{event}}")
    assert found(chain) == (5, Break.DIGEST_MISMATCH)


def test_two_swapped_links_are_found(chain: Actor, tamper: Tampering) -> None:
    tamper.run("UPDATE audit_auditlink SET sequence = 111 - sequence WHERE sequence IN (5, 6)")
    tamper.run("UPDATE audit_auditlink SET sequence = sequence - 100 WHERE sequence > 100")
    assert found(chain) == (5, Break.LINK_MISMATCH)


@pytest.mark.parametrize("sequence", [3, 4, 5])
def test_a_fork_is_found_inside_a_page_and_between_two(
    chain: Actor, tamper: Tampering, committed_db: CommittedDatabase, sequence: int
) -> None:
    with committed_db.as_superuser() as connection:
        connection.execute("ALTER TABLE audit_auditlink DROP CONSTRAINT audit_link_sequence_unique")
        try:
            tamper.run(
                "INSERT INTO audit_auditlink (event_id, tenant_id, sequence, previous_event_hash, event_hash)"
                " SELECT gen_random_uuid(), tenant_id, sequence, previous_event_hash, event_hash"
                " FROM audit_auditlink WHERE event_id = {event}",
                sequence,
            )
            broken = found(chain)
            tamper.run("DELETE FROM audit_auditlink WHERE event_id NOT IN (SELECT id FROM audit_auditevent)")
        finally:
            connection.execute(
                "ALTER TABLE audit_auditlink ADD CONSTRAINT audit_link_sequence_unique"
                " UNIQUE NULLS NOT DISTINCT (tenant_id, sequence)"
            )
    assert broken is not None
    assert broken[0] == sequence


def test_an_event_moved_into_another_tenants_chain_is_found(chain: Actor, tamper: Tampering) -> None:
    other = make_chain()
    tamper.run(f"UPDATE audit_auditevent SET tenant_id = '{other.id}' WHERE id = {{event}}")
    assert found(chain) == (5, Break.DIGEST_MISMATCH)
    assert found(system_actor(other.id, other.slug)) == (2, Break.MISSING_LINK)


def test_a_link_to_an_event_of_another_tenant_is_found(chain: Actor, tamper: Tampering) -> None:
    other = make_chain()
    moved = AuditEvent.objects.get(tenant_id=other.id)
    head = verify_tenant(chain.tenant_id).head
    own_hash = event_hash(head.event_hash, LENGTH + 1, bytes(moved.event_digest)).hex()
    tamper.run(
        f"UPDATE audit_auditlink SET tenant_id = '{chain.tenant_id}', sequence = {LENGTH + 1},"
        f" previous_event_hash = decode('{head.event_hash.hex()}', 'hex'), event_hash = decode('{own_hash}', 'hex')"
        f" WHERE event_id = '{moved.id}'"
    )
    assert found(chain) == (LENGTH + 1, Break.DIGEST_MISMATCH)
