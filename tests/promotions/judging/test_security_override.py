"""An override of what a scanner found, on a real report: it lifts the findings that were seen, and none besides."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.test import Client

from environments.actions.update_environment import update_environment
from policies.documents import promotion_policy
from promotions.actions.evaluate import evaluate
from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.actions.releases import ComponentSpec
from promotions.actions.take_bundle import take_newest_documents
from promotions.models import DecisionRecord, Promotion
from promotions.reading.queries import gates_of, promotion_of
from promotions.reading.simulation import Draft, try_on_promotion
from promotions.verification.replay import replay
from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.identity.actions.grant_scope import grant_scope
from tests.factories import actor_of, make_promotion_policy
from tests.promotions.judging.test_security_on_real_reports import real
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.uploads import feed, uploaded

pytestmark = pytest.mark.django_db

ARTIFACT = "sha256:" + "5" * 64
GATE: dict[str, Any] = {
    "name": "cve",
    "kind": "security",
    "config": {"rules": {"release-aggregate-cve": {}, "kev-blocker": {}}, "trustedUploaders": ["operator"]},
    "override": {"by": ["third"]},
}


@pytest.fixture
def kestrel() -> Kestrel:
    kestrel = make_kestrel()
    admin, clock = kestrel["admin"], kestrel.clock
    listed(kestrel, "CVE-2000-0001")
    make_promotion_policy(admin, "scanned", clock=clock, gates=[GATE])
    update_environment(by=admin, clock=clock, environment_id=kestrel.dev.pk, changes={"promotion_policy": "scanned"})
    third = kestrel["third"].account
    grant_scope(by=admin, clock=clock, user_id=third, scope=PROMOTION_OVERRIDE, reason="On call")
    kestrel.actors["third"] = actor_of(User.objects.get(pk=third), kestrel.tenant)
    uploaded(kestrel["operator"], ARTIFACT, "vulnerabilities", real("trivy/alpine-39.json"), clock=clock)
    return kestrel


def listed(kestrel: Kestrel, cve: str) -> None:
    """The newest catalogue of exploited vulnerabilities has this one, for a long time."""
    kestrel.wait(hours=1)
    entry = {"cveID": cve, "dateAdded": "2020-01-01"}
    released = kestrel.clock.now().isoformat()
    document = {"catalogVersion": "1", "dateReleased": released, "count": 1, "vulnerabilities": [entry]}
    feed(kestrel["admin"], "kev", document, clock=kestrel.clock)


@pytest.fixture
def overridden(kestrel: Kestrel) -> Promotion:
    release = kestrel.release(components=[ComponentSpec("app", "registry.example/app", ARTIFACT)])
    promotion = kestrel.ask(release, kestrel.dev)
    assert (promotion.status, cve(promotion)["status"]) == ("pending", "pending")
    assert "OVERRIDE_POSSIBLE" in cve(promotion)["reasonCodes"]
    kestrel.wait()
    override_request = OverrideRequest(
        "cve", "musl is not reachable", "INC-7", kestrel.clock.now() + timedelta(hours=4), promotion.decision_id
    )
    override = override_gate(promotion.pk, override_request, by=kestrel["third"], clock=kestrel.clock)
    assert any("CVE-2019-14697" in each for each in override.findings)
    promotion.refresh_from_db()
    return promotion


def cve(promotion: Promotion) -> dict[str, Any]:
    record = DecisionRecord.objects.filter(promotion=promotion).latest("sequence")
    gates = orjson.loads(bytes(record.document))["gates"]
    return next(each for each in gates if each["name"] == "cve")


def test_it_lifts_what_was_found(overridden: Promotion) -> None:
    assert (overridden.status, cve(overridden)["status"]) == ("approved", "warn")


def test_a_finding_that_became_exploited_is_new_and_blocks(kestrel: Kestrel, overridden: Promotion) -> None:
    listed(kestrel, "CVE-2019-14697")
    evaluate(overridden.pk, by=kestrel["admin"], clock=kestrel.clock)
    gate = cve(overridden)
    assert "OVERRIDDEN" not in gate["reasonCodes"]
    assert gate["status"] == "pending"


def test_a_new_bundle_is_another_subject_and_needs_another_override(kestrel: Kestrel, overridden: Promotion) -> None:
    kestrel.wait()
    again = real("trivy/alpine-39.json") + b" "
    uploaded(kestrel["operator"], ARTIFACT, "vulnerabilities", again, clock=kestrel.clock)
    kestrel.wait()
    take_newest_documents(overridden.pk, by=kestrel["operator"], clock=kestrel.clock)
    assert "OVERRIDDEN" not in cve(overridden)["reasonCodes"]


def test_every_record_replays_equal(kestrel: Kestrel, overridden: Promotion) -> None:
    listed(kestrel, "CVE-2019-14697")
    evaluate(overridden.pk, by=kestrel["admin"], clock=kestrel.clock)
    assert [replay(each).equal for each in DecisionRecord.objects.filter(promotion=overridden)] == [True] * 3


def test_the_gate_names_the_documents_it_read_and_the_page_links_them(kestrel: Kestrel, overridden: Promotion) -> None:
    [gate] = [
        each for each in gates_of(promotion_of(kestrel.tenant.pk, overridden.pk), blind=False) if each["name"] == "cve"
    ]
    facts = {each["kind"]: each for each in gate["facts"]}
    assert facts["vulnerabilities"]["title"] == "trivy by trivy"
    assert {"bundle", "kev", "override"} <= facts.keys()
    client = Client()
    client.force_login(User.objects.get(pk=kestrel["viewer"].user_id))
    page = client.get(f"/promotions/{overridden.pk}").content.decode()
    assert f"/evidence/documents/{facts['vulnerabilities']['id']}" in page


def test_a_draft_is_tried_on_the_documents_of_the_record(kestrel: Kestrel, overridden: Promotion) -> None:
    softer = {**GATE, "config": {**GATE["config"], "rules": {"release-aggregate-cve": {"maxCritical": 50}}}}
    draft = Draft("scanned", 0, promotion_policy({"gates": [softer]}))
    trial = try_on_promotion(draft, promotion_of(kestrel.tenant.pk, overridden.pk), by=kestrel["admin"])
    [gate] = [each for each in trial.evaluation.gates if each.name == "cve"]
    assert gate.status in ("pass", "warn")
    assert "OVERRIDDEN" not in gate.reason_codes
