"""Feeds and keys are what the audit log and their bytes tell (domain.md §6, §8, §9)."""

import io
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command
from psycopg.types.json import Jsonb

from environments.actions.update_environment import update_environment
from policies.models import Proposal
from promotions.actions.signing_keys import register_signing_key, retire_signing_key
from promotions.actions.trust_key import revoke_key, trust_key
from promotions.actions.upload_feed import read_feed, upload_feed
from promotions.formats.document import READER
from promotions.judging import document_gathering
from promotions.models import (
    EvidenceFinding,
    Feed,
    PublicSigningKey,
    TrustedKey,
)
from promotions.verification.keys import check_signing_keys
from promotions.worker.verifier import Verifier
from stellapromote.accounts.command_line import command_actor
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock
from tests.database import CommittedDatabase
from tests.factories import make_promotion_policy
from tests.promotions.kestrel import Kestrel
from tests.promotions.tampering import Tampering
from tests.promotions.uploads import Signer, feed
from tests.promotions.verification.app import App
from tests.promotions.verification.story import found_after, found_in, kind_found
from tests.proposals import confirmed
from tests.sealing import seal_pending

pytestmark = pytest.mark.slow

CHANGED = (None, "DOCUMENT_CHANGED")
INPUT_OF_6 = (6, "INPUT_CHANGED")
"""It names the feeds and keys that counted for it."""
OTHER = "sha256:" + "e" * 64
OF_FEEDS = ("feed entries", "feed upload")


# Feeds.


@pytest.mark.parametrize(
    "change",
    [
        "published_at = published_at - interval '1 hour'",
        "entry_count = 0",
        "uploaded_by_id = (SELECT id FROM accounts_user WHERE username = 'third')",
        "uploaded_by_username = 'bex'",
        "uploaded_by_name = 'Bex'",
        "uploaded_at = now()",
        "token_id = gen_random_uuid()",
        "kind = 'epss'",
    ],
)
def test_a_feed_is_what_the_audit_log_tells_of_its_upload(kestrel: Kestrel, tamper: Tampering, change: str) -> None:
    tamper.run(f"UPDATE promotions_feed SET {change}")
    found = [each for kind in OF_FEEDS for each in kind_found(kestrel.tenant.pk, kind)]
    assert "DOCUMENT_CHANGED" in {each.what for each in found}


def test_a_feed_that_nobody_uploaded_is_found(kestrel: Kestrel, app: App) -> None:
    listed = {"cveID": "CVE-1999-0001", "dateAdded": "2020-01-01"}
    published = "2026-12-01T15:00:00Z"
    digest = app.stores({"catalogVersion": "3", "dateReleased": published, "count": 1, "vulnerabilities": [listed]})
    app.run(
        "WITH newer AS (INSERT INTO promotions_feed SELECT (jsonb_populate_record(f, jsonb_build_object("
        " 'id', gen_random_uuid(), 'digest', %s::text, 'published_at', %s::text))).* FROM promotions_feed f"
        " RETURNING id) INSERT INTO promotions_feedentry (feed_id, cve, listed_on)"
        " SELECT id, 'CVE-1999-0001', '2020-01-01' FROM newer",
        [digest, published],
    )
    found = {each[:2] for each in found_in(kestrel)}
    assert CHANGED in found
    assert found <= {CHANGED, INPUT_OF_6}


def test_a_feed_is_not_published_at_another_time_whatever_the_audit_log_tells(
    kestrel: Kestrel, tamper: Tampering
) -> None:
    later = "2026-11-02T07:00:00.000Z"
    tamper.run("UPDATE promotions_feed SET published_at = %s", [later])
    tamper.run(
        "UPDATE audit_auditevent SET metadata = metadata || %s WHERE action = 'feed.uploaded'",
        [Jsonb({"publishedAt": later})],
    )
    found = {each[:2] for each in found_in(kestrel)}
    assert CHANGED in found
    assert found <= {CHANGED, INPUT_OF_6}


def lists(kestrel: Kestrel, version: str, released: str, *cves: str) -> None:
    entries = [{"cveID": cve, "dateAdded": "2020-01-01"} for cve in cves]
    catalogue = {"catalogVersion": version, "dateReleased": released, "count": len(cves), "vulnerabilities": entries}
    feed(kestrel["admin"], "kev", catalogue, clock=kestrel.clock)


def test_a_feed_that_was_dated_ahead_and_an_older_one_that_counts_instead_are_what_was_uploaded(
    kestrel: Kestrel, tamper: Tampering
) -> None:
    """The entries that count are those of the feed that was uploaded last."""
    now = kestrel.clock.now()
    lists(kestrel, "2", (now + timedelta(minutes=9)).isoformat(), "CVE-1999-0001", "CVE-1999-0002")
    assert found_in(kestrel) == []
    lists(kestrel, "3", (now - timedelta(days=1)).isoformat(), "CVE-1999-0001", "CVE-1999-0002", "CVE-1999-0003")
    assert found_in(kestrel) == []
    tamper.run("UPDATE promotions_feedentry SET cve = 'CVE-1999-0004' WHERE cve = 'CVE-1999-0003'")
    assert [each[:2] for each in found_in(kestrel)] == [CHANGED]


REFUSED = (
    "INSERT INTO promotions_feedreading (id, reader, entry_count, refused, read_at, feed_id)"
    " SELECT gen_random_uuid(), %s, 0, 'x', now(), id FROM promotions_feed"
)


@pytest.mark.parametrize("reader", [READER - 1, READER])
def test_a_feed_that_is_said_to_be_refused_is_read_again(
    kestrel: Kestrel, app: App, tamper: Tampering, reader: int
) -> None:
    document_gathering._extracts.clear()
    tamper.run("UPDATE promotions_feed SET reader = %s", [reader])
    app.run(REFUSED, [READER])
    app.run("DELETE FROM promotions_feedentry")
    found = {each[:2] for each in found_in(kestrel)}
    assert CHANGED in found
    assert found <= {CHANGED, INPUT_OF_6}


def test_what_a_second_person_confirmed_is_told_too(kestrel: Kestrel) -> None:
    """A feed that lists one less and one more, so two are stored, and a key, for a gate that reads them."""
    admin, clock = kestrel["admin"], kestrel.clock
    gate = {
        "name": "scan",
        "kind": "security",
        "config": {"rules": {"kev-blocker": {}}, "trustedUploaders": ["operator"], "trustedKeys": ["two"]},
    }
    before = trusted(kestrel, Signer(), "two")
    make_promotion_policy(admin, "guarded", clock=clock, gates=[gate])
    change = {"promotion_policy": "guarded"}
    update_environment(by=admin, clock=clock, environment_id=kestrel.production.pk, changes=change)
    revoke_key(before.pk, by=admin, clock=clock)
    kestrel.wait(hours=2)
    entry = {"cveID": "CVE-1999-0001", "dateAdded": "2020-01-01"}
    released = clock.now().isoformat()
    listed = {"catalogVersion": "2", "dateReleased": released, "count": 1, "vulnerabilities": [entry]}
    edits = [
        upload_feed(read_feed("kev", orjson.dumps(listed), by=admin), by=admin, clock=clock),
        trust_key("two", Signer().pem, by=admin, clock=clock),
    ]
    for edit in edits:
        assert isinstance(edit, Proposal)
        kestrel.wait()
        confirmed(edit, clock)
    assert (Feed.objects.count(), TrustedKey.objects.count()) == (3, 3)
    assert found_in(kestrel) == []


# Keys.


def trusted(kestrel: Kestrel, signer: Signer, name: str = "scanner") -> TrustedKey:
    trust_key(name, signer.pem, by=kestrel["admin"], clock=kestrel.clock)
    return TrustedKey.objects.get(name=name)


TRUSTED = (
    "INSERT INTO promotions_trustedkey SELECT (jsonb_populate_record(k, jsonb_build_object("
    "'id', gen_random_uuid(), 'name', 'second', 'key_id', %s::text))).* FROM promotions_trustedkey k"
)


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("UPDATE promotions_trustedkey SET name = 'other'", ()),
        ("UPDATE promotions_trustedkey SET algorithm = 'other'", ()),
        ("UPDATE promotions_trustedkey SET pem = pem || 'Held by Mallory'", ()),
        ("UPDATE promotions_trustedkey SET added_at = now()", ()),
        ("UPDATE promotions_trustedkey SET added_by_id = (SELECT id FROM accounts_user WHERE username = 'third')", ()),
        ("UPDATE promotions_trustedkey SET revoked_at = now(), revoked_by_id = added_by_id", ()),
        (TRUSTED, [OTHER]),
    ],
)
def test_a_trusted_key_is_what_the_audit_log_tells(
    kestrel: Kestrel, tamper: Tampering, statement: str, values: Any
) -> None:
    tamper.run(statement, values)
    found = {each[:2] for each in found_after(statement, kestrel)}
    assert (None, "KEY_CHANGED") in found
    assert found <= {(None, "KEY_CHANGED"), INPUT_OF_6}


def test_a_revoked_key_does_not_come_back_and_none_goes(kestrel: Kestrel, tamper: Tampering) -> None:
    key = trusted(kestrel, Signer())
    revoke_key(key.pk, by=kestrel["admin"], clock=kestrel.clock)
    assert found_in(kestrel) == []
    tamper.run("UPDATE promotions_trustedkey SET revoked_at = NULL, revoked_by_id = NULL WHERE id = %s", [key.pk])
    assert found_in(kestrel) == [(None, "KEY_CHANGED", f"trusted key {key.pk}")]
    tamper.run("DELETE FROM promotions_trustedkey WHERE id = %s", [key.pk])
    assert found_in(kestrel) == [(None, "KEY_CHANGED", f"trusted key {key.pk}")]


INSERTED = (
    "INSERT INTO promotions_publicsigningkey (key_id, pem, activated_at, retired_at)"
    " SELECT %s, pem, activated_at, now() FROM promotions_publicsigningkey"
)
KEYS: list[tuple[str, Any]] = [
    (INSERTED, [OTHER]),
    ("UPDATE promotions_publicsigningkey SET activated_at = activated_at - interval '1 day'", ()),
    ("UPDATE promotions_publicsigningkey SET retired_at = now()", ()),
    ("UPDATE promotions_publicsigningkey SET pem = %s", [Signer().pem]),
    ("UPDATE promotions_publicsigningkey SET pem = 'Owner: Mallory' || chr(10) || pem", ()),
    ("UPDATE promotions_publicsigningkey SET pem = pem || 'appended'", ()),
    ("DELETE FROM audit_auditevent WHERE action = 'signing_key.activated'", ()),
]


@pytest.mark.parametrize(("statement", "values"), KEYS)
def test_a_signing_key_is_what_the_chain_of_the_installation_tells(
    committed_db: CommittedDatabase, tamper: Tampering, statement: str, values: Any
) -> None:
    assert check_signing_keys() == []
    tamper.run(statement, values)
    assert [str(each.what) for each in check_signing_keys()] == ["KEY_CHANGED"]


def test_a_retired_signing_key_stays_retired(committed_db: CommittedDatabase, tamper: Tampering) -> None:
    key = PublicSigningKey.objects.get()
    retire_signing_key(key.pk, by=command_actor())
    assert check_signing_keys() == []
    tamper.run("UPDATE promotions_publicsigningkey SET retired_at = retired_at + interval '1 day'")
    assert len(check_signing_keys()) == 1
    tamper.run("UPDATE promotions_publicsigningkey SET retired_at = NULL")
    assert len(check_signing_keys()) == 1


def test_a_key_whose_registering_was_interrupted_is_registered_once_more(
    committed_db: CommittedDatabase, tamper: Tampering
) -> None:
    """Its event is committed before the key itself."""
    tamper.run("DELETE FROM promotions_publicsigningkey")
    register_signing_key(by=command_actor())
    assert AuditEvent.objects.filter(action="signing_key.activated").count() == 2
    assert check_signing_keys() == []


def test_the_command_finds_a_changed_signing_key_whichever_tenant_is_named(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run(INSERTED, [OTHER])
    for arguments in ((), ("--tenant", kestrel.tenant.slug)):
        out = io.StringIO()
        with pytest.raises(CommandError, match=r"differ from the signed ones: the installation\."):
            call_command("verify_evidence", *arguments, stdout=out)
        assert out.getvalue().startswith(f"installation KEY_CHANGED signing key {OTHER}: ")
    finding = EvidenceFinding.objects.get(gone_at=None)
    assert (finding.tenant_id, finding.what) == (None, "KEY_CHANGED")
    tamper.run("DELETE FROM promotions_publicsigningkey WHERE key_id = %s", [OTHER])
    call_command("verify_evidence", "--tenant", kestrel.tenant.slug, stdout=io.StringIO())
    assert not EvidenceFinding.objects.filter(gone_at=None).exists()


def test_the_worker_finds_a_changed_signing_key_and_that_it_is_gone(
    committed_db: CommittedDatabase, tamper: Tampering
) -> None:
    clock = FixedClock(PublicSigningKey.objects.get().activated_at)
    tamper.run(INSERTED, [OTHER])
    verify_all(clock)
    assert [each.what for each in EvidenceFinding.objects.filter(gone_at=None)] == ["KEY_CHANGED"]
    tamper.run("DELETE FROM promotions_publicsigningkey WHERE key_id = %s", [OTHER])
    clock.advance(timedelta(days=7))
    verify_all(clock)
    assert not EvidenceFinding.objects.filter(gone_at=None).exists()


def verify_all(clock: FixedClock) -> None:
    worker = Verifier()
    while seal_pending():
        pass
    while worker.verify_some(clock):
        pass
