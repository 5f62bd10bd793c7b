"""What the API answers to who is blind to votes."""

import pytest

from promotions.actions.confirm import confirm
from promotions.actions.start_check import Blocked
from promotions.models import DecisionRecord, Promotion, Vote
from promotions.voting.blindness import VOTES_HIDDEN, BlindToVotes, check_can_see_votes
from stellapromote.identity.actions.end_role import end_role
from tests.promotions.kestrel import Kestrel
from tests.promotions.voting.blindness.blinded import BLIND, SAID, SEES, TELLTALE, call, code, half_way, post

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.mark.parametrize("path", ["approvals", "decision", "decision/input", "decisions", "decisions/3/input"])
def test_what_cannot_be_told_without_votes_is_refused(kestrel: Kestrel, path: str) -> None:
    promotion = half_way(kestrel)
    for who in BLIND:
        assert code(call(kestrel, who, f"{promotion.pk}/{path}")) == (403, "PERM_BLIND"), who
    for who in SEES:
        assert SAID in call(kestrel, who, f"{promotion.pk}/{path}").content.decode(), who


@pytest.mark.parametrize("path", ["decision/input/evidence", "decisions/3/input/evidence"])
def test_a_view_of_what_is_refused_is_refused_too(kestrel: Kestrel, path: str) -> None:
    promotion = half_way(kestrel)
    for who in BLIND:
        assert code(call(kestrel, who, f"{promotion.pk}/{path}")) == (403, "PERM_BLIND"), who
    for who in SEES:
        assert call(kestrel, who, f"{promotion.pk}/{path}").status_code == 200, who


def test_a_replay_and_an_evaluation_are_refused_before_they_do_anything(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    records = DecisionRecord.objects.count()
    for who in ("approver", "operator", "admin"):
        assert code(post(kestrel, who, f"{promotion.pk}/evaluate")) == (403, "PERM_BLIND")
        assert code(post(kestrel, who, f"{promotion.pk}/decision/replay")) == (403, "PERM_BLIND")
    assert (DecisionRecord.objects.count(), Promotion.objects.get(pk=promotion.pk).version) == (
        records,
        promotion.version,
    )
    assert post(kestrel, "quillon", f"{promotion.pk}/decision/replay").json()["equal"] is True


def test_an_evaluation_that_takes_an_approval_back_is_stored_and_not_told(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    confirm(promotion.pk, "backup", by=kestrel["approver"], clock=kestrel.clock)
    kestrel.approves("second", promotion)
    end_role(by=kestrel["admin"], clock=kestrel.clock, user_id=kestrel["second"].account, role="approver")
    assert code(post(kestrel, "operator", f"{promotion.pk}/evaluate")) == (403, "PERM_BLIND")
    assert Promotion.objects.get(pk=promotion.pk).status == "awaiting_approval"


def test_the_detail_says_that_votes_are_hidden_and_counts_them(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    shown = call(kestrel, "approver", f"{promotion.pk}").json()
    assert shown["votesHidden"] is True
    assert (shown["decisionRecord"], shown["approvals"], shown["eligibleApprovers"]) == (None, [], [])
    assert shown["approvalCount"] == {"required": 2, "given": 1}
    assert [event["action"] for event in shown["timeline"]] == ["promotion.requested"]
    seen = call(kestrel, "quillon", f"{promotion.pk}").json()
    assert (seen["votesHidden"], seen["approvals"][0]["comment"]) == (False, SAID)
    assert seen["decisionRecord"]["sequence"] == seen["decision"]["sequence"]


def test_gates_that_tell_of_votes_say_so_and_keep_their_status(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    gates = {gate["name"]: gate for gate in call(kestrel, "approver", f"{promotion.pk}/gates").json()["data"]}
    hidden = {name for name, gate in gates.items() if VOTES_HIDDEN in gate["reasonCodes"]}
    assert hidden == {"backup", "team-rule", "approval"}
    for name in hidden:
        assert (gates[name]["whoCanAct"], gates[name]["changes"]) == ([], []), name
        assert {fact["kind"] for fact in gates[name]["facts"]} <= {"policy", "approval-policy"}, name
    assert gates["approval"]["details"] == {"required": 2, "given": 1}
    assert gates["approval"]["message"].startswith("1 of 2 approvals are given; by whom")
    assert gates["approval"]["reasonCodes"] == [VOTES_HIDDEN]
    assert gates["backup"]["details"] == {"text": "Backup checked", "minConfirmations": 2}
    assert (gates["team-rule"]["status"], gates["team-rule"]["reasonCodes"]) == ("warn", ["LOOKED_AT", VOTES_HIDDEN])
    assert gates["preconditions"]["details"]


def test_who_is_blind_has_a_tag_of_their_own_which_is_as_good_for_a_vote(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    tags = {who: call(kestrel, who, f"{promotion.pk}").headers["ETag"] for who in ("quillon", "zephyrine", "second")}
    assert len(set(tags.values())) == 3
    for who in tags:
        for other, tag in tags.items():
            answer = call(kestrel, who, f"{promotion.pk}", **{"If-None-Match": tag})
            assert answer.status_code == (304 if who == other else 200), (who, other)
    refused = post(kestrel, "second", f"{promotion.pk}/approve", **{"If-Match": tags["zephyrine"]})
    assert code(refused) == (412, "RES_PRECONDITION_FAILED")
    given = post(kestrel, "second", f"{promotion.pk}/approve", **{"If-Match": tags["second"]})
    assert (given.status_code, given.json()["votesHidden"]) == (200, False)
    again = call(kestrel, "second", f"{promotion.pk}", **{"If-None-Match": given.headers["ETag"]})
    assert again.status_code == 304
    assert Vote.objects.get(promotion=promotion, voter_id=kestrel["second"].user_id).subject_binding == "explicit"


def test_whoever_votes_is_told_with_the_answer(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    answer = post(kestrel, "second", f"{promotion.pk}/approve", {"comment": "Fine"}).json()
    assert answer["votesHidden"] is False
    assert TELLTALE in str(answer["decision"]["gates"])


def test_who_only_confirms_is_not_told_with_the_answer(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    answer = post(kestrel, "approver", f"{promotion.pk}/gates/backup/confirm").json()
    assert answer["votesHidden"] is True
    assert TELLTALE not in str(answer)


def test_a_refused_start_names_nobody(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    confirm(promotion.pk, "backup", by=kestrel["approver"], clock=kestrel.clock)
    kestrel.approves("second", promotion)
    end_role(by=kestrel["admin"], clock=kestrel.clock, user_id=kestrel["second"].account, role="approver")
    with pytest.raises(Blocked) as refusal:
        kestrel.reports(promotion, "started")
    assert refusal.value.message.startswith("1 of 2 approvals are given; by whom")
    told = str(refusal.value.details)
    assert str(kestrel["quillon"].user_id) not in told
    assert str(kestrel["third"].user_id) not in told


def test_the_refusal_says_when_it_ends(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    with pytest.raises(BlindToVotes, match="to those who have voted, and to everybody when it takes no more votes"):
        check_can_see_votes(kestrel["approver"], promotion)
