"""A replay compares every byte of a record, and the record with the rows around it (domain.md §7)."""

from typing import Any

import pytest

from environments.actions.update_environment import update_environment
from promotions.actions.confirm import confirm
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.judging import decision
from promotions.models import DecisionRecord, Promotion
from promotions.verification import replay
from stellapromote.ids import new_id
from tests.database import CommittedDatabase
from tests.factories import make_promotion_policy
from tests.kept import continued, kept
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel
from tests.promotions.tampering import Tampering

BACKUP = {
    "name": "backup",
    "kind": "manual",
    "config": {"confirmers": {"teams": ["release"]}, "text": "Backup checked"},
}


@kept
def make_backed() -> Kestrel:
    kestrel = make_kestrel()
    make_promotion_policy(kestrel["admin"], "backed", clock=kestrel.clock, gates=[BACKUP])
    changes = {"promotion_policy": "backed"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.production.pk, changes=changes)
    return kestrel


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    return make_backed()


@pytest.fixture
def promotion(kestrel: Kestrel) -> Promotion:
    return approved(kestrel)


@continued
def approved(kestrel: Kestrel) -> Promotion:
    """Approved by two people, after one of them took a vote back, with a confirmation."""
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion, comment="Looks right")
    kestrel.wait()
    withdraw_approval(promotion.pk, by=kestrel["approver"], clock=kestrel.clock)
    kestrel.approves("approver", promotion)
    kestrel.wait()
    confirm(promotion.pk, "backup", by=kestrel["third"], clock=kestrel.clock)
    return kestrel.approves("second", promotion)


@pytest.fixture
def tamper(committed_db: CommittedDatabase) -> Tampering:
    return Tampering(committed_db)


def places(promotion: Promotion) -> list[str | None]:
    """Where each record of the promotion differs."""
    return [replay.replay_stored(record).first_difference for record in records(promotion)]


def records(promotion: Promotion) -> list[DecisionRecord]:
    return list(DecisionRecord.objects.filter(promotion=promotion).order_by("sequence"))


def test_every_record_of_a_long_story_is_equal(promotion: Promotion) -> None:
    assert promotion.status == "approved"
    assert [replay.replay_stored(record).equal for record in records(promotion)] == [True] * 6


IN_THE_RECORD = [
    ("Approved by Approver and Second.", "Approved by Approver and Third.", "gates[3].message"),
    ('"nextChangeAt":null', '"nextChangeAt":"2027-01-01T00:00:00.000Z"', "gates[0].nextChangeAt"),
    ('"evaluatedAtUtc":"2026', '"evaluatedAtUtc":"2025', "evaluatedAtUtc"),
    ('"packetId":"0', '"packetId":"f', "evidence.packetId"),
    ('"approvals":', '"approvalz":', "approvals"),
    ('"username":"approver"', '"username":"bex"', "approvals[0].username"),
    ('"displayName":"Approver"', '"displayName":"Bex"', "approvals[0].displayName"),
    ('"decision":"allow"', '"decision":"deny"', "decision"),
    ('"inputDigest":"sha256:', '"inputDigest":"sha256:0', "inputDigest"),
    ('"policyName":"backed"', '"policyName":"baked"', "policyName"),
    ('"policyVersion":1', '"policyVersion":2', "policyVersion"),
    ('"requirementsDigest":"sha256:', '"requirementsDigest":"sha256:0', "requirementsDigest"),
    ('"humanDecisionEnvelopeIds":[]', '"humanDecisionEnvelopeIds":["a"]', "humanDecisionEnvelopeIds"),
    ('"bundleId":null', '"bundleId":"a"', "evidence.bundleId"),
    ('"schema":"stella.decision-record/v1"', '"schema":"stella.decision-record/v2"', "schema"),
    ('"name":"stellapromote"', '"name":"another"', "engine.name"),
    ('"sequence":6,', '"sequence":7,', "sequence"),
    ('"subjectDigest":"sha256:', '"subjectDigest":"sha256:0', "approvals[0].subjectDigest"),
    ('{"approvalPolicies"', '{ "approvalPolicies"', "body"),
    ('"name":"two-person","version":1', '"name":"one-person","version":1', "approvalPolicies[0].name"),
    ("{", "[", "body"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new", "place"), IN_THE_RECORD, ids=[each[0] for each in IN_THE_RECORD])
def test_a_change_of_the_record_is_found(
    promotion: Promotion, tamper: Tampering, old: str, new: str, place: str
) -> None:
    tamper.replace("promotions_decisionrecord", "document", old, new, "id = %s", [promotion.decision_id])
    assert places(promotion) == [None] * 5 + [place]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"username":"approver"', '"username":"bex"'),
        ("2026-", "2025-"),
        ("{", "["),
        ('{"candidates"', '{ "candidates"'),
    ],
)
def test_a_change_of_the_input_is_found(promotion: Promotion, tamper: Tampering, old: str, new: str) -> None:
    tamper.replace("promotions_decisionrecord", "input", old, new, "id = %s", [promotion.decision_id])
    assert places(promotion)[-1] is not None


VOTED = "promotion_id = (SELECT id FROM promotions_promotion ORDER BY number DESC LIMIT 1)"
FIRST = f"sequence = 1 AND {VOTED}"
IN_OTHER_ROWS = [
    ("UPDATE promotions_vote SET username = 'bex' WHERE username = 'second'", {6: "approvals[1].username"}),
    (
        f"UPDATE promotions_vote SET verdict = 'reject', comment = 'No' WHERE username = 'second' AND {VOTED}",
        {6: "approvals[1].reason"},
    ),
    ("UPDATE promotions_vote SET comment = 'Wrong' WHERE comment = 'Looks right'", {2: "approvals[0].reason"}),
    (
        "UPDATE promotions_vote SET ended_at = ended_at + interval '9 s' WHERE comment = 'Looks right'",
        {3: "approvals"},
    ),
    (f"DELETE FROM promotions_vote WHERE username = 'second' AND {VOTED}", {6: "approvals[1].at"}),
    (
        "UPDATE promotions_confirmation SET username = 'bex'",
        {5: "confirmations[0].username", 6: "confirmations[0].username"},
    ),
    (f"DELETE FROM promotions_decisionrecord WHERE sequence = 2 AND {VOTED}", {3: "previousDecisionId"}),
    (f"UPDATE promotions_decisionrecord SET decision = 'deny' WHERE sequence = 2 AND {VOTED}", {2: "decision"}),
    (
        f"UPDATE promotions_decisionrecord SET evaluated_at = now() WHERE sequence = 1 AND {VOTED}",
        {1: "evaluatedAtUtc"},
    ),
    (
        f"UPDATE promotions_decisionrecord SET determinism_hash = '' WHERE sequence = 1 AND {VOTED}",
        {1: "determinismHash"},
    ),
    (f"UPDATE promotions_decisionrecord SET sequence = 9 WHERE sequence = 6 AND {VOTED}", {9: "sequence"}),
    (
        f"""UPDATE promotions_evidencepacket
            SET decision_id = (SELECT id FROM promotions_decisionrecord WHERE {FIRST}) WHERE {VOTED}""",
        {1: "evidence.packetId", 6: "evidence.packetId"},
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("statement", "found"), IN_OTHER_ROWS, ids=[each[0][:60] for each in IN_OTHER_ROWS])
def test_a_change_of_a_row_that_the_record_tells_of_is_found(
    promotion: Promotion, tamper: Tampering, statement: str, found: dict[int, str]
) -> None:
    tamper.run(statement)
    told = {record.sequence: replay.replay_stored(record).first_difference for record in records(promotion)}
    assert {sequence: place for sequence, place in told.items() if place is not None} == found


def test_a_vote_that_no_record_knows_is_found(promotion: Promotion, tamper: Tampering) -> None:
    tamper.run(
        f"""INSERT INTO promotions_vote (SELECT (jsonb_populate_record(v, jsonb_build_object(
              'id', %s::text, 'voter_id', %s::text, 'username', 'bex'))).*
            FROM promotions_vote v WHERE username = 'second' AND {VOTED})""",
        [str(new_id()), str(new_id())],
    )
    tamper.run("UPDATE promotions_vote SET at = at - interval '1 second' WHERE username = 'bex'")
    assert places(promotion) == [None] * 5 + ["approvals"]


def test_sentences_of_another_version_are_not_compared_and_nothing_else_is_spared(
    promotion: Promotion, tamper: Tampering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision, "VERSION", "99.0")
    tamper.replace("promotions_decisionrecord", "document", "is not frozen.", "is free.", VOTED)
    assert places(promotion) == [None] * 6
    tamper.replace("promotions_decisionrecord", "document", '"policyName":"backed"', '"policyName":"baked"', VOTED)
    assert places(promotion) == ["policyName"] * 6


def test_page_and_api_say_where(kestrel: Kestrel, promotion: Promotion, tamper: Tampering) -> None:
    tamper.run("UPDATE promotions_vote SET username = 'bex' WHERE username = 'second'")
    browser: Any = client_of(kestrel, "auditor")
    answer = browser.post(f"/api/v1/promotions/{promotion.pk}/decision/replay", content_type="application/json").json()
    assert (answer["equal"], answer["firstDifference"]) == (False, "approvals[1].username")
    page = browser.post(f"/promotions/{promotion.pk}/replay").content.decode()
    assert "approvals[1].username" in page


def test_a_record_that_cannot_be_read_is_an_answer_and_no_error(
    kestrel: Kestrel, promotion: Promotion, tamper: Tampering
) -> None:
    tamper.run("UPDATE promotions_decisionrecord SET document = 'x'")
    browser: Any = client_of(kestrel, "auditor")
    answer = browser.post(f"/api/v1/promotions/{promotion.pk}/decision/replay", content_type="application/json")
    assert answer.status_code == 200
    assert answer.json() == {"equal": False, "recorded": {}, "firstDifference": "body"}
