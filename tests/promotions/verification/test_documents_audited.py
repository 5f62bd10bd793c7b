"""A change beside the product of a document, of what was read of it, of a feed or of a key is found (domain.md §6, §8,
§9)."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from psycopg.types.json import Jsonb

from promotions.actions.evaluate import reevaluate
from promotions.actions.trust_key import trust_key
from promotions.formats.document import READER
from promotions.judging.audited_rows import audited_document
from promotions.models import (
    Blob,
    DocumentReading,
    EvidenceBundle,
    EvidenceDocument,
    Promotion,
)
from promotions.verification.documents import VerifiedDigests
from stellapromote.accounts.actor import system_actor
from stellapromote.audit.recording import record
from stellapromote.ids import new_id
from tests.promotions.actions.test_image_index import AMD64, IMAGE, INDEX, sends
from tests.promotions.formats.samples import trivy, trivy_entry
from tests.promotions.kestrel import Kestrel
from tests.promotions.tampering import Tampering
from tests.promotions.uploads import Signer, uploaded
from tests.promotions.verification.app import App
from tests.promotions.verification.story import ARTIFACT, EVIDENCE, found_in, numbered

pytestmark = pytest.mark.slow

CHANGED = (None, "DOCUMENT_CHANGED")
OTHER = "sha256:" + "e" * 64
SCAN = trivy(trivy_entry(), Metadata={"RepoDigests": [f"registry.example/app@{IMAGE}"]})


def content_of(digest: str | None) -> Any:
    assert digest is not None
    return orjson.loads(bytes(Blob.objects.get(pk=digest).content))


def without_findings(app: App, parsed: str) -> str:
    return app.stores({**content_of(parsed), "findings": []})


def fact(bundle: Any, kind: str) -> Any:
    return next(each for each in bundle["documents"] if each["kind"] == kind)


def found_about(kestrel: Kestrel, *bundles: str) -> set[str]:
    return {str(each.what) for each in VerifiedDigests().wrong_in_bundles(kestrel.tenant.pk, bundles)}


# Bundles.

FACTS: list[Callable[[Any], object]] = [
    lambda bundle: fact(bundle, "vulnerabilities").update(uploadedBy=[{"id": str(new_id()), "username": "bex"}]),
    lambda bundle: fact(bundle, "vulnerabilities").update(uploadedAt="2026-10-01T00:00:00.000Z"),
    lambda bundle: fact(bundle, "vulnerabilities").update(generatedAt="2026-10-01T00:00:00.000Z"),
    lambda bundle: fact(bundle, "vulnerabilities").update(producer="other"),
    lambda bundle: fact(bundle, "vulnerabilities").update(format="grype"),
    lambda bundle: fact(bundle, "vulnerabilities").update(predicateType="x"),
    lambda bundle: fact(bundle, "vulnerabilities").update(about=AMD64),
    lambda bundle: fact(bundle, "vulnerabilities").update(artifactDigest=OTHER),
    lambda bundle: fact(bundle, "vulnerabilities").update(artifactDigest=OTHER, about=ARTIFACT),
    lambda bundle: fact(bundle, "vulnerabilities").update(schemaValid=False),
    lambda bundle: fact(bundle, "vulnerabilities").update(signer=fact(bundle, "sbom")["signer"]),
    lambda bundle: fact(bundle, "vulnerabilities").update(parsed=fact(bundle, "sbom")["parsed"]),
    lambda bundle: fact(bundle, "sbom").update(signer=None),
    lambda bundle: bundle.update(indexes=[{"artifact": ARTIFACT, "manifests": [AMD64]}]),
    lambda bundle: bundle.update(documents={"a": 1}),
    lambda bundle: bundle.pop("documents"),
]  # fmt: skip


def test_a_bundle_that_says_something_else_of_a_document_is_found(kestrel: Kestrel, app: App) -> None:
    """Each is a bundle of its own beside the true one."""
    true = str(numbered(6).evidence_bundle_digest)
    assert found_about(kestrel, true) == set()
    for number, change in enumerate(FACTS):
        bundle = content_of(true)
        change(bundle)
        assert (number, found_about(kestrel, app.bundles(kestrel, bundle))) == (number, {"DOCUMENT_CHANGED"})


def test_a_promotion_that_is_judged_on_an_emptied_report_is_found(kestrel: Kestrel, app: App) -> None:
    promotion = numbered(6)
    bundle = content_of(promotion.evidence_bundle_digest)
    fact(bundle, "vulnerabilities")["parsed"] = without_findings(app, fact(bundle, "vulnerabilities")["parsed"])
    digest = app.bundles(kestrel, bundle)
    app.run(
        "UPDATE promotions_promotion SET evidence_bundle_digest = %s,"
        " evidence_bundle_id = (SELECT id FROM promotions_evidencebundle WHERE digest = %s) WHERE id = %s",
        [digest, digest, promotion.pk],
    )
    judged_again(kestrel, promotion)
    assert (6, "DOCUMENT_CHANGED") in {each[:2] for each in found_in(kestrel)}


def judged_again(kestrel: Kestrel, promotion: Promotion) -> Promotion:
    kestrel.wait()
    reevaluate(promotion.pk, by=system_actor(kestrel.tenant.pk, kestrel.tenant.slug), clock=kestrel.clock)
    promotion.refresh_from_db()
    return promotion


def test_a_bundle_that_is_not_the_tenants_is_found(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run("DELETE FROM promotions_evidencebundle")
    assert (6, "DOCUMENT_CHANGED") in {each[:2] for each in found_in(kestrel)}


# Readings.


def test_a_reading_of_a_bundle_of_the_newest_reader_does_not_count_and_is_found(kestrel: Kestrel, app: App) -> None:
    promotion = numbered(6)
    before = str(promotion.evidence_bundle_digest)
    app.reads_as(before, app.bundles(kestrel, {**content_of(before), "documents": []}))
    assert judged_again(kestrel, promotion).evidence_bundle_digest == before
    assert {each[:2] for each in found_in(kestrel)} == {(6, "DOCUMENT_CHANGED"), CHANGED}


def test_a_bundle_that_was_read_again_is_what_its_documents_say(kestrel: Kestrel, app: App, tamper: Tampering) -> None:
    before = str(numbered(6).evidence_bundle_digest)
    tamper.run("UPDATE promotions_evidencebundle SET reader = %s", [READER - 1])
    assert found_about(kestrel, before) == set()
    less = content_of(before)
    less["documents"].remove(fact(less, "vulnerabilities"))
    app.reads_as(before, app.bundles(kestrel, less))
    assert found_about(kestrel, before) == {"DOCUMENT_CHANGED"}
    tamper.run("UPDATE promotions_bundlereading SET read_as_id = bundle_id")
    assert found_about(kestrel, before) == set()


@pytest.mark.parametrize(("reader", "bundle_reader"), [(READER - 1, READER), (READER + 1, READER + 1)])
def test_what_no_reader_of_ours_verifies_lends_nothing_to_a_bundle(
    kestrel: Kestrel, app: App, tamper: Tampering, reader: int, bundle_reader: int
) -> None:
    """Readings of older and of newer readers are read again by nobody here."""
    bundle = content_of(numbered(6).evidence_bundle_digest)
    report = EvidenceDocument.objects.get(kind="vulnerabilities")
    emptied = without_findings(app, report.parsed_id)
    app.reads(report, emptied)
    tamper.run("UPDATE promotions_documentreading SET reader = %s", [reader])
    fact(bundle, "vulnerabilities")["parsed"] = emptied
    assert found_about(kestrel, app.bundles(kestrel, bundle, reader=bundle_reader)) == {"DOCUMENT_CHANGED"}


def signed_scan(kestrel: Kestrel) -> EvidenceDocument:
    signer = Signer()
    trust_key("scanner", signer.pem, by=kestrel["admin"], clock=kestrel.clock)
    body = {"scanner": {"uri": "pkg:github/aquasecurity/trivy@1", "result": SCAN}, "metadata": {}}
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "app", "digest": {"sha256": IMAGE.removeprefix("sha256:")}}],
        "predicateType": "https://cosign.sigstore.dev/attestation/vuln/v1",
        "predicate": body,
    }
    document = sends(kestrel, IMAGE, "vulnerabilities", signer.envelope(statement)).document
    assert document.signer
    return document


def unsigned_scan(kestrel: Kestrel) -> EvidenceDocument:
    return sends(kestrel, IMAGE, "vulnerabilities", SCAN).document


@pytest.mark.parametrize("scan", [unsigned_scan, signed_scan])
@pytest.mark.parametrize(("about", "refused"), [("", ""), (AMD64, ""), ("", "No more")])
def test_a_reading_that_nobody_read_is_found(
    kestrel: Kestrel, app: App, scan: Callable[[Kestrel], EvidenceDocument], about: str, refused: str
) -> None:
    """The report of an image whose index is known counts as it was read last."""
    kestrel.wait(hours=1)
    sends(kestrel, IMAGE, "index", INDEX)
    document = scan(kestrel)
    assert found_in(kestrel, EVIDENCE) == []
    parsed = None if refused else without_findings(app, document.parsed_id)
    app.reads(document, parsed, about=about, refused=refused)
    assert found_in(kestrel, EVIDENCE) == [(*CHANGED, f"document {document.pk}")]


@pytest.mark.parametrize(
    "change",
    [
        "summary = '{}'",
        "about = ''",
        "binds = NOT binds",
        "generated_at = now()",
        "refused = 'No more', parsed_digest = NULL",
    ],
)
def test_a_reading_that_was_changed_is_found(kestrel: Kestrel, tamper: Tampering, change: str) -> None:
    kestrel.wait(hours=1)
    of_amd64 = {"architecture": "amd64", "os": "linux"}
    scan = trivy(trivy_entry(), Metadata={"RepoDigests": [f"app@{IMAGE}"], "ImageConfig": of_amd64})
    sends(kestrel, IMAGE, "vulnerabilities", scan)
    kestrel.wait()
    sends(kestrel, IMAGE, "index", INDEX)
    assert DocumentReading.objects.get().about == AMD64
    assert found_in(kestrel, EVIDENCE) == []
    tamper.run(f"UPDATE promotions_documentreading SET {change}")
    assert [each[:2] for each in found_in(kestrel, EVIDENCE)] == [CHANGED]


def test_an_index_that_lost_a_platform_is_found_whatever_the_audit_log_tells(
    kestrel: Kestrel, app: App, tamper: Tampering
) -> None:
    document = sends(kestrel, IMAGE, "index", INDEX).document
    parsed = content_of(document.parsed_id)
    parsed["manifests"].pop()
    tamper.run(
        "UPDATE promotions_evidencedocument SET parsed_digest = %s WHERE id = %s", [app.stores(parsed), document.pk]
    )
    told_as_it_stands(tamper, document)
    assert found_in(kestrel) == [(*CHANGED, f"document {document.pk}")]


def told_as_it_stands(tamper: Tampering, document: EvidenceDocument) -> None:
    document.refresh_from_db()
    told = Jsonb(audited_document(document))
    tamper.run(
        "UPDATE audit_auditevent SET after = %s, metadata = metadata || %s WHERE resource_id = %s",
        [told, told, str(document.pk)],
    )


# Documents.


def test_a_document_that_no_bundle_names_is_missed(kestrel: Kestrel, tamper: Tampering) -> None:
    document = uploaded(kestrel["operator"], OTHER, "vulnerabilities", trivy(), clock=kestrel.clock)
    assert found_in(kestrel) == []
    tamper.run("DELETE FROM promotions_evidencedocument WHERE id = %s", [document.pk])
    assert found_in(kestrel) == [(*CHANGED, f"evidence document {document.pk}")]


def test_a_second_event_covers_no_changed_document(kestrel: Kestrel, tamper: Tampering) -> None:
    document = uploaded(kestrel["operator"], OTHER, "vulnerabilities", trivy(), clock=kestrel.clock)
    tamper.run("UPDATE promotions_evidencedocument SET producer = 'other' WHERE id = %s", [document.pk])
    document.refresh_from_db()
    record(
        by=kestrel["operator"],
        at=document.uploaded_at,
        action="evidence.uploaded",
        resource="evidence_document",
        resource_id=document.pk,
        after=audited_document(document),
    )
    assert found_in(kestrel) == [(*CHANGED, f"document {document.pk}")]


def test_the_summary_of_a_document_is_told(kestrel: Kestrel, tamper: Tampering) -> None:
    document = uploaded(kestrel["operator"], OTHER, "vulnerabilities", trivy(), clock=kestrel.clock)
    tamper.run("""UPDATE promotions_evidencedocument SET summary = summary || '{"schemaValid": true}' WHERE id = %s""",
               [document.pk])  # fmt: skip
    assert found_in(kestrel) == [(*CHANGED, f"document {document.pk}")]


def test_a_bundle_of_before_is_the_tenants_and_holds(kestrel: Kestrel) -> None:
    """Documents that came later change nothing of it."""
    uploaded(kestrel["operator"], ARTIFACT, "vulnerabilities", trivy(), clock=kestrel.clock)
    assert EvidenceBundle.objects.count() == 1
    assert found_in(kestrel) == []
