"""Policies as code on stored promotions: asked at each evaluation, recorded with it, asked again at replay."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from environments.actions.update_environment import update_environment
from policies.engines import ask as asking
from promotions.models import DecisionRecord, Promotion
from promotions.reading.queries import current_record
from promotions.verification import replay
from stellapromote import isolation
from stellapromote.errors import ProductError
from stellapromote.signing.canonical_json import canonical_bytes
from tests.factories import make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db

WANTS_THIRD = """
people.votes.exists(v, v.username == "third")
  ? {"allow": true, "warn": [{"code": "THIRD_LOOKED", "message": "The third looked at it."}]}
  : {"allow": true}
"""


def guarded_by(text: str, *, places: Iterable[str] = ("dev", "staging"), **gate: Any) -> Kestrel:
    kestrel = make_kestrel()
    rule = {"name": "team-rule", "kind": "policy", "config": {"text": text, "timeoutMs": 1000}, **gate}
    make_promotion_policy(kestrel["admin"], "as-code", clock=kestrel.clock, gates=[rule])
    for environment in (getattr(kestrel, place) for place in places):
        update_environment(
            by=kestrel["admin"],
            clock=kestrel.clock,
            environment_id=environment.pk,
            changes={"promotion_policy": "as-code"},
        )
    return kestrel


def record_of(promotion: Promotion) -> DecisionRecord:
    return current_record(Promotion.objects.get(pk=promotion.pk))


def gate_of(promotion: Promotion) -> Any:
    document = orjson.loads(bytes(record_of(promotion).document))
    return next(gate for gate in document["gates"] if gate["name"] == "team-rule")


def test_a_policy_that_allows_lets_the_promotion_through() -> None:
    kestrel = guarded_by("target.name == 'dev'")
    assert kestrel.ask(kestrel.release(), kestrel.dev).status == "approved"


def test_a_policy_that_denies_rejects_with_its_own_code_and_sentence() -> None:
    kestrel = guarded_by("{'allow': false, 'deny': [{'code': 'NO_FRIDAYS', 'message': 'Not on Fridays.'}]}")
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    assert (promotion.status, promotion.status_reason) == ("rejected", "NO_FRIDAYS")
    assert promotion.status_detail == "Not on Fridays."


LONG = "X" * 63
DENIES = f"{{'allow': false, 'deny': [{{'code': '{LONG}', 'message': 'No.'}}]}}"


def test_a_long_code_is_kept_whole_at_the_request() -> None:
    kestrel = guarded_by(DENIES)
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    assert Promotion.objects.get(pk=promotion.pk).status_reason == LONG


def test_a_long_code_is_kept_whole_by_a_vote() -> None:
    kestrel = guarded_by(f"size(people.votes) == 0 ? {{'allow': true}} : {DENIES}")
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    promotion = kestrel.approves("third", kestrel.ask(release, kestrel.staging))
    assert Promotion.objects.get(pk=promotion.pk).status_reason == LONG


WAITS_FOR_THE_OWNERS = """
people.votes.exists(v, v.verdict == "approve" && "release" in v.teams)
  ? {"allow": true}
  : {"allow": false, "pending": [{"code": "OWNER_VOTE_MISSING", "message": "Wait for a vote of the team release."}]}
"""


def test_a_policy_waits_for_the_owners_vote_and_passes_with_it() -> None:
    kestrel = guarded_by(WAITS_FOR_THE_OWNERS, places=("production",))
    promotion = kestrel.waits_for_production()
    gate = gate_of(promotion)
    assert (promotion.status, gate["status"], gate["reasonCodes"]) == ("pending", "pending", ["OWNER_VOTE_MISSING"])
    assert gate["message"] == "Wait for a vote of the team release."
    assert kestrel["approver"].user_id in promotion.open_voters
    assert kestrel.approves("second", promotion).status == "pending"
    assert kestrel.approves("approver", promotion).status == "approved"
    for record in DecisionRecord.objects.filter(promotion=promotion):
        assert replay.replay(record).equal


def test_a_policy_that_says_the_word_of_a_reject_ends_no_further_attempts() -> None:
    denies = '{"allow": false, "deny": [{"code": "APPROVAL_REJECTED", "message": "No."}]}'
    kestrel = guarded_by(f'instant < "2026-11-02T12:00:00.000Z" ? {{"allow": true}} : {denies}')
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(promotion, "started")
    kestrel.reports(promotion, "failed", message="It crashed")
    kestrel.wait(hours=4)
    with pytest.raises(ProductError) as refused:
        kestrel.reports(promotion, "started")
    assert refused.value.code == "PROM_BLOCKED"
    assert not Promotion.objects.get(pk=promotion.pk).retry_closed


def test_the_reason_of_a_reject_is_why_it_was_denied_and_no_warning() -> None:
    warns = "'warn': [{'code': 'A_WARNING', 'message': 'Look out.'}]"
    kestrel = guarded_by(
        f"{{'allow': false, 'deny': [{{'code': 'NO_FRIDAYS', 'message': 'Not on Fridays.'}}], {warns}}}"
    )
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    assert (promotion.status_reason, promotion.status_detail) == ("NO_FRIDAYS", "Not on Fridays.")


def test_a_policy_that_fails_holds_the_promotion_up() -> None:
    kestrel = guarded_by("release.owner == 'x'")
    assert kestrel.ask(kestrel.release(), kestrel.dev).status == "pending"


def test_the_vote_that_was_just_given_is_in_the_input() -> None:
    kestrel = guarded_by(WANTS_THIRD)
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    promotion = kestrel.approves("third", kestrel.ask(release, kestrel.staging))
    assert gate_of(promotion)["reasonCodes"] == ["THIRD_LOOKED"]


@pytest.mark.parametrize("text", ["true", "false", "release.owner == 'x'", WANTS_THIRD])
def test_every_decision_replays_equal(text: str) -> None:
    kestrel = guarded_by(text)
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    assert replay.replay(record_of(promotion)).equal is True


def test_a_record_with_votes_replays_equal() -> None:
    kestrel = guarded_by(WANTS_THIRD)
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    promotion = kestrel.approves("third", kestrel.ask(release, kestrel.staging))
    assert [replay.replay(each).equal for each in DecisionRecord.objects.filter(promotion=promotion)] == [True, True]


def test_an_answer_that_the_engine_would_not_give_is_told_by_replay() -> None:
    kestrel = guarded_by("false")
    record = record_of(kestrel.ask(kestrel.release(), kestrel.dev))
    forged = orjson.loads(bytes(record.input))
    forged["policyAnswers"]["team-rule"]["result"] = True
    record.input = canonical_bytes(forged)
    told = replay.replay(record)
    assert told.equal is False
    record.input = bytes(DecisionRecord.objects.get(pk=record.pk).input)
    assert replay.replay(record).equal is True


def test_another_answer_that_changes_no_verdict_is_named_by_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    kestrel = guarded_by("true")
    record = record_of(kestrel.ask(kestrel.release(), kestrel.dev))
    real = asking.isolation.run

    def changed(task: str, payload: bytes, *, timeout: float) -> bytes:
        return b'{"allow":true}' if real(task, payload, timeout=timeout) == b"true" else b"false"

    monkeypatch.setattr(asking.isolation, "run", changed)
    told = replay.replay(record)
    assert (told.equal, told.first_difference) == (False, "policyAnswers.team-rule")


def test_a_record_whose_engine_is_away_is_not_replayable(monkeypatch: pytest.MonkeyPatch) -> None:
    kestrel = guarded_by("true")
    record = record_of(kestrel.ask(kestrel.release(), kestrel.dev))

    def away(task: str, payload: bytes, *, timeout: float) -> bytes:
        raise isolation.IsolationCrashed(task)

    monkeypatch.setattr(asking.isolation, "run", away)
    told = replay.replay(record)
    assert (told.equal, told.not_replayable) == (None, "the policy team-rule ended its process")


def test_with_the_engine_away_nothing_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    kestrel = guarded_by("true")
    release = kestrel.release()

    def away(task: str, payload: bytes, *, timeout: float) -> bytes:
        raise isolation.IsolationTimeout(task)

    monkeypatch.setattr(asking.isolation, "run", away)
    promotion = kestrel.ask(release, kestrel.dev)
    assert (promotion.status, gate_of(promotion)["reasonCodes"]) == ("pending", ["GATE_TIMEOUT"])
