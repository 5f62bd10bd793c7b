"""From an uploaded report to a sealed decision: what the scanner found decides, and replays equal."""

from typing import Any

import orjson
import pytest
from django.test import Client

from environments.actions.update_environment import update_environment
from promotions.actions import upload_document as upload_document_module
from promotions.actions.releases import ComponentSpec
from promotions.actions.take_bundle import take_newest_documents
from promotions.actions.upload_document import Upload, read_upload, upload_document
from promotions.documents.uploading import read_in_isolation
from promotions.formats.document import READER
from promotions.models import DecisionRecord, Promotion
from promotions.verification.replay import replay
from promotions.worker.round import run_round
from stellapromote.accounts.models import User
from tests.factories import make_promotion_policy
from tests.promotions.judging.test_security_on_real_reports import LOG4J, openvex, real
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db

ARTIFACT = "sha256:" + "5" * 64
CLEAN: Any = {"SchemaVersion": 2, "ArtifactName": "app", "Results": [{"Target": "app", "Class": "os-pkgs"}]}


@pytest.fixture
def kestrel() -> Kestrel:
    """Whose first environment looks at vulnerabilities, and trusts what the operator and the requester upload."""
    house = make_kestrel()
    trusted = {"trustedUploaders": ["operator", "requester"]}
    gate = {"name": "cve", "kind": "security", "config": {"rules": {"release-aggregate-cve": {}}, **trusted}}
    make_promotion_policy(house["admin"], "scanned", clock=house.clock, gates=[gate])
    update_environment(
        by=house["admin"], clock=house.clock, environment_id=house.dev.pk, changes={"promotion_policy": "scanned"}
    )
    return house


def upload(kestrel: Kestrel, kind: str, document: bytes | dict[str, Any], *, by: str = "operator") -> None:
    kestrel.wait()
    content = document if isinstance(document, bytes) else orjson.dumps(document)
    reading = read_upload(Upload(ARTIFACT, kind, content), by=kestrel[by])
    upload_document(reading, by=kestrel[by], clock=kestrel.clock)


def asked(kestrel: Kestrel) -> Promotion:
    release = kestrel.release(components=[ComponentSpec("app", "registry.example/app", ARTIFACT)])
    return kestrel.ask(release, kestrel.dev)


def cve_gate(promotion: Promotion) -> dict[str, Any]:
    record = DecisionRecord.objects.filter(promotion=promotion).latest("sequence")
    gates = orjson.loads(bytes(record.document))["gates"]
    return next(each for each in gates if each["name"] == "cve")


def replays(promotion: Promotion) -> list[bool | None]:
    return [replay(each).equal for each in DecisionRecord.objects.filter(promotion=promotion)]


def test_a_real_report_rejects_the_promotion_by_name_and_replays_equal(kestrel: Kestrel) -> None:
    upload(kestrel, "vulnerabilities", real("trivy/alpine-39.json"))
    promotion = asked(kestrel)
    assert promotion.status == "rejected"
    assert cve_gate(promotion)["message"].startswith(
        "2 critical findings where none is allowed: CVE-2019-14697 in musl-utils 1.1.20-r4 (critical, CVSS 9.8)"
    )
    assert replays(promotion) == [True]


def test_a_statement_that_covers_them_lets_the_same_report_through(kestrel: Kestrel) -> None:
    upload(kestrel, "vulnerabilities", real("trivy/alpine-39.json"))
    upload(kestrel, "vex", openvex("CVE-2019-14697", ARTIFACT))
    promotion = asked(kestrel)
    assert (promotion.status, cve_gate(promotion)["details"]["liftedCount"]) == ("approved", 2)
    assert replays(promotion) == [True]


def test_the_requesters_own_statement_lifts_nothing(kestrel: Kestrel) -> None:
    upload(kestrel, "vulnerabilities", LOG4J)
    upload(kestrel, "vex", openvex("CVE-2021-44228", ARTIFACT), by="requester")
    promotion = asked(kestrel)
    assert (promotion.status, cve_gate(promotion)["details"]["liftedCount"]) == ("rejected", 0)


def test_without_documents_it_waits_until_a_bundle_is_taken(kestrel: Kestrel) -> None:
    promotion = asked(kestrel)
    assert (promotion.status, cve_gate(promotion)["reasonCodes"]) == ("pending", ["SECURITY_REPORT_MISSING"])
    upload(kestrel, "vulnerabilities", CLEAN)
    kestrel.wait()
    promotion = take_newest_documents(promotion.pk, by=kestrel["operator"], clock=kestrel.clock)
    assert (promotion.status, cve_gate(promotion)["status"]) == ("approved", "pass")
    assert replays(promotion) == [True, True]


def test_the_requesters_own_clean_report_is_not_believed(kestrel: Kestrel) -> None:
    upload(kestrel, "vulnerabilities", CLEAN, by="requester")
    promotion = asked(kestrel)
    gate = cve_gate(promotion)
    assert (promotion.status, gate["reasonCodes"]) == ("pending", ["SECURITY_REPORT_UNTRUSTED"])
    assert [each["because"] for each in gate["details"]["lacking"]] == ["requester"]
    assert "it was uploaded by the requester (requester) or for them: have another identity" in gate["message"]
    assert replays(promotion) == [True]


def page(kestrel: Kestrel, promotion: Promotion) -> str:
    client = Client()
    client.force_login(User.objects.get(pk=kestrel["approver"].user_id))
    answer = client.get(f"/promotions/{promotion.pk}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_shows_the_findings_with_what_is_known_of_them(kestrel: Kestrel) -> None:
    upload(kestrel, "vulnerabilities", real("trivy/alpine-39.json"))
    shown = page(kestrel, asked(kestrel))
    assert "2 critical, 0 high, 4 medium, 0 low" in shown
    assert [each in shown for each in ("CVE-2019-14697", "musl-utils", "CVSS 9.8", "1.1.20-r5")] == [True] * 4


def test_the_page_says_what_a_statement_lifted_and_whose_report_is_not_trusted(kestrel: Kestrel) -> None:
    upload(kestrel, "vulnerabilities", LOG4J, by="requester")
    upload(kestrel, "vex", openvex("CVE-2021-44228", ARTIFACT))
    shown = page(kestrel, asked(kestrel))
    assert "1 lifted by VEX" in shown
    assert "vulnerable_code_not_in_execute_path" in shown
    assert "not trusted" in shown


def test_the_page_has_no_findings_where_nothing_was_scanned(kestrel: Kestrel) -> None:
    assert "findings-cve" not in page(kestrel, asked(kestrel))


def test_what_an_older_reader_read_waits_and_is_not_believed(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The empty list of another tool, taken as a clean scan by the version before, and a sound scan of then."""
    empty = {"schema": "stella.findings/v1", "hasScores": False, "findings": []}
    semgrep = {"errors": [], "results": [], "version": "1.0"}

    def read_before(kind: str, digest: str, _content: bytes, **_more: Any) -> dict[str, Any]:
        return {**read_in_isolation(kind, digest, orjson.dumps(CLEAN)), "parsed": empty}

    with monkeypatch.context() as before:
        before.setattr(upload_document_module, "READER", READER - 1)
        before.setattr(upload_document_module, "read_in_isolation", read_before)
        upload(kestrel, "vulnerabilities", semgrep)
    promotion = asked(kestrel)
    assert (promotion.status, cve_gate(promotion)["reasonCodes"]) == ("pending", ["EVIDENCE_UNREAD"])
    kestrel.wait()
    run_round("test", clock=kestrel.clock)
    promotion.refresh_from_db()
    assert (promotion.status, cve_gate(promotion)["reasonCodes"]) == ("pending", ["SECURITY_REPORT_MISSING"])
    assert replays(promotion) == [True, True]
