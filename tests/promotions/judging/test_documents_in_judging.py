"""Documents from their upload to the decision that was made on them."""

import json
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from promotions.actions.request_promotion import PromotionRequest, preview_promotion
from promotions.actions.take_bundle import NoDocuments, take_newest_documents
from promotions.actions.trust_key import revoke_key, trust_key
from promotions.documents import bundles
from promotions.judging.document_gathering import _extract
from promotions.judging.documents_of_input import documents_of
from promotions.judging.evaluation_context import gather_context
from promotions.judging.locks import lock_promotion
from promotions.models import DecisionRecord, EvidenceBundle, EvidencePacket, Promotion, Release, Vote
from promotions.verification.replay import replay
from promotions.voting.rules import StateForbids
from promotions.worker.round import run_round
from tests.promotions.formats.samples import EPSS, KEV, cyclonedx, trivy, trivy_entry
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.uploads import Signer, feed, uploaded


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_kestrel()


def artifact(release: Release) -> str:
    return release.components.get().digest


def scanned(kestrel: Kestrel, *entries: dict[str, Any]) -> Release:
    """A release about which a report is there."""
    release = kestrel.release()
    uploaded(kestrel["operator"], artifact(release), "vulnerabilities", trivy(*entries), clock=kestrel.clock)
    return release


def waiting(kestrel: Kestrel, *entries: dict[str, Any]) -> Promotion:
    """A promotion of a scanned release that waits for one approval."""
    release = scanned(kestrel, *entries)
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    return kestrel.ask(release, kestrel.staging)


def newest_record(promotion: Promotion) -> tuple[dict[str, Any], dict[str, Any]]:
    """The input and the document of the newest record."""
    record = DecisionRecord.objects.filter(promotion=promotion).latest("sequence")
    return orjson.loads(bytes(record.input)), orjson.loads(bytes(record.document))


def test_without_documents_there_is_no_bundle(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    gate_input, record = newest_record(promotion)
    assert (promotion.evidence_bundle_id, gate_input["evidence"], record["evidence"]["bundleDigest"]) == (None,) * 3
    assert promotion.subject["evidenceBundleDigest"] is None


def test_the_newest_documents_are_taken_at_the_request(kestrel: Kestrel) -> None:
    release = scanned(kestrel, trivy_entry())
    sbom = uploaded(kestrel["operator"], artifact(release), "sbom", cyclonedx(), clock=kestrel.clock)
    promotion = kestrel.ask(release, kestrel.dev)
    gate_input, record = newest_record(promotion)
    bundle = EvidenceBundle.objects.get()
    assert gate_input["evidence"]["bundleDigest"] == bundle.content_id == promotion.subject["evidenceBundleDigest"]
    assert record["evidence"]["sbomDigest"] == sbom.content_id
    assert record["evidence"]["bundleId"] == str(bundle.pk)


def test_the_packet_names_the_documents(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(scanned(kestrel), kestrel.dev)
    packet = orjson.loads(bytes(EvidencePacket.objects.get(promotion=promotion).document))
    assert packet["content"]["decision"]["evidence"]["bundleDigest"] == promotion.evidence_bundle_digest


def test_later_documents_change_nothing_by_themselves(kestrel: Kestrel) -> None:
    promotion = waiting(kestrel)
    before = promotion.subject_digest
    uploaded(kestrel["operator"], artifact(promotion.release), "sbom", cyclonedx(), clock=kestrel.clock)
    kestrel.approves("approver", promotion)
    promotion.refresh_from_db()
    assert (promotion.subject_digest, promotion.status) == (before, "approved")
    assert bundles.has_newer(promotion)


def test_taking_newer_documents_changes_the_subject_and_voids_votes(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    uploaded(kestrel["operator"], artifact(promotion.release), "sbom", cyclonedx(), clock=kestrel.clock)
    before = promotion.subject_digest
    kestrel.wait()
    promotion = take_newest_documents(promotion.pk, by=kestrel["requester"], clock=kestrel.clock)
    promotion.refresh_from_db()
    assert promotion.subject_digest != before
    assert promotion.subject["evidenceBundleDigest"] == promotion.evidence_bundle_digest is not None
    assert Vote.objects.get(promotion=promotion).ended_reason == "SUBJECT_CHANGED"
    assert not bundles.has_newer(promotion)


def test_taking_the_same_documents_again_keeps_the_votes(kestrel: Kestrel) -> None:
    release = kestrel.reaches_staging()
    uploaded(kestrel["operator"], artifact(release), "sbom", cyclonedx(), clock=kestrel.clock)
    promotion = kestrel.ask(release, kestrel.production)
    kestrel.approves("approver", promotion)
    take_newest_documents(promotion.pk, by=kestrel["requester"], clock=kestrel.clock)
    assert Vote.objects.get(promotion=promotion).ended_at is None


def test_there_must_be_documents_to_take(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    with pytest.raises(NoDocuments):
        take_newest_documents(promotion.pk, by=kestrel["requester"], clock=kestrel.clock)


def test_a_final_promotion_keeps_its_documents(kestrel: Kestrel) -> None:
    promotion = kestrel.rejects("approver", kestrel.waits_for_production())
    uploaded(kestrel["operator"], artifact(promotion.release), "sbom", cyclonedx(), clock=kestrel.clock)
    with pytest.raises(StateForbids):
        take_newest_documents(promotion.pk, by=kestrel["requester"], clock=kestrel.clock)


def test_a_preview_stores_no_bundle(kestrel: Kestrel) -> None:
    release = scanned(kestrel, trivy_entry())
    preview = preview_promotion(
        PromotionRequest(release.pk, kestrel.dev.pk, "Look"), by=kestrel["requester"], clock=kestrel.clock
    )
    assert preview.context.facts.gate_input["evidence"]["bundleDigest"] in preview.context.documents
    assert not EvidenceBundle.objects.exists()


def test_what_runs_in_the_target_is_known_by_its_own_bundle(kestrel: Kestrel) -> None:
    old = kestrel.ask(scanned(kestrel, trivy_entry()), kestrel.dev)
    kestrel.deploys(old)
    new = kestrel.ask(scanned(kestrel, trivy_entry("CVE-2025-0009")), kestrel.dev)
    gate_input, _ = newest_record(new)
    assert gate_input["evidence"]["currentBundleDigest"] == old.evidence_bundle_digest


def extract(promotion: Promotion, kind: str) -> Any:
    gate_input, _ = newest_record(promotion)
    fact = gate_input["evidence"][kind]
    return orjson.loads(documents_of(promotion.tenant_id, gate_input)[fact["extract"]])


def test_only_what_a_feed_says_of_the_findings_is_kept(kestrel: Kestrel) -> None:
    feed(kestrel["admin"], "kev", dated(KEV), clock=kestrel.clock)
    feed(kestrel["admin"], "epss", EPSS.replace(b"2026-11-01", b"2026-10-30"), clock=kestrel.clock)
    promotion = kestrel.ask(scanned(kestrel, trivy_entry()), kestrel.dev)
    assert extract(promotion, "kev")["entries"] == [{"cve": "CVE-2026-0001", "dateAdded": "2026-10-01"}]
    assert extract(promotion, "epss")["scores"] == [{"cve": "CVE-2026-0001", "epss": 0.91234}]


def dated(catalogue: dict[str, Any], day: str = "2026-10-30") -> dict[str, Any]:
    return {**catalogue, "dateReleased": f"{day}T00:00:00Z"}


def test_a_decision_replays_equal_after_newer_feeds_and_documents(kestrel: Kestrel) -> None:
    feed(kestrel["admin"], "kev", dated(KEV), clock=kestrel.clock)
    promotion = kestrel.ask(scanned(kestrel, trivy_entry()), kestrel.dev)
    without_it = {**dated(KEV, "2026-10-31"), "count": 1, "vulnerabilities": KEV["vulnerabilities"][1:]}
    feed(kestrel["admin"], "kev", without_it, clock=kestrel.clock)
    uploaded(kestrel["operator"], artifact(promotion.release), "vulnerabilities", trivy(), clock=kestrel.clock)
    assert replay(DecisionRecord.objects.get(promotion=promotion)).equal is True


def test_everything_an_input_names_is_found_again(kestrel: Kestrel) -> None:
    feed(kestrel["admin"], "kev", dated(KEV), clock=kestrel.clock)
    promotion = kestrel.ask(scanned(kestrel, trivy_entry()), kestrel.dev)
    gate_input, _ = newest_record(promotion)
    context = gather_context(lock_promotion(promotion.pk, promotion.tenant_id, kestrel.clock)[0], kestrel.clock.now())
    assert set(documents_of(promotion.tenant_id, gate_input)) == set(context.documents)


def test_another_tenants_bundle_opens_nothing(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(scanned(kestrel, trivy_entry()), kestrel.dev)
    gate_input, _ = newest_record(promotion)
    other = make_kestrel("merlin", prefix="merlin-")
    assert promotion.evidence_bundle_digest not in documents_of(other.tenant.pk, gate_input)


def test_a_new_feed_makes_the_worker_look_again(kestrel: Kestrel) -> None:
    promotion = waiting(kestrel, trivy_entry())
    kestrel.wait(hours=1)
    run_round("test", kestrel.clock)
    before = Promotion.objects.get(pk=promotion.pk).last_evaluated_at
    kestrel.wait(hours=1)
    feed(kestrel["admin"], "kev", dated(KEV), clock=kestrel.clock)
    run_round("test", kestrel.clock)
    assert Promotion.objects.get(pk=promotion.pk).last_evaluated_at > before


def test_a_key_that_is_revoked_makes_the_worker_look_again(kestrel: Kestrel) -> None:
    promotion = waiting(kestrel)
    key = trust_key("ci", Signer().pem, by=kestrel["admin"], clock=kestrel.clock)
    kestrel.wait(hours=1)
    run_round("test", kestrel.clock)
    before = Promotion.objects.get(pk=promotion.pk).last_evaluated_at
    kestrel.wait(hours=1)
    revoke_key(key.pk, by=kestrel["admin"], clock=kestrel.clock)
    run_round("test", kestrel.clock)
    assert Promotion.objects.get(pk=promotion.pk).last_evaluated_at > before


def test_only_keys_that_are_trusted_now_stand_in_the_facts(kestrel: Kestrel) -> None:
    one = trust_key("one", Signer().pem, by=kestrel["admin"], clock=kestrel.clock)
    two = trust_key("two", Signer().pem, by=kestrel["admin"], clock=kestrel.clock)
    revoke_key(one.pk, by=kestrel["admin"], clock=kestrel.clock)
    gate_input, _ = newest_record(kestrel.ask(scanned(kestrel), kestrel.dev))
    assert gate_input["evidence"]["trustedKeys"] == [{"keyId": two.key_id, "name": "two"}]


def statements(promotion: Promotion, kestrel: Kestrel) -> int:
    gather_context(promotion, kestrel.clock.now())
    with CaptureQueriesContext(connection) as queries:
        gather_context(promotion, kestrel.clock.now() + timedelta(seconds=1))
    return len(queries)


def test_documents_cost_one_statement_more_when_they_were_read_lately(kestrel: Kestrel) -> None:
    without = kestrel.ask(kestrel.release(), kestrel.dev)
    assert statements(waiting(kestrel, trivy_entry()), kestrel) == statements(without, kestrel) + 1


def test_the_order_of_uploads_does_not_change_the_bundle(kestrel: Kestrel) -> None:
    release = kestrel.release()
    made = []
    for documents in ([cyclonedx(), trivy()], [trivy(), cyclonedx()]):
        for document in documents:
            kind = "sbom" if "bomFormat" in document else "vulnerabilities"
            uploaded(kestrel["operator"], artifact(release), kind, json.dumps(document).encode(), clock=kestrel.clock)
        made.append(bundles.compose_bundle(kestrel.tenant.pk, [artifact(release)]))
    assert made[0] == made[1]


def test_a_feed_that_was_just_replaced_never_lists_nothing(kestrel: Kestrel) -> None:
    """Its entries go with the replacement: whoever read its id before must get the newer feed, not an empty one."""
    old = feed(kestrel["admin"], "kev", dated(KEV), clock=kestrel.clock)
    new = feed(kestrel["admin"], "kev", dated(KEV, "2026-10-31"), clock=kestrel.clock)
    fact, content = _extract(kestrel.tenant.pk, "kev", {"id": str(old.pk), "refused": ""}, ("CVE-2026-0001",))
    assert fact["digest"] == new.content_id
    assert orjson.loads(content)["entries"] == [{"cve": "CVE-2026-0001", "dateAdded": "2026-10-01"}]
