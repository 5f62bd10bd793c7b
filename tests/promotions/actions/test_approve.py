import pytest
from django.http import Http404

from policies.models import ApprovalPolicy
from promotions.actions.approve import approve
from promotions.actions.releases import deprecate_release
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import DecisionRecord, EvidencePacket, Promotion, Vote
from promotions.voting.session import SeenSubject
from stellapromote.accounts.models import User
from stellapromote.errors import Invalid, ProductError
from tests.factories import actor_of, actor_of_token, make_person, make_service, make_tenant, make_token
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def test_two_right_people_approve_and_the_decision_is_signed(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    promotion = kestrel.sees_and_approves("approver", promotion)
    assert (promotion.status, promotion.approvals_given, promotion.approvals_required) == ("awaiting_approval", 1, 2)
    promotion = kestrel.sees_and_approves("second", promotion)
    assert promotion.status == "approved"
    assert EvidencePacket.objects.get(pk=promotion.evidence_packet_id).decision_id == promotion.decision_id


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("requester", "PERM_SEPARATION_OF_DUTIES"),  # asked for it
        ("builder", "PERM_SEPARATION_OF_DUTIES"),  # created the release, and production separates duties
        ("admin", "PERM_DENIED"),  # administering gives no vote
        ("auditor", "PERM_DENIED"),  # neither does auditing
        ("operator", "PERM_DENIED"),  # nor operating
        ("viewer", "PERM_DENIED"),  # nor looking
    ],
)
def test_nobody_votes_who_may_not(kestrel: Kestrel, who: str, code: str) -> None:
    promotion = kestrel.waits_for_production()
    with pytest.raises(ProductError) as refused:
        kestrel.approves(who, promotion)
    assert refused.value.code == code
    assert not Vote.objects.filter(promotion=promotion).exists()


def test_a_vote_that_no_open_rule_can_use_is_refused(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("second", promotion)
    user = make_person(kestrel.tenant, "late", roles=["approver"], teams=["security"], clock=kestrel.clock)
    with pytest.raises(ProductError) as refused:
        approve(promotion.pk, by=actor_of(user, kestrel.tenant), clock=kestrel.clock)
    assert refused.value.code == "PERM_NOT_ELIGIBLE"


def test_a_role_gained_after_the_request_does_not_count(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.wait()
    user = make_person(kestrel.tenant, "late", roles=["approver"], teams=["release"], clock=kestrel.clock)
    with pytest.raises(ProductError) as refused:
        approve(promotion.pk, by=actor_of(user, kestrel.tenant), clock=kestrel.clock)
    assert refused.value.code == "PERM_NOT_ELIGIBLE"


def test_one_person_in_both_teams_fills_one_place_only(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    promotion = kestrel.approves("third", promotion)
    assert promotion.status == "awaiting_approval"
    # Whoever comes next, the person in both teams moves to the place that is left.
    assert kestrel.approves("second", promotion).status == "approved"


def test_the_order_of_overlapping_votes_never_matters(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("second", promotion)
    assert kestrel.approves("third", promotion).status == "approved"


def test_a_second_vote_of_one_person_is_refused(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    with pytest.raises(ProductError) as refused:
        kestrel.approves("approver", promotion)
    assert refused.value.code == "RES_ALREADY_VOTED"


def test_a_service_account_never_votes(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    owner = make_person(kestrel.tenant, "owner", roles=["operator"], clock=kestrel.clock)
    service = make_service(kestrel.tenant, owner)
    machine = actor_of_token(make_token(kestrel.tenant, service.user))
    with pytest.raises(ProductError) as refused:
        approve(promotion.pk, by=machine, clock=kestrel.clock)
    assert refused.value.code == "PERM_SERVICE_ACCOUNT_CANNOT_VOTE"


def test_the_owner_of_the_machine_that_asked_may_not_vote(kestrel: Kestrel) -> None:
    release = kestrel.reaches_staging()
    owner = make_person(kestrel.tenant, "owner", roles=["approver"], teams=["release"], clock=kestrel.clock)
    service = make_service(kestrel.tenant, owner, clock=kestrel.clock)
    kestrel.actors["machine"] = actor_of_token(make_token(kestrel.tenant, service.user, clock=kestrel.clock))
    promotion = kestrel.ask(release, kestrel.production, by="machine")
    with pytest.raises(ProductError) as refused:
        approve(promotion.pk, by=actor_of(owner, kestrel.tenant), clock=kestrel.clock)
    assert refused.value.code == "PERM_SEPARATION_OF_DUTIES"


def test_another_tenants_promotion_does_not_exist(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    other = make_tenant("elsewhere")
    outsider = actor_of(make_person(other, "outsider", roles=["approver"]), other)
    with pytest.raises(Http404):
        approve(promotion.pk, by=outsider, clock=kestrel.clock)


def test_a_vote_on_content_the_voter_did_not_see_is_refused_and_says_what_changed(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    seen = promotion.subject_digest
    kestrel.approves("approver", promotion)
    other = kestrel.approved_for_production()
    kestrel.deploys(other)
    with pytest.raises(ProductError) as refused:
        kestrel.approves("second", promotion, seen=SeenSubject(seen))
    assert refused.value.code == "RES_SUBJECT_CHANGED"
    assert refused.value.details is not None
    assert refused.value.details["changed"] == ["currentReleaseId"]
    assert refused.value.changed_state
    # The vote given for the old subject is void, kept in history, and nothing passed.
    vote = Vote.objects.get(promotion=promotion)
    assert (vote.ended_as, vote.ended_reason) == ("void", "SUBJECT_CHANGED")
    assert Promotion.objects.get(pk=promotion.pk).status == "awaiting_approval"


def test_after_the_subject_changed_the_same_people_may_vote_again(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    kestrel.deploys(kestrel.approved_for_production())
    promotion = kestrel.approves("approver", promotion)
    assert promotion.approvals_given == 1
    assert kestrel.approves("second", promotion).status == "approved"


def test_a_vote_remembers_the_person_as_they_were(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion, comment="Looked at it")
    vote = Vote.objects.get(promotion=promotion)
    assert (vote.username, vote.teams, vote.roles, vote.comment) == (
        "approver",
        ["release"],
        ["approver"],
        "Looked at it",
    )
    assert vote.subject_binding == "implicit"
    assert vote.subject_digest == promotion.subject_digest


def test_a_withdrawn_approval_counts_no_more_and_stays_in_history(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.wait()
    promotion = withdraw_approval(promotion.pk, by=kestrel["second"], clock=kestrel.clock)
    assert (promotion.status, promotion.approvals_given) == ("awaiting_approval", 1)
    assert promotion.approved_at is None
    assert Vote.objects.filter(promotion=promotion, ended_as="withdrawn").count() == 1
    assert kestrel.approves("second", promotion).status == "approved"
    assert EvidencePacket.objects.filter(promotion=promotion, type="release_decision").count() == 2


def test_a_reject_needs_a_reason_and_ends_the_promotion(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    with pytest.raises(ProductError) as refused:
        kestrel.rejects("approver", promotion, reason="  ")
    assert refused.value.code == "VAL_INVALID"
    promotion = kestrel.rejects("approver", promotion, reason="Not before the audit")
    assert (promotion.status, promotion.status_reason) == ("rejected", "APPROVAL_REJECTED")
    assert "Not before the audit" in promotion.status_detail
    assert promotion.open_voters == []


def test_a_person_who_said_no_is_the_reason_whatever_else_fails(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.wait()
    deprecate_release(promotion.release_id, by=kestrel["builder"], reason="A hole", clock=kestrel.clock)
    promotion = kestrel.rejects("approver", promotion, reason="Not before the audit")
    record = DecisionRecord.objects.get(pk=promotion.decision_id)
    assert record.reason_codes == ["APPROVAL_REJECTED", "RELEASE_DEPRECATED"]
    assert promotion.status_reason == "APPROVAL_REJECTED"
    assert "Not before the audit" in promotion.status_detail


def test_a_reject_replaces_the_persons_own_approval(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    assert kestrel.rejects("approver", promotion).status == "rejected"
    assert Vote.objects.get(promotion=promotion, verdict="approve").ended_as == "replaced"


def test_excluded_people_cannot_reject_either(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    with pytest.raises(ProductError) as refused:
        kestrel.rejects("requester", promotion)
    assert refused.value.code == "PERM_SEPARATION_OF_DUTIES"


def test_votes_end_with_the_decision(kestrel: Kestrel) -> None:
    promotion = kestrel.rejects("approver", kestrel.waits_for_production())
    with pytest.raises(ProductError) as refused:
        kestrel.approves("second", promotion)
    assert refused.value.code == "RES_STATE_CONFLICT"


def test_every_stored_decision_names_the_people_who_could_vote(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    record = DecisionRecord.objects.get(promotion=promotion)
    names = {str(each.pk): each.username for each in User.objects.filter(memberships__tenant=kestrel.tenant)}
    assert {names[str(each)] for each in promotion.open_voters} == {"approver", "second", "third"}
    assert b'"exclusion":"RELEASE_CREATOR"' in bytes(record.input)


@pytest.mark.parametrize("comment", ["", "  "])
def test_a_policy_that_wants_a_comment_takes_no_approval_without_one(kestrel: Kestrel, comment: str) -> None:
    policy = ApprovalPolicy.objects.get(name="two-person")
    update_approval_policy(
        by=kestrel["admin"], clock=kestrel.clock, policy_id=policy.pk, changes={"commentRequired": True}
    )
    promotion = kestrel.waits_for_production()
    with pytest.raises(Invalid) as refused:
        kestrel.approves("approver", promotion, comment=comment)
    assert [(each.field, each.code) for each in refused.value.fields] == [("comment", "required")]
    assert not Vote.objects.filter(promotion=promotion).exists()
    assert kestrel.approves("approver", promotion, comment="Looked at the diff").approvals_given == 1
