"""The keys of an installation: registered and retired by whoever runs it, audited, and by nobody else."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from promotions.actions import signing_keys
from promotions.actions.evaluate import evaluate
from promotions.models import EvidencePacket, PublicSigningKey
from promotions.packets import signing_key
from stellapromote.audit.models import AuditEvent
from tests.database import CommittedDatabase
from tests.promotions.kestrel import make_kestrel


@pytest.fixture
def another_key(settings: Any) -> str:
    """The key that the process holds now is one that nobody registered; its id."""
    private = generate_private_key(SECP256R1())
    settings.SIGNING_KEY_PEM = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    signing_key.load.cache_clear()
    return signing_key.load().key_id


def runs(*command: str) -> str:
    said = StringIO()
    call_command(*command, stdout=said, stderr=said)
    return said.getvalue()


def not_ready() -> str:
    """What readiness says of the key; empty when it may sign."""
    answer: Any = Client().get("/readyz").json()
    parts = answer["parts"] if "parts" in answer else answer["error"]["details"]["parts"]
    return next("" if part["ok"] else str(part["message"]) for part in parts if part["name"] == "signingKey")


def test_a_key_that_nobody_registered_signs_nothing_and_readiness_says_what_to_run(
    committed_db: CommittedDatabase, another_key: str
) -> None:
    kestrel = make_kestrel()
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    assert (promotion.status, EvidencePacket.objects.count()) == ("awaiting_approval", 0)
    assert "manage.py register_signing_key" in not_ready()
    assert not PublicSigningKey.objects.filter(pk=another_key).exists()


def test_what_waited_for_the_key_goes_on_once_it_is_registered(
    committed_db: CommittedDatabase, another_key: str
) -> None:
    kestrel = make_kestrel()
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    assert another_key in runs("register_signing_key")
    kestrel.wait()
    promotion = evaluate(promotion.pk, by=kestrel["requester"], clock=kestrel.clock)
    assert (promotion.status, EvidencePacket.objects.get().signing_key_id) == ("approved", another_key)
    assert not_ready() == ""


def test_registering_is_audited_once(committed_db: CommittedDatabase, another_key: str) -> None:
    runs("register_signing_key")
    runs("register_signing_key")
    event = AuditEvent.objects.get(action="signing_key.activated", resource_id=another_key)
    assert (event.tenant_id, event.resource_id, event.actor_type) == (None, another_key, "system")


def test_a_key_that_cannot_be_read_is_not_registered(
    committed_db: CommittedDatabase, settings: Any, tmp_path: Path
) -> None:
    settings.SIGNING_KEY_PATH = tmp_path / "key"
    settings.SIGNING_KEY_PATH.write_text("no key")
    settings.SIGNING_KEY_PATH.chmod(0o600)
    signing_key.load.cache_clear()
    with pytest.raises(CommandError, match="The signing key cannot be used"):
        runs("register_signing_key")


def test_a_retired_key_signs_nothing_any_more_in_processes_that_knew_it(committed_db: CommittedDatabase) -> None:
    kestrel = make_kestrel()
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    said = runs("retire_signing_key", signing_key.load().key_id)
    promotion = kestrel.approves("second", promotion)
    assert (promotion.status, promotion.evidence_packet_id) == ("awaiting_approval", None)
    assert "is retired" in not_ready()
    assert "register_signing_key" in said


def test_retiring_is_audited_and_done_once(committed_db: CommittedDatabase) -> None:
    key_id = signing_key.load().key_id
    runs("retire_signing_key", key_id)
    with pytest.raises(CommandError, match="was retired before"):
        runs("retire_signing_key", key_id)
    assert AuditEvent.objects.get(action="signing_key.retired").resource_id == key_id


def test_a_retired_key_does_not_come_back(committed_db: CommittedDatabase) -> None:
    runs("retire_signing_key", signing_key.load().key_id)
    with pytest.raises(CommandError, match="retired for good"):
        runs("register_signing_key")
    assert AuditEvent.objects.filter(action="signing_key.activated").count() == 1


def test_a_key_that_never_signed_here_cannot_be_retired(committed_db: CommittedDatabase) -> None:
    with pytest.raises(CommandError, match="never signed with"):
        runs("retire_signing_key", "sha256:" + "0" * 64)


def test_who_is_not_the_owner_of_the_tables_is_told_so_in_one_sentence(
    committed_db: CommittedDatabase, another_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_id = PublicSigningKey.objects.get().key_id
    monkeypatch.setattr(signing_keys, "OWNER", "default")
    for command in (("register_signing_key",), ("retire_signing_key", key_id)):
        with pytest.raises(CommandError, match="DATABASE_OWNER_URL"):
            runs(*command)
    assert AuditEvent.objects.count() == 1
