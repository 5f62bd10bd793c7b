"""A vote that an evaluation finds void is void for good, and everybody can see it (domain.md §5; ADR 102)."""

from typing import Any

import orjson
import pytest

from environments.actions.update_environment import update_environment
from promotions.actions.confirm import confirm
from promotions.models import DecisionRecord, EvidencePacket, OutboxEvent, Promotion
from promotions.reading import presenters
from promotions.reading.queries import acts_of
from promotions.verification import replay
from promotions.worker.round import run_round
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import User
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from tests.factories import make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def loses_the_role(kestrel: Kestrel, who: str) -> None:
    kestrel.wait()
    by = command_actor(kestrel.tenant)
    end_role(by=by, clock=kestrel.clock, user_id=kestrel[who].account, role="approver")


def after_a_round(kestrel: Kestrel, promotion: Promotion) -> Promotion:
    kestrel.wait()
    run_round("worker", kestrel.clock)
    return Promotion.objects.get(pk=promotion.pk)


def shown(promotion: Promotion) -> dict[str, Any]:
    """What the API says of each act, by person."""
    return {act.username: presenters.act_document(act) for act in acts_of(promotion)}


def voided(promotion: Promotion) -> list[OutboxEvent]:
    return list(OutboxEvent.objects.filter(promotion=promotion, name="approval.voided"))


def test_a_vote_whose_author_lost_the_role_is_shown_as_void(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("second", promotion)
    loses_the_role(kestrel, "second")
    after_a_round(kestrel, promotion)
    vote = shown(promotion)["second"]
    assert (vote["status"], vote["endedReason"]) == ("void", "VOTER_NOT_ELIGIBLE")
    [event] = voided(promotion)
    assert event.payload["voters"] == [str(kestrel["second"].account)]


def test_the_record_of_the_evaluation_that_found_it_names_it_and_replays(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    loses_the_role(kestrel, "second")
    promotion = after_a_round(kestrel, promotion)
    record = DecisionRecord.objects.get(pk=promotion.decision_id)
    assert record.reason_codes == ["APPROVAL_PENDING", "VOTER_NOT_ELIGIBLE"]
    assert len(orjson.loads(bytes(record.document))["approvals"]) == 2
    assert replay.replay(record).equal


def test_it_does_not_come_alive_again_with_its_author(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("second", promotion)
    second = User.objects.filter(pk=kestrel["second"].account)
    second.update(is_active=False)
    kestrel.approves("approver", promotion)
    second.update(is_active=True)
    kestrel.wait()
    by = command_actor(kestrel.tenant)
    grant_role(by=by, clock=kestrel.clock, user_id=kestrel["third"].account, role="auditor")  # everything is looked at
    promotion = after_a_round(kestrel, promotion)
    assert (promotion.status, promotion.approvals_given) == ("awaiting_approval", 1)
    assert kestrel.approves("second", promotion).status == "approved"


def test_a_confirmation_ends_in_the_same_way(kestrel: Kestrel) -> None:
    config = {"confirmers": {"users": ["third"]}, "text": "Backup"}
    gates = [{"name": "backup", "kind": "manual", "config": config}]
    make_promotion_policy(kestrel["admin"], "by-hand", clock=kestrel.clock, gates=gates)
    changes = {"promotion_policy": "by-hand"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.production.pk, changes=changes)
    promotion = kestrel.waits_for_production()
    kestrel.wait()
    confirm(promotion.pk, "backup", by=kestrel["third"], clock=kestrel.clock)
    loses_the_role(kestrel, "third")
    after_a_round(kestrel, promotion)
    assert shown(promotion)["third"]["status"] == "void"
    assert len(voided(promotion)) == 1


def test_the_packet_names_those_whose_vote_counted(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("third", promotion)
    loses_the_role(kestrel, "third")
    kestrel.approves("approver", promotion)
    assert kestrel.approves("second", promotion).status == "approved"
    packet = orjson.loads(bytes(EvidencePacket.objects.get(promotion=promotion).document))
    assert [each["username"] for each in packet["content"]["actors"]["approvers"]] == ["approver", "second"]


def test_a_look_that_finds_nothing_void_ends_nothing(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("second", promotion)
    loses_the_role(kestrel, "third")
    after_a_round(kestrel, promotion)
    assert shown(promotion)["second"]["status"] == "live"
    assert voided(promotion) == []
