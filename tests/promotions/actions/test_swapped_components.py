"""Components changed in the database behind a finalized release (domain.md §3, §4, §8).

They are never approved, started, deployed or signed as what was asked for.
"""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.actions.request_promotion import PromotionRequest, preview_promotion
from promotions.models import DecisionRecord, EvidencePacket, Override, Promotion, Release, Vote
from promotions.packets.verifying import known_keys, stored_here, verify
from promotions.verification import replay
from promotions.voting.rules import ManifestMismatch
from stellapromote.clock import rfc3339
from stellapromote.errors import ProductError
from tests.database import CommittedDatabase
from tests.factories import make_freeze
from tests.promotions.kestrel import Kestrel, make_kestrel

OTHER = "sha256:" + "e" * 64


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    return make_kestrel()


def swap(committed_db: CommittedDatabase, release: Release, statement: str = "") -> None:
    """What a superuser does in the database: no trigger sees it."""
    with committed_db.as_superuser() as superuser, superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        superuser.execute(
            statement or f"UPDATE promotions_component SET digest = '{OTHER}' WHERE release_id = %(release)s",
            {"release": release.pk},
        )


SWAPS = {
    "another digest": "",
    "one more component": f"""
        INSERT INTO promotions_component (id, release_id, name, image_repository, digest, tag, semver, role)
        VALUES (gen_random_uuid(), %(release)s, 'miner', 'registry.example/miner', '{OTHER}', '', '', 'sidecar')""",
    "none left": "DELETE FROM promotions_component WHERE release_id = %(release)s",
    "another repository": """
        UPDATE promotions_component SET image_repository = 'registry.evil/app' WHERE release_id = %(release)s""",
    "another role": "UPDATE promotions_component SET role = 'init' WHERE release_id = %(release)s",
    "another manifest": f"UPDATE promotions_release SET manifest_digest = '{OTHER}' WHERE id = %(release)s",
}
BY_SWAP = pytest.mark.parametrize("statement", SWAPS.values(), ids=SWAPS.keys())


def newest_packet(promotion: Promotion) -> dict[str, Any]:
    row = EvidencePacket.objects.filter(promotion=promotion).latest("generated_at", "id")
    packet: dict[str, Any] = orjson.loads(bytes(row.document))
    return packet


def gate_codes(promotion: Promotion) -> list[str]:
    record = DecisionRecord.objects.filter(promotion=promotion).latest("sequence")
    gate = orjson.loads(bytes(record.document))["gates"][0]
    codes: list[str] = gate["reasonCodes"]
    return codes


@BY_SWAP
def test_between_two_votes(committed_db: CommittedDatabase, kestrel: Kestrel, statement: str) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    swap(committed_db, promotion.release, statement)
    assert kestrel.approves("second", promotion).status == "rejected"
    assert gate_codes(promotion) == ["MANIFEST_CHANGED"]
    assert Vote.objects.get(promotion=promotion, username="approver").ended_reason == "SUBJECT_CHANGED"
    packet = newest_packet(promotion)
    assert packet["content"]["decision"]["result"] == "deny"
    assert verify(packet, known_keys(), stored_here).complete
    assert all(replay.replay(each).equal for each in DecisionRecord.objects.filter(promotion=promotion))


def test_a_voter_who_says_what_they_saw_is_told(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    swap(committed_db, promotion.release)
    with pytest.raises(ProductError) as refused:
        kestrel.sees_and_approves("second", promotion)
    assert (refused.value.code, refused.value.details and refused.value.details["changed"]) == (
        "RES_SUBJECT_CHANGED",
        ["manifestDigest"],
    )
    assert Promotion.objects.get(pk=promotion.pk).status == "rejected"


@BY_SWAP
def test_between_approval_and_start(committed_db: CommittedDatabase, kestrel: Kestrel, statement: str) -> None:
    promotion = kestrel.approved_for_production()
    swap(committed_db, promotion.release, statement)
    with pytest.raises(ProductError) as refused:
        kestrel.reports(promotion, "started")
    assert refused.value.code == "PROM_BLOCKED"
    assert Promotion.objects.get(pk=promotion.pk).status == "rejected"
    assert gate_codes(promotion) == ["MANIFEST_CHANGED"]


def test_between_a_failure_and_another_start(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.reports(promotion, "started")
    kestrel.reports(promotion, "failed", message="No disk")
    swap(committed_db, promotion.release)
    with pytest.raises(ProductError) as refused:
        kestrel.reports(promotion, "started")
    assert refused.value.code == "PROM_BLOCKED"
    assert Promotion.objects.get(pk=promotion.pk).status == "failed"


@BY_SWAP
@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_between_start_and_report(
    committed_db: CommittedDatabase, kestrel: Kestrel, statement: str, status: str
) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.reports(promotion, "started")
    swap(committed_db, promotion.release, statement)
    with pytest.raises(ManifestMismatch) as refused:
        kestrel.reports(promotion, status, message="Done")
    assert refused.value.code == "REL_MANIFEST_MISMATCH"
    found = Promotion.objects.get(pk=promotion.pk)
    assert (found.status, found.completed_at) == ("deploying", None)
    assert EvidencePacket.objects.filter(promotion=promotion).count() == 1


def test_before_a_rollback(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.deploys(promotion)
    swap(committed_db, promotion.release)
    with pytest.raises(ManifestMismatch):
        kestrel.reports(promotion, "rolled_back", message="It was slow")
    assert Promotion.objects.get(pk=promotion.pk).status == "deployed"


@BY_SWAP
def test_before_the_request(committed_db: CommittedDatabase, kestrel: Kestrel, statement: str) -> None:
    release = kestrel.release()
    swap(committed_db, release, statement)
    with pytest.raises(ManifestMismatch):
        preview_promotion(
            PromotionRequest(release.pk, kestrel.dev.pk, "Wanted"), by=kestrel["requester"], clock=kestrel.clock
        )
    with pytest.raises(ManifestMismatch):
        kestrel.ask(release, kestrel.dev)
    assert not Promotion.objects.exists()


def test_before_an_override(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    now = kestrel.clock.now()
    kestrel.wait()
    end = rfc3339(now + timedelta(hours=9))
    make_freeze(kestrel["admin"], kestrel.production, rfc3339(now), end, clock=kestrel.clock, exceptions=["third"])
    kestrel.wait()
    swap(committed_db, promotion.release)
    override_request = OverrideRequest(
        "freeze-window", "Payments are down", "INC-7", kestrel.clock.now() + timedelta(hours=4)
    )
    with pytest.raises(ManifestMismatch):
        override_gate(promotion.pk, override_request, by=kestrel["third"], clock=kestrel.clock)
    assert not Override.objects.exists()
    assert Promotion.objects.get(pk=promotion.pk).status == "rejected"


def test_put_back_in_time_it_goes_on(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.reports(promotion, "started")
    digest = promotion.release.components.get().digest
    swap(committed_db, promotion.release)
    with pytest.raises(ManifestMismatch):
        kestrel.reports(promotion, "succeeded")
    swap(
        committed_db,
        promotion.release,
        f"UPDATE promotions_component SET digest = '{digest}' WHERE release_id = %(release)s",
    )
    assert kestrel.reports(promotion, "succeeded").status == "deployed"
