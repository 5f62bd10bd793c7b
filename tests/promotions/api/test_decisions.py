"""Decision records over REST: stored bytes, history, replay, evaluation (contract.md, Promotions; domain.md §7)."""

import hashlib
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from django.core.management import call_command

from policies.models import ApprovalPolicyVersion, PromotionPolicyVersion
from promotions.models import DecisionRecord
from stellapromote.audit.models import AuditEvent
from tests.factories import make_freeze
from tests.promotions.api.world import World
from tests.promotions.formats.samples import cyclonedx, openvex, trivy, trivy_entry
from tests.promotions.uploads import uploaded

LONG_AGO, FAR_AHEAD = "2020-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"


def test_two_gets_of_the_decision_are_the_stored_canonical_bytes(world: World) -> None:
    promotion = world.approved()
    first, second = (world.vera.call("GET", f"promotions/{promotion.pk}/decision") for _ in range(2))
    record = DecisionRecord.objects.get(promotion=promotion, sequence=3)
    assert first.content == second.content == bytes(record.document) == rfc8785.dumps(json.loads(first.content))


def test_the_decision_in_force_is_304_for_who_holds_it(world: World) -> None:
    place = f"promotions/{world.waiting().pk}"
    tag = world.vera.call("GET", f"{place}/decision").headers["ETag"]
    assert world.vera.call("GET", f"{place}/decision", If_None_Match=tag).status_code == 304
    world.nia.ok("POST", f"{place}/approve", {})
    assert world.vera.call("GET", f"{place}/decision", If_None_Match=tag).status_code == 200


def test_the_input_of_a_decision_is_the_stored_bytes_with_the_digest_of_the_record(world: World) -> None:
    promotion = world.approved()
    place = f"promotions/{promotion.pk}"
    for record in world.vera.get(f"{place}/decisions")["data"]:
        answer = world.vera.call("GET", f"{place}/decisions/{record['sequence']}/input")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
        assert "sha256:" + hashlib.sha256(answer.content).hexdigest() == record["inputDigest"]
        assert answer.content == rfc8785.dumps(json.loads(answer.content))
        assert answer.content == bytes(DecisionRecord.objects.get(pk=record["id"]).input)
    in_force = world.vera.call("GET", f"{place}/decision/input")
    assert in_force.content == answer.content
    tag = in_force.headers["ETag"]
    assert world.vera.call("GET", f"{place}/decision/input", If_None_Match=tag).status_code == 304


@pytest.mark.parametrize("sequence", ["0", "4", "99999999999999999999", "-1", "last"])
def test_a_record_that_is_not_there_has_no_input(world: World, sequence: str) -> None:
    place = f"promotions/{world.approved().pk}/decisions/{sequence}/input"
    assert world.vera.refused("GET", place) == (404, "RES_NOT_FOUND")


def test_another_tenants_input_does_not_exist(world: World, stranger: World) -> None:
    promotion = world.approved()
    for path in ("decision/input", "decisions/1/input"):
        assert stranger.vera.refused("GET", f"promotions/{promotion.pk}/{path}") == (404, "RES_NOT_FOUND")


def test_explain_policy_and_a_simulation_take_the_input(world: World, tmp_path: Path) -> None:
    promotion = world.approved()
    answer = world.vera.call("GET", f"promotions/{promotion.pk}/decision/input")
    (tmp_path / "input.json").write_bytes(answer.content)
    policy = PromotionPolicyVersion.objects.get(policy__name="default", policy__tenant=world.tenant)
    document = json.loads(bytes(policy.canonical))
    (tmp_path / "policy.json").write_text(json.dumps(document))
    approval = ApprovalPolicyVersion.objects.get(policy__tenant=world.tenant)
    (tmp_path / "approval.json").write_bytes(bytes(approval.canonical))
    said = StringIO()
    call_command(
        "explain_policy",
        policy=str(tmp_path / "policy.json"),
        input=str(tmp_path / "input.json"),
        document=[str(tmp_path / "approval.json")],
        stdout=said,
    )
    assert said.getvalue().splitlines()[0] == "allow"

    body = {"gateInput": json.loads(answer.content), "version": 1}
    [result] = world.greta.ok("POST", "promotion-policies/default/simulate", body)["results"]
    assert result["decision"] == "allow"


def test_all_records_come_oldest_first_and_refer_to_each_other(world: World) -> None:
    promotion = world.approved()
    records = world.vera.get(f"promotions/{promotion.pk}/decisions")["data"]
    assert [(each["sequence"], each["decision"]) for each in records] == [(1, "pending"), (2, "pending"), (3, "allow")]
    assert [each["previousDecisionId"] for each in records] == [None, records[0]["id"], records[1]["id"]]
    assert [len(each["approvals"]) for each in records] == [0, 1, 2]


@pytest.mark.parametrize("voters", [[], ["nia"], ["nia", "mei"]])
def test_replay_is_equal_and_stores_nothing(world: World, voters: list[str]) -> None:
    promotion = world.waiting()
    for voter in voters:
        world.people[voter].ok("POST", f"promotions/{promotion.pk}/approve", {})
    before = (DecisionRecord.objects.count(), AuditEvent.objects.count())
    found = world.idris.ok("POST", f"promotions/{promotion.pk}/decision/replay")
    assert found["equal"] is True
    assert found["recorded"] == found["recomputed"]
    assert "firstDifference" not in found
    assert (DecisionRecord.objects.count(), AuditEvent.objects.count()) == before


@pytest.mark.parametrize("who", ["tomas", "nia", "greta"])
def test_evaluate_answers_with_the_record_in_force(world: World, who: str) -> None:
    place = f"promotions/{world.waiting().pk}"
    before = world.vera.call("GET", f"{place}/decision").content
    unchanged = world.people[who].call("POST", f"{place}/evaluate")
    assert (unchanged.status_code, unchanged.content) == (200, before)

    make_freeze(world.greta.actor, world.environments["production"], LONG_AGO, FAR_AHEAD)

    judged = world.people[who].ok("POST", f"{place}/evaluate", {})
    assert (judged["sequence"], judged["decision"]) == (2, "pending")
    assert "FROZEN" in str(judged["reasonCodes"])
    assert world.vera.get(place)["status"] == "pending"


def test_only_open_promotions_are_evaluated(world: World) -> None:
    promotion = world.waiting()
    world.nia.ok("POST", f"promotions/{promotion.pk}/reject", {"reason": "No"})
    assert world.tomas.refused("POST", f"promotions/{promotion.pk}/evaluate") == (409, "RES_STATE_CONFLICT")


@pytest.mark.parametrize("who", ["vera", "idris"])
def test_readers_do_not_evaluate(world: World, who: str) -> None:
    refusal = world.people[who].refused("POST", f"promotions/{world.waiting().pk}/evaluate")
    assert refusal == (403, "PERM_DENIED")


@pytest.mark.parametrize(
    ("method", "call"),
    [("GET", "decision"), ("GET", "decisions"), ("POST", "decision/replay"), ("GET", "evidence"), ("GET", "gates")],
)
def test_another_tenants_decision_does_not_exist(world: World, stranger: World, method: str, call: str) -> None:
    theirs: Any = stranger.approved()
    assert world.vera.refused(method, f"promotions/{theirs.pk}/{call}") == (404, "RES_NOT_FOUND")


def test_the_evidence_of_an_input_is_opened_by_artifact(world: World) -> None:
    release = world.release()
    artifact = release.components.get().digest
    for kind, document in [
        ("vulnerabilities", trivy(trivy_entry())),
        ("sbom", cyclonedx()),
        (
            "vex",
            openvex(
                {"@id": "pkg:deb/debian/openssl@3.0.11"},
                status="affected",
                justification=None,
                action_statement="Update.",
            ),
        ),
    ]:
        uploaded(world.tomas.actor, artifact, kind, document)
    promotion = world.requested(release, "dev")
    place = f"promotions/{promotion.pk}"
    view = world.vera.get(f"{place}/decision/input/evidence")
    record = world.vera.get(f"{place}/decision")
    assert view["inputDigest"] == record["inputDigest"]
    assert view["evidence"] == world.vera.get(f"{place}/decision/input")["evidence"]
    [found] = view["artifacts"]
    assert found["artifact"] == {"digest": artifact}
    assert [each["digest"] for each in found["sbom"]] == [record["evidence"]["sbomDigest"]]
    assert [len(found[name]) for name in ("vulnerabilities", "attestations", "inToto")] == [1, 0, 0]
    assert found["vex"]["statusSummary"] == {"not_affected": 0, "affected": 1, "fixed": 0, "under_investigation": 0}
    assert found["vex"]["mergedDigest"].startswith("sha256:")
    assert found["transparency"] is None
    assert world.vera.get(f"{place}/decisions/1/input/evidence") == view


def test_without_documents_the_evidence_of_an_input_is_empty(world: World) -> None:
    promotion = world.requested(world.release(), "dev")
    view = world.vera.get(f"promotions/{promotion.pk}/decision/input/evidence")
    assert (view["evidence"], view["artifacts"]) == (None, [])


def test_the_evidence_of_another_tenants_input_does_not_exist(world: World, stranger: World) -> None:
    promotion = world.requested(world.release(), "dev")
    for place in ("decision", "decisions/1"):
        refused = stranger.vera.refused("GET", f"promotions/{promotion.pk}/{place}/input/evidence")
        assert refused == (404, "RES_NOT_FOUND")
