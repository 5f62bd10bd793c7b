"""Documents on the release's page, a document's page, /settings/evidence, and newer evidence on a promotion's page."""

import html
import json
from io import BytesIO
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.utils.html import strip_tags

from promotions.documents.uploading import UploadsBusy
from promotions.models import EvidenceDocument, Feed, Release, TrustedKey
from stellapromote.accounts.models import User
from tests.promotions.formats.samples import (
    KEV,
    cyclonedx,
    lines,
    openvex,
    spdx,
    statement,
    trivy,
    trivy_entry,
    unsigned_envelope,
)
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.uploads import Signer, uploaded
from tests.signed_in import signed_in


def client(kestrel: Kestrel, who: str) -> Client:
    return signed_in(User.objects.get(pk=kestrel[who].account))


def file(document: Any, name: str = "report.json") -> BytesIO:
    sent = BytesIO(document if isinstance(document, bytes) else json.dumps(document).encode())
    sent.name = name
    return sent


def digest(release: Release) -> str:
    return release.components.get().digest


def test_an_operator_uploads_a_report_and_sees_what_it_says(kestrel: Kestrel) -> None:
    release = kestrel.release()
    browser = client(kestrel, "operator")
    fields = {"artifact": digest(release), "kind": "vulnerabilities", "document": file(trivy(trivy_entry()))}
    answer = browser.post(f"/releases/{release.pk}/evidence", fields, follow=True)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "1 high" in page
    assert "trivy" in page


def test_who_uploads_a_document_is_told_what_its_signature_is_worth(kestrel: Kestrel) -> None:
    release, signer, other = kestrel.release(), Signer(), Signer()
    client(kestrel, "admin").post("/settings/evidence/keys", {"name": "ci-signing", "pem": signer.pem})
    browser = client(kestrel, "operator")

    def told(envelope: Any) -> str:
        fields = {"artifact": digest(release), "kind": "sbom", "document": file(envelope)}
        return browser.post(f"/releases/{release.pk}/evidence", fields, follow=True).content.decode()

    signed = statement("https://cyclonedx.org/bom", cyclonedx(), digest(release))
    assert "signed by the trusted key ci-signing" in told(signer.envelope(signed))
    page = told(other.envelope(signed))
    assert "by no key that is trusted here: it counts as said by operator" in page
    assert 'data-tone="care"' in page[: page.index("by no key that is trusted here")]
    page = told(cyclonedx())
    assert "It is not signed: it counts as said by operator" in page
    assert 'data-tone="care"' not in page[: page.index("It is not signed")]


def test_who_uploads_several_documents_is_told_how_many_are_kept_and_what_is_left_out(kestrel: Kestrel) -> None:
    release, signer = kestrel.release(), Signer()
    client(kestrel, "admin").post("/settings/evidence/keys", {"name": "ci-signing", "pem": signer.pem})
    about = [statement("x", each, digest(release)) for each in (cyclonedx(), spdx(), cyclonedx(version=2), openvex())]
    sent = lines(*(signer.envelope(each) for each in about[:2]), *(unsigned_envelope(each) for each in about[2:]))
    fields = {"artifact": digest(release), "kind": "sbom", "document": file(sent, "attestations.jsonl")}
    answer = client(kestrel, "operator").post(f"/releases/{release.pk}/evidence", fields, follow=True)
    page = html.unescape(answer.content.decode())
    assert "3 documents are kept." in page
    assert "2 of 3: It is signed by the trusted key ci-signing" in page
    assert "1 of 3: It is signed, but by no key that is trusted here" in page
    assert "Left out of the file: 1. line 4: $.payload.predicate: This is in none of the formats" in page
    assert 'data-tone="care"' in page[: page.index("3 documents are kept.")]


def test_of_several_documents_left_out_the_first_are_named(kestrel: Kestrel) -> None:
    release = kestrel.release()
    others = [unsigned_envelope(statement(f"type-{number}", {}, digest(release))) for number in range(6)]
    sent = lines(unsigned_envelope(statement("x", cyclonedx(), digest(release))), *others)
    fields = {"artifact": digest(release), "kind": "sbom", "document": file(sent, "attestations.jsonl")}
    answer = client(kestrel, "operator").post(f"/releases/{release.pk}/evidence", fields, follow=True)
    page = html.unescape(answer.content.decode())
    assert "The document is kept." in page
    assert "Left out of the file: 6. line 2: $.payload.predicate" in page
    assert "line 6: $.payload.predicate" in page
    assert "line 7: $.payload.predicate" not in page


def test_what_is_wrong_with_a_document_is_said_on_the_page(kestrel: Kestrel) -> None:
    release = kestrel.release()
    fields = {"artifact": digest(release), "kind": "sbom", "document": file(cyclonedx(specVersion="9"))}
    answer = client(kestrel, "operator").post(f"/releases/{release.pk}/evidence", fields)
    assert answer.status_code == 422
    assert "$.specVersion" in answer.content.decode()


def test_a_refused_document_leaves_its_form_open_with_the_message_beside_the_file(kestrel: Kestrel) -> None:
    release = kestrel.release()
    fields = {"artifact": digest(release), "kind": "vex", "document": file({"neither": "one nor the other"})}
    page = client(kestrel, "operator").post(f"/releases/{release.pk}/evidence", fields).content.decode()
    form = page[page.index('<details class="stack" open>') : page.index("Upload document")]
    assert '<option value="vex" selected>' in form
    assert "This is in none of the formats" in form[form.index('name="document"') :]
    assert form.count("This is in none of the formats") == page.count("This is in none of the formats")


def test_a_reader_that_is_busy_says_when_to_send_the_document_again(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any, **__: Any) -> None:
        raise UploadsBusy("Another document is read: send this again in a few seconds.")

    monkeypatch.setattr("promotions.views.documents.read_upload", busy)
    release = kestrel.release()
    fields = {"artifact": digest(release), "kind": "vex", "document": file(openvex())}
    answer = client(kestrel, "operator").post(f"/releases/{release.pk}/evidence", fields)
    page = answer.content.decode()
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert "send this again" in page.partition('class="error-summary"')[2].partition("</div>")[0]
    assert "field-error" not in page
    assert '<option value="vex" selected>' in page[page.index('<details class="stack" open>') :]


def test_a_document_about_something_else_than_the_release_is_refused(kestrel: Kestrel) -> None:
    release = kestrel.release()
    fields = {"artifact": "sha256:" + "e" * 64, "kind": "sbom", "document": file(cyclonedx())}
    assert client(kestrel, "operator").post(f"/releases/{release.pk}/evidence", fields).status_code == 400
    assert not EvidenceDocument.objects.exists()


def test_a_viewer_sees_documents_and_no_form(kestrel: Kestrel) -> None:
    release = kestrel.release()
    uploaded(kestrel["operator"], digest(release), "sbom", cyclonedx(), clock=kestrel.clock)
    page = client(kestrel, "viewer").get(f"/releases/{release.pk}").content.decode()
    assert "2 components" in page
    assert "Upload a document" not in page


def test_who_may_not_upload_is_not_told_to_do_it_here(kestrel: Kestrel) -> None:
    path = f"/releases/{kestrel.release().pk}"
    assert "or you do it here" in client(kestrel, "operator").get(path).content.decode()
    assert "or you do it here" not in client(kestrel, "admin").get(path).content.decode()


@pytest.mark.parametrize(
    ("kind", "document", "shown"),
    [
        ("vulnerabilities", trivy(trivy_entry()), "CVE-2026-0001"),
        ("sbom", cyclonedx(), "pkg:deb/debian/openssl@3.0"),
        ("vex", openvex(), "the whole artifact"),
    ],
)
def test_a_document_has_a_page_with_what_was_read(kestrel: Kestrel, kind: str, document: Any, shown: str) -> None:
    release = kestrel.release()
    kept = uploaded(kestrel["operator"], digest(release), kind, document, clock=kestrel.clock)
    assert shown in client(kestrel, "viewer").get(f"/evidence/documents/{kept.pk}").content.decode()


def test_the_page_of_a_document_says_what_was_left_out_and_why(kestrel: Kestrel) -> None:
    odd = cyclonedx(components=[{"name": "a", "purl": "a-purl-1"}, {"version": "1"}, {"version": "2"}])
    kept = uploaded(kestrel["operator"], digest(kestrel.release()), "sbom", odd, clock=kestrel.clock)
    page = client(kestrel, "viewer").get(f"/evidence/documents/{kept.pk}").content.decode()
    section = page[page.index('id="left-out-title"') : page.index('id="components-title"')]
    for text in ("components without a name", ">2<", "$.components[1]", "package URL cannot be read", ">1<"):
        assert text in section
    nothing = uploaded(kestrel["operator"], digest(kestrel.release()), "sbom", cyclonedx(), clock=kestrel.clock)
    assert "Left out" not in client(kestrel, "viewer").get(f"/evidence/documents/{nothing.pk}").content.decode()


def test_a_release_says_what_was_left_out_of_its_documents(kestrel: Kestrel) -> None:
    release = kestrel.release()
    statements = [*openvex()["statements"], *openvex({"@id": "pkg:oci/other"})["statements"]]
    vex = {**openvex(), "statements": statements}
    uploaded(kestrel["operator"], digest(release), "vex", vex, clock=kestrel.clock)
    page = client(kestrel, "viewer").get(f"/releases/{release.pk}").content.decode()
    assert "1 left out: <bdi>statements about another product than this artifact</bdi> (1)" in page


NAMED = [{"reason": "paths that the scanner was told to skip", "number": 3, "at": "$"}]
SUMMARIES: list[tuple[str, dict[str, Any], str]] = [
    # suppressed findings are among the findings
    (
        "vulnerabilities",
        {"counts": [("high", 2)], "findings": 2, "hasScores": True, "suppressed": 1, "leftOut": 0},
        "2 high · 1 of them suppressed by the scanner",
    ),
    (
        "vulnerabilities",
        {"counts": [], "findings": 0, "leftOut": 3, "leftOutBecause": NAMED},
        "No findings · 3 left out: paths that the scanner was told to skip (3)",
    ),
    ("sbom", {"components": 1, "leftOut": 0, "leftOutBecause": []}, "1 component"),
    ("index", {"manifests": 2, "leftOut": 0}, "2 manifests"),
    # a document that was read before reasons were kept
    ("vex", {"statements": 1, "leftOut": 2}, "1 statement · 2 left out"),
    ("attestation", {"predicateType": "https://slsa.dev/provenance/v1"}, "https://slsa.dev/provenance/v1"),
]


@pytest.mark.parametrize(("kind", "summary", "text"), SUMMARIES)
def test_one_line_says_what_a_document_says(kind: str, summary: dict[str, Any], text: str) -> None:
    line = render_to_string("documents/_summary.html", {"document": {"kind": kind}, "summary": summary})
    assert " ".join(strip_tags(line).split()) == text


def test_a_document_of_another_tenant_does_not_exist(kestrel: Kestrel) -> None:
    kept = uploaded(kestrel["operator"], digest(kestrel.release()), "sbom", cyclonedx(), clock=kestrel.clock)
    other = make_kestrel("merlin", prefix="merlin-")
    assert client(other, "admin").get(f"/evidence/documents/{kept.pk}").status_code == 404


def test_text_from_a_document_is_never_markup(kestrel: Kestrel) -> None:
    evil = trivy_entry("CVE-2026-0001", PkgName="<script>alert(1)</script>")
    kept = uploaded(kestrel["operator"], digest(kestrel.release()), "vulnerabilities", trivy(evil), clock=kestrel.clock)
    page = client(kestrel, "viewer").get(f"/evidence/documents/{kept.pk}").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_newer_evidence_is_offered_and_taken(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    browser = client(kestrel, "requester")
    assert "Newer evidence" not in browser.get(f"/promotions/{promotion.pk}").content.decode()
    uploaded(kestrel["operator"], digest(promotion.release), "sbom", cyclonedx(), clock=kestrel.clock)
    assert "Newer evidence" in browser.get(f"/promotions/{promotion.pk}").content.decode()
    answer = browser.post(f"/promotions/{promotion.pk}/evidence", follow=True)
    assert "Newer evidence" not in answer.content.decode()
    promotion.refresh_from_db()
    assert promotion.evidence_bundle_digest is not None


def test_what_cannot_be_taken_is_said_on_the_page_of_the_promotion(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    for who, status, told in (
        ("requester", 422, "upload one first"),
        ("viewer", 403, "This needs the right"),
    ):
        answer = client(kestrel, who).post(f"/promotions/{promotion.pk}/evidence")
        assert answer.status_code == status
        assert told in answer.content.decode().partition('class="error-summary"')[2].partition("</div>")[0]
        assert f"#{promotion.number}" in answer.content.decode()


def test_a_stale_vote_names_the_document_that_came(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    uploaded(kestrel["operator"], digest(promotion.release), "sbom", cyclonedx(), clock=kestrel.clock)
    client(kestrel, "requester").post(f"/promotions/{promotion.pk}/evidence")
    seen = {"subject_digest": promotion.subject_digest}
    answer = client(kestrel, "approver").post(f"/promotions/{promotion.pk}/approve", seen)
    assert answer.status_code == 412
    shown = " ".join(strip_tags(answer.content.decode()).split())
    assert "What changed: the documents about its components (new: sbom: cyclonedx (" in shown
    assert "Gates changed: the documents about its components" in shown
    assert "evidenceBundleDigest" not in shown.partition("What changed")[2].partition("then decide again")[0]


def test_an_administrator_trusts_and_revokes_a_key(kestrel: Kestrel) -> None:
    browser = client(kestrel, "admin")
    page = browser.post("/settings/evidence/keys", {"name": "ci", "pem": Signer().pem}, follow=True).content.decode()
    assert "ECDSA P-256" in page
    assert "P-256, P-384, P-521, Ed25519, or RSA of 2048 to 8192 bits" in page
    key = TrustedKey.objects.get()
    page = browser.post(f"/settings/evidence/keys/{key.pk}/revoke", follow=True).content.decode()
    assert "revoked" in page


def test_a_key_that_is_none_is_told_beside_the_form(kestrel: Kestrel) -> None:
    answer = client(kestrel, "admin").post("/settings/evidence/keys", {"name": "ci", "pem": "nothing"})
    assert answer.status_code == 400
    assert "BEGIN PUBLIC KEY" in answer.content.decode().partition('id="id_pem_error"')[2].partition("</div>")[0]


def test_a_key_that_is_trusted_or_revoked_already_is_told_above_the_keys(kestrel: Kestrel) -> None:
    browser, pem = client(kestrel, "admin"), Signer().pem
    browser.post("/settings/evidence/keys", {"name": "ci", "pem": pem})
    again = browser.post("/settings/evidence/keys", {"name": "ci-2", "pem": pem})
    revoke = f"/settings/evidence/keys/{TrustedKey.objects.get().pk}/revoke"
    browser.post(revoke)
    for answer, told in ((again, "This key is trusted already"), (browser.post(revoke), "This key was revoked before")):
        assert answer.status_code == 409
        assert told in answer.content.decode().partition('class="error-summary"')[2].partition("</div>")[0]
    assert 'value="ci-2"' in again.content.decode()


def test_what_is_wrong_with_a_feed_is_told_beside_the_file(kestrel: Kestrel) -> None:
    fields = {"kind": "epss", "document": file({"no": "feed"})}
    answer = client(kestrel, "admin").post("/settings/evidence/feeds", fields)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "field-error" in page.partition('id="id_document_error"')[2].partition("</div>")[0]
    assert '<option value="epss" selected>' in page


def test_an_administrator_uploads_a_feed(kestrel: Kestrel) -> None:
    old = {**KEV, "dateReleased": "2025-11-01T00:00:00Z"}
    answer = client(kestrel, "admin").post(
        "/settings/evidence/feeds", {"kind": "kev", "document": file(old)}, follow=True
    )
    assert (answer.status_code, Feed.objects.get().entry_count) == (200, 2)
    assert "KEV" in answer.content.decode()


@pytest.mark.parametrize("who", ["operator", "approver", "viewer", "auditor"])
def test_settings_of_evidence_are_for_administrators(kestrel: Kestrel, who: str) -> None:
    browser = client(kestrel, who)
    assert browser.get("/settings/evidence").status_code == 403
    assert browser.post("/settings/evidence/keys", {"name": "x", "pem": Signer().pem}).status_code == 403
    assert "/settings/evidence" not in browser.get("/settings").content.decode()


def test_a_form_that_is_too_large_is_refused_before_it_is_read(kestrel: Kestrel) -> None:
    release = kestrel.release()
    fields = {"artifact": digest(release), "kind": "sbom", "document": file(b" " * (34 * 1024 * 1024))}
    assert client(kestrel, "operator").post(f"/releases/{release.pk}/evidence", fields).status_code == 413


def test_the_decision_names_its_documents(kestrel: Kestrel) -> None:
    release = kestrel.release()
    uploaded(kestrel["operator"], digest(release), "sbom", cyclonedx(), clock=kestrel.clock)
    promotion = kestrel.ask(release, kestrel.dev)
    page = client(kestrel, "viewer").get(f"/promotions/{promotion.pk}").content.decode()
    assert promotion.evidence_bundle_digest in page


def test_a_document_that_breaks_its_schema_says_where(kestrel: Kestrel) -> None:
    document = cyclonedx()
    document["components"][1]["type"] = "nonsense"
    kept = uploaded(kestrel["operator"], digest(kestrel.release()), "sbom", document, clock=kestrel.clock)
    page = client(kestrel, "viewer").get(f"/evidence/documents/{kept.pk}").content.decode()
    assert "Not valid by the schema of its format, at $.components[1].type" in page
