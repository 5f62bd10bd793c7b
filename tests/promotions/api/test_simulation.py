"""Trying a policy on recorded decisions, and the difference of two versions (contract.md, Policies and gates)."""

from typing import Any

import orjson
import pytest

from environments.actions.update_environment import update_environment
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.actions.save_draft import save_draft
from promotions.judging.documents_of_input import documents_of
from promotions.models import DecisionRecord, Promotion
from promotions.reading import simulation
from stellapromote.clock import rfc3339
from stellapromote.database_clock import DATABASE_CLOCK
from tests.factories import make_promotion_policy
from tests.promotions.api.world import World
from tests.promotions.formats.samples import ARTIFACT, cyclonedx, trivy, trivy_entry
from tests.promotions.uploads import feed, uploaded
from tests.proposals import confirmed

SIMULATE = "promotion-policies/strict/simulate"
SHUT: dict[str, Any] = {
    "name": "hours",
    "kind": "schedule",
    "config": {"windows": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}], "outside": "fail"},
}
BACKUP = {
    "name": "backup",
    "kind": "manual",
    "config": {"confirmers": {"teams": ["release"]}, "text": "Backup checked"},
}


@pytest.fixture
def strict(world: World) -> World:
    """`strict` guards production; its draft adds hours that are over."""
    greta = world.greta.actor
    make_promotion_policy(greta, "strict")
    update_environment(
        by=greta,
        clock=DATABASE_CLOCK,
        environment_id=world.environments["production"].pk,
        changes={"promotionPolicy": "strict"},
    )
    save_draft(by=greta, clock=DATABASE_CLOCK, name="strict", changes={"gates": [SHUT]})
    return world


def test_the_draft_is_judged_on_the_facts_of_a_decision(strict: World) -> None:
    promotion = strict.approved()
    answer = strict.greta.ok("POST", SIMULATE, {"promotionId": str(promotion.pk)})
    assert answer["policy"]["version"] is None
    assert (answer["count"], answer["differing"]) == (1, 1)
    [result] = answer["results"]
    assert (result["number"], result["recorded"]["decision"], result["decision"]) == (promotion.number, "allow", "deny")
    assert result["differences"] == [
        {
            "gate": "hours",
            "before": None,
            "after": {
                "type": "schedule",
                "status": "fail",
                "reasonCodes": ["OUTSIDE_SCHEDULE", "SCHEDULE_ENDED"],
            },
        }
    ]
    assert [gate["name"] for gate in result["gates"]] == ["preconditions", "freeze-window", "hours", "approval"]


def test_the_same_policy_makes_no_difference(strict: World) -> None:
    promotion = strict.approved()
    answer = strict.greta.ok("POST", SIMULATE, {"promotionId": str(promotion.pk), "version": 1})
    assert (answer["policy"]["version"], answer["differing"], answer["results"][0]["differences"]) == (1, 0, [])


def test_a_document_that_is_sent_is_tried(strict: World) -> None:
    promotion = strict.approved()
    sent = {"promotionId": str(promotion.pk), "document": {"gates": [BACKUP]}}
    [result] = strict.greta.ok("POST", SIMULATE, sent)["results"]
    assert (result["decision"], result["reasonCodes"]) == ("pending", ["CONFIRMATION_PENDING"])


def test_facts_that_the_record_does_not_hold_never_pass(strict: World) -> None:
    promotion = strict.approved()
    needs = {
        "kind": "dependency",
        "config": {"targets": [{"type": "environment", "environment": "dev", "state": "idle"}]},
    }
    sent = {"promotionId": str(promotion.pk), "document": {"gates": [needs]}}
    [result] = strict.greta.ok("POST", SIMULATE, sent)["results"]
    assert (result["decision"], result["reasonCodes"]) == ("pending", ["GATE_FACTS_MISSING"])


def test_facts_that_are_sent_are_judged_and_compared_with_nothing(strict: World) -> None:
    promotion = strict.approved()
    facts = orjson.loads(bytes(DecisionRecord.objects.get(pk=promotion.decision_id).input))
    [result] = strict.greta.ok("POST", SIMULATE, {"gateInput": facts, "version": 1})["results"]
    assert (result["decision"], result["recorded"], result["differs"]) == ("allow", None, False)


def test_which_of_the_last_decisions_would_differ(strict: World) -> None:
    allowed, waiting = strict.approved(), strict.waiting()
    answer = strict.greta.ok("POST", SIMULATE, {"last": 10})
    assert [each["number"] for each in answer["results"]] == [waiting.number, allowed.number]
    assert answer["differing"] == 2
    assert "gates" not in answer["results"][0]
    assert strict.greta.ok("POST", SIMULATE, {"last": 1})["count"] == 1


def test_a_slow_policy_is_not_tried_on_all(strict: World, monkeypatch: pytest.MonkeyPatch) -> None:
    strict.approved()
    monkeypatch.setattr("promotions.reading.simulation.MOST_SECONDS", -1.0)
    answer = strict.greta.ok("POST", SIMULATE, {"last": 10})
    assert (answer["count"], answer["complete"], answer["hidden"]) == (0, False, 0)


def test_a_process_tries_one_policy_at_a_time(strict: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them would take both threads from everybody else, for 20 s."""
    promotion = strict.approved()
    monkeypatch.setattr("promotions.reading.simulation.PATIENCE", 0.01)
    sent: list[dict[str, Any]] = [
        {"last": 1},
        {"promotionId": str(promotion.pk)},
        {"gateInput": orjson.loads(bytes(DecisionRecord.objects.get(pk=promotion.decision_id).input))},
    ]
    with simulation._one_at_a_time:
        for body in sent:
            refused = strict.greta.call("POST", SIMULATE, body)
            assert (refused.status_code, refused["Retry-After"]) == (503, "10")
            assert refused.json()["error"]["code"] == "SYS_UNAVAILABLE"
    for body in sent:
        assert strict.greta.ok("POST", SIMULATE, body)["count"] == 1


def test_of_one_environment(strict: World) -> None:
    strict.approved()
    dev = str(strict.environments["dev"].pk)
    results = strict.greta.ok("POST", SIMULATE, {"last": 10, "environmentId": dev})["results"]
    assert {each["targetEnvironmentName"] for each in results} == {"dev"}


def test_nothing_is_stored(strict: World) -> None:
    promotion = strict.approved()
    before = (DecisionRecord.objects.count(), Promotion.objects.get(pk=promotion.pk).version)
    strict.greta.ok("POST", SIMULATE, {"last": 10})
    assert (DecisionRecord.objects.count(), Promotion.objects.get(pk=promotion.pk).version) == before


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({}, "promotionId"),
        ({"last": 1, "gateInput": {}}, "last"),
        ({"last": 0}, "last"),
        ({"last": 201}, "last"),
        ({"last": 1, "document": {}, "version": 1}, "version"),
        ({"last": 1, "document": {"gates": [{"kind": "oracle"}]}}, "document.gates[0].kind"),
        ({"gateInput": {"schema": "x"}}, "gateInput.schema"),
        ({"promotionId": "x"}, "promotionId"),
    ],
)
def test_what_cannot_be_tried_is_told_by_place(strict: World, sent: dict[str, Any], place: str) -> None:
    response = strict.greta.call("POST", SIMULATE, sent)
    assert response.status_code == 400, response.content
    assert place in [each["field"] for each in response.json()["error"]["validationErrors"]]


def test_who_may_not_edit_policies_tries_none(strict: World) -> None:
    assert strict.vera.refused("POST", SIMULATE, {"last": 1}) == (403, "PERM_DENIED")


def test_another_tenants_promotion_is_not_found(strict: World, stranger: World) -> None:
    theirs = stranger.waiting()
    assert strict.greta.refused("POST", SIMULATE, {"promotionId": str(theirs.pk)}) == (404, "RES_NOT_FOUND")


class TestDiff:
    def test_two_versions_are_compared_field_by_field(self, strict: World) -> None:
        confirmed(publish_promotion_policy(by=strict.greta.actor, clock=DATABASE_CLOCK, name="strict"))
        answer = strict.vera.get("promotion-policies/strict/versions/2/diff?against=1")
        assert (answer["version"], answer["against"]) == (2, 1)
        places = {each["place"]: (each["before"], each["after"]) for each in answer["differences"]}
        assert places["gates / hours / kind"] == (None, "schedule")
        assert strict.vera.get("promotion-policies/strict/versions/2/diff") == answer

    def test_an_unknown_version_is_not_found(self, strict: World) -> None:
        path = "promotion-policies/strict/versions/1/diff"
        assert strict.vera.refused("GET", f"{path}?against=9") == (404, "RES_NOT_FOUND")
        assert strict.vera.refused("GET", f"{path}?against=zero") == (400, "VAL_INVALID")


def _with_foreign_digest(facts: dict[str, Any], place: str, digest: str) -> dict[str, Any]:
    if place == "candidates":
        return {**facts, "candidates": {"digest": digest, "count": 1}}
    feed = {"digest": "sha256:" + "1" * 64, "publishedAt": "2026-11-01T00:00:00.000Z", "extract": digest}
    return {**facts, "evidence": {**facts["evidence"], place: feed}}


@pytest.mark.slow
@pytest.mark.parametrize("place", ["candidates", "kev", "epss"])
@pytest.mark.parametrize("what", ["content_id", "parsed_id"])
def test_a_digest_that_is_sent_tells_not_whether_any_tenant_stored_it(
    strict: World, stranger: World, place: str, what: str
) -> None:
    theirs = uploaded(stranger.tomas.actor, ARTIFACT, "sbom", cyclonedx(version=7))
    release = strict.release()
    uploaded(strict.tomas.actor, release.components.get().digest, "vulnerabilities", trivy(trivy_entry()))
    promotion = strict.requested(release, "dev")
    facts = orjson.loads(bytes(DecisionRecord.objects.get(pk=promotion.decision_id).input))
    rules = {"kev-blocker": {}, "epss-threshold": {"threshold": 0.1}}
    config = {"rules": rules, "trustedUploaders": ["tomas"]}
    document = {"gates": [{"name": "cves", "kind": "security", "config": config}]}
    answers = []
    for named in (getattr(theirs, what), "sha256:" + "0" * 64):
        sent = _with_foreign_digest(facts, place, named)
        response = strict.greta.call("POST", SIMULATE, {"gateInput": sent, "document": document})
        assert response.status_code == 200, response.content
        answers.append(response.content.replace(named.encode(), b"the digest"))
    assert answers[0] == answers[1]


def _cves(world: World) -> dict[str, Any]:
    config = {"rules": {"kev-blocker": {}}, "trustedUploaders": [world.tomas.user.username]}
    return {"name": "cves", "kind": "security", "config": config}


def _judged_by_a_feed(world: World) -> dict[str, Any]:
    """The recorded facts of a promotion whose findings a feed was asked about."""
    greta = world.greta.actor
    today = rfc3339(DATABASE_CLOCK.now())
    listed = [{"cveID": "CVE-2025-0009", "dateAdded": "2025-02-03"}]
    feed(greta, "kev", {"catalogVersion": "1", "dateReleased": today, "count": 1, "vulnerabilities": listed})
    make_promotion_policy(greta, "scanned", gates=[_cves(world)])
    dev = world.environments["dev"].pk
    update_environment(by=greta, clock=DATABASE_CLOCK, environment_id=dev, changes={"promotionPolicy": "scanned"})
    release = world.release()
    uploaded(world.tomas.actor, release.components.get().digest, "vulnerabilities", trivy(trivy_entry()))
    promotion = world.requested(release, "dev")
    facts: dict[str, Any] = orjson.loads(bytes(DecisionRecord.objects.get(pk=promotion.decision_id).input))
    assert facts["evidence"]["kev"] is not None
    return facts


def _codes_of_cves(world: World, facts: dict[str, Any]) -> list[str]:
    [result] = world.greta.ok("POST", SIMULATE, {"gateInput": facts, "document": {"gates": [_cves(world)]}})["results"]
    return next(gate["reasonCodes"] for gate in result["gates"] if gate["name"] == "cves")


def test_recorded_facts_that_are_sent_are_judged_with_the_feed_that_they_name(strict: World) -> None:
    assert "GATE_ERROR" not in _codes_of_cves(strict, _judged_by_a_feed(strict))


@pytest.mark.slow
@pytest.mark.parametrize("about", ["their promotion", "no promotion", "a promotion of mine"])
def test_nobody_learns_that_another_tenant_has_just_these_vulnerabilities(
    strict: World, stranger: World, about: str
) -> None:
    """The extract of a feed is named by what was asked about: a digest that can be computed from a guess."""
    theirs = _judged_by_a_feed(stranger)
    mine = strict.requested(strict.release(), "dev")
    facts = orjson.loads(bytes(DecisionRecord.objects.get(pk=mine.decision_id).input))
    facts["evidence"] = {**theirs["evidence"], "bundleDigest": facts["subject"]["digest"], "currentBundleDigest": None}
    if about != "a promotion of mine":
        facts["promotion"]["id"] = theirs["promotion"]["id"] if about == "their promotion" else "none"
    extract = theirs["evidence"]["kev"]["extract"]
    assert extract not in documents_of(strict.tenant.pk, facts, sent=True)
    assert extract in documents_of(strict.tenant.pk, facts)
