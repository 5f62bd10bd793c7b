"""Accounts that may be of one person: their votes, and whom they exclude (docs/adr/0234)."""

from typing import Any

import orjson
import pytest

from environments.actions.update_environment import update_environment
from policies.actions.create_promotion_policy import create_promotion_policy
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.etags import promotion_policy_tag
from policies.models import PromotionPolicy
from policies.second_person import SecondPersonNeeded
from promotions.actions.confirm import confirm
from promotions.actions.evaluate import evaluate
from promotions.actions.review_override import review_override
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.judging.held_accounts import FIRST, Act, after_another, excluded_with
from promotions.models import DecisionRecord, EvidencePacket, Promotion, Vote
from promotions.verification.replay import replay
from promotions.voting.rules import NotEligible, SeparationOfDuties
from promotions.worker.round import run_round
from stellapromote.accounts.models import HeldAccount
from stellapromote.api.etag import IfMatch
from stellapromote.errors import ProductError
from tests.factories import make_approval_policy, make_promotion_policy
from tests.kept import continued, kept
from tests.promotions.actions.overriding import SHUT, guard, may_override, overrides
from tests.promotions.held import confirms_account, held, invited, joins, with_boss
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


def make_policies(kestrel: Kestrel) -> None:
    """By the one administrator that there is."""
    admin, clock = kestrel["admin"], kestrel.clock
    confirmers = {"confirmers": {"teams": ["release", "security"]}, "text": "Restored", "minConfirmations": 2}
    gates: list[dict[str, Any]] = [{"name": "restored", "kind": "manual", "config": confirmers}]
    make_promotion_policy(admin, "checked", clock=clock, gates=gates)
    override = {"by": ["team:release", "team:security"], "maxHours": 8}
    make_promotion_policy(admin, "strict", clock=clock, gates=[{**SHUT, "override": override}])
    for name, more in (("apart", {"separationOfDuties": {"excludeDeployer": True}}), ("unseen", {"blind": True})):
        rules = [{"name": "all", "teams": ["release", "security"], "minApprovals": 2}]
        make_approval_policy(admin, name, clock=clock, rules=rules, **more)


@kept
def make_held() -> Kestrel:
    """mei and mo may be the boss; the command line made all three approvers. Staging needs two approvals."""
    kestrel = make_kestrel()
    make_policies(kestrel)
    with_boss(kestrel)
    held(kestrel, "mei", "approver", "operator", teams=("security",))
    held(kestrel, "mo", "approver")
    kestrel.wait()
    changes = {"requiredApprovals": 2}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=changes)
    return kestrel


@pytest.fixture
def kestrel() -> Kestrel:
    return make_held()


@continued
def for_staging(kestrel: Kestrel, by: str = "requester") -> Promotion:
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    return kestrel.ask(release, kestrel.staging, by=by)


def why_not(kestrel: Kestrel, who: str, promotion: Promotion) -> list[str]:
    with pytest.raises((NotEligible, SeparationOfDuties)) as refused:
        kestrel.approves(who, promotion)
    reasons: list[str] = (refused.value.details or {})["reasons"]
    return reasons


def exclusions(promotion: Promotion) -> dict[str, str | None]:
    record = DecisionRecord.objects.get(pk=Promotion.objects.get(pk=promotion.pk).decision_id)
    return {each["username"]: each["exclusion"] for each in orjson.loads(bytes(record.input))["candidates"]}


def snapshot(promotion: Promotion) -> dict[str, list[str]]:
    document = orjson.loads(bytes(promotion.requirements))
    return {each["username"]: each["reasons"] for each in document["excludedPersons"]}


def holds(kestrel: Kestrel, username: str, *holders: str) -> None:
    """As a reset that these people saw does."""
    kestrel.wait()
    HeldAccount.objects.create(
        tenant=kestrel.tenant,
        user_id=kestrel[username].account,
        holders=[kestrel[each].account for each in holders],
        because=HeldAccount.Because.RESET,
        held_at=kestrel.clock.now(),
    )


def test_without_the_person_who_may_have_it_an_account_votes(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel)
    kestrel.approves("mei", promotion)
    assert kestrel.approves("approver", promotion).status == "approved"


@pytest.mark.parametrize(
    ("first", "later"), [("boss", "mei"), ("mei", "boss"), ("mei", "mo")], ids=["holder", "account", "two accounts"]
)
def test_accounts_that_may_be_of_one_person_fill_one_place(kestrel: Kestrel, first: str, later: str) -> None:
    promotion = for_staging(kestrel)
    kestrel.approves(first, promotion)
    assert why_not(kestrel, later, promotion) == ["ACCOUNT_ACTED"]
    assert Promotion.objects.get(pk=promotion.pk).status == "awaiting_approval"
    assert kestrel.approves("approver", promotion).status == "approved"


def test_after_a_withdrawal_another_of_them_votes(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel)
    kestrel.approves("mei", promotion)
    kestrel.wait()
    withdraw_approval(promotion.pk, by=kestrel["mei"], clock=kestrel.clock)
    kestrel.approves("boss", promotion)


def test_the_record_and_the_inbox_know_at_once_who_may_vote_now(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel)
    account = kestrel["boss"].account
    assert account in promotion.open_voters
    promotion = kestrel.approves("mei", promotion)
    assert exclusions(promotion)["boss"] == "ACCOUNT_ACTED"
    assert account not in promotion.open_voters
    kestrel.wait()
    promotion = withdraw_approval(promotion.pk, by=kestrel["mei"], clock=kestrel.clock)
    assert exclusions(promotion)["boss"] is None
    assert account in promotion.open_voters


def test_a_vote_that_is_void_keeps_nobody_from_voting(kestrel: Kestrel) -> None:
    """The subject of the promotion has changed, which the second vote finds."""
    promotion = for_staging(kestrel)
    kestrel.approves("mei", promotion)
    other = for_staging(kestrel)
    kestrel.approves("approver", other)
    kestrel.deploys(kestrel.approves("second", other))
    assert Vote.objects.filter(promotion=promotion, username="mei", ended_at=None).exists()
    kestrel.approves("boss", promotion)
    live = Vote.objects.filter(promotion=promotion, ended_at=None).values_list("username", flat=True)
    assert list(live) == ["boss"]


def test_two_people_who_may_have_one_account_vote_both(kestrel: Kestrel) -> None:
    holds(kestrel, "mei", "approver")
    promotion = for_staging(kestrel)
    kestrel.approves("boss", promotion)
    assert kestrel.approves("approver", promotion).status == "approved"


def test_what_the_person_requests_their_accounts_do_not_decide(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel, by="boss")
    assert snapshot(promotion) == {
        "boss": ["REQUESTER"],
        "mei": ["ACCOUNT_RESET_BY"],
        "mo": ["ACCOUNT_RESET_BY"],
    }
    assert why_not(kestrel, "mei", promotion) == ["ACCOUNT_RESET_BY"]
    assert exclusions(promotion)["mo"] == "ACCOUNT_RESET_BY"


def test_what_an_account_requests_neither_its_holder_nor_another_account_decides(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel, by="mei")
    assert set(snapshot(promotion)) == {"mei", "boss", "mo"}
    for who in ("boss", "mo"):
        assert why_not(kestrel, who, promotion) == ["ACCOUNT_RESET_BY"]


def test_the_packet_names_them(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel, by="boss")
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    packet = orjson.loads(bytes(EvidencePacket.objects.get(promotion=promotion).document))
    excluded = {each["username"]: each["reasons"] for each in packet["content"]["actors"]["excluded"]}
    assert excluded["mei"] == ["ACCOUNT_RESET_BY"]


def test_a_snapshot_without_such_accounts_keeps_its_bytes() -> None:
    plain = make_kestrel()
    promotion = for_staging(plain)
    assert set(snapshot(promotion)) == {"requester"}
    assert b"held" not in bytes(promotion.requirements)


def test_an_account_that_is_taken_after_the_request_is_excluded_all_the_same(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel)
    holds(kestrel, "third", "requester")
    assert "third" not in snapshot(promotion)
    assert why_not(kestrel, "third", promotion) == ["ACCOUNT_RESET_BY"]


def test_the_requester_who_is_taken_after_the_request_excludes_the_person_who_took_them(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel)
    holds(kestrel, "requester", "third")
    assert why_not(kestrel, "third", promotion) == ["ACCOUNT_RESET_BY"]


def test_of_two_votes_the_later_is_void_when_the_accounts_come_into_one_hand(kestrel: Kestrel) -> None:
    changes = {"requiredApprovals": 3}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=changes)
    promotion = for_staging(kestrel)
    kestrel.approves("second", promotion)
    kestrel.approves("third", promotion)
    holds(kestrel, "third", "second")
    kestrel.wait()
    run_round("worker", kestrel.clock)
    live = Vote.objects.filter(promotion=promotion, ended_at=None).values_list("username", flat=True)
    assert list(live) == ["second"]
    assert Vote.objects.get(promotion=promotion, username="third").ended_as == "void"


def test_a_role_from_the_person_who_may_have_the_account_does_not_vote_until_it_is_confirmed(
    kestrel: Kestrel,
) -> None:
    invited(kestrel, "kim", roles=("approver",))
    promotion = for_staging(kestrel)
    assert why_not(kestrel, "kim", promotion) == ["ROLE_GRANTED_BY_HOLDER"]
    assert exclusions(promotion)["kim"] == "ROLE_GRANTED_BY_HOLDER"
    confirms_account(kestrel, "kim", by="approver")
    kestrel.approves("kim", promotion)
    assert kestrel.approves("boss", promotion).status == "approved"


def test_a_confirmation_has_open_promotions_judged_again(kestrel: Kestrel) -> None:
    invited(kestrel, "kim", roles=("approver",))
    promotion = for_staging(kestrel)
    assert kestrel["kim"].account not in Promotion.objects.get(pk=promotion.pk).open_voters
    confirms_account(kestrel, "kim")
    kestrel.wait()
    run_round("worker", kestrel.clock)
    assert kestrel["kim"].account in Promotion.objects.get(pk=promotion.pk).open_voters


def test_a_confirmed_account_is_one_of_its_own(kestrel: Kestrel) -> None:
    confirms_account(kestrel, "mei", by="approver")
    promotion = for_staging(kestrel)
    kestrel.approves("boss", promotion)
    assert kestrel.approves("mei", promotion).status == "approved"
    assert set(snapshot(for_staging(kestrel, by="mei"))) == {"mei"}


def test_a_vote_of_before_the_confirmation_stays_that_of_the_person_who_might_have_given_it(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel)
    kestrel.approves("mei", promotion)
    confirms_account(kestrel, "mei", by="approver")
    assert why_not(kestrel, "boss", promotion) == ["ACCOUNT_ACTED"]
    assert exclusions(promotion)["boss"] == "ACCOUNT_ACTED"
    assert kestrel.approves("approver", promotion).status == "approved"


def test_a_vote_of_after_the_confirmation_is_that_of_its_account_alone(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel)
    kestrel.approves("boss", promotion)
    confirms_account(kestrel, "mei", by="approver")
    assert kestrel.approves("mei", promotion).status == "approved"


def test_a_release_of_before_the_confirmation_is_of_its_holder_too(kestrel: Kestrel) -> None:
    changes = {"requireSeparationOfDuties": True}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=changes)
    release = kestrel.release(by="mei")
    confirms_account(kestrel, "mei", by="approver")
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    assert snapshot(kestrel.ask(release, kestrel.staging))["boss"] == ["ACCOUNT_RESET_BY"]


def test_a_manual_gate_counts_them_as_one(kestrel: Kestrel) -> None:
    changes = {"promotionPolicy": "checked"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=changes)
    promotion = for_staging(kestrel)
    kestrel.wait()
    confirm(promotion.pk, "restored", by=kestrel["boss"], clock=kestrel.clock)
    kestrel.wait()
    with pytest.raises(NotEligible):
        confirm(promotion.pk, "restored", by=kestrel["mei"], clock=kestrel.clock)


@continued
def strict(kestrel: Kestrel) -> None:
    changes = {"requiredApprovals": 1}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=changes)
    guard(kestrel, "strict")


def test_of_them_the_one_who_overrides_keeps_the_others_from_voting(kestrel: Kestrel) -> None:
    strict(kestrel)
    may_override(kestrel, "boss")
    promotion = kestrel.waits_for_production()
    overrides(kestrel, "boss", promotion)
    assert why_not(kestrel, "mei", promotion) == ["ACCOUNT_ACTED"]


def test_and_nobody_overrides_where_another_of_them_voted(kestrel: Kestrel) -> None:
    strict(kestrel)
    may_override(kestrel, "boss")
    promotion = kestrel.waits_for_production()
    kestrel.approves("mei", promotion)
    with pytest.raises(NotEligible) as refused:
        overrides(kestrel, "boss", promotion)
    assert (refused.value.details or {})["reasons"] == ["ACCOUNT_ACTED"]


def test_no_right_to_override_comes_from_the_person_who_may_have_the_account(kestrel: Kestrel) -> None:
    strict(kestrel)
    may_override(kestrel, "mei", by="boss")
    promotion = kestrel.waits_for_production()
    with pytest.raises(NotEligible) as refused:
        overrides(kestrel, "mei", promotion)
    assert (refused.value.details or {})["reasons"] == ["RIGHT_GRANTED_BY_EXCLUDED"]


@pytest.mark.parametrize("who", ["boss", "mo"])
def test_none_of_them_reviews_the_override_of_another(kestrel: Kestrel, who: str) -> None:
    strict(kestrel)
    may_override(kestrel, "mei")
    promotion = kestrel.waits_for_production()
    override = overrides(kestrel, "mei", promotion)
    kestrel.wait()
    with pytest.raises(SeparationOfDuties):
        review_override(promotion.pk, override.pk, by=kestrel[who], verdict="justified", clock=kestrel.clock)
    review_override(promotion.pk, override.pk, by=kestrel["second"], verdict="justified", clock=kestrel.clock)


def test_nor_one_that_was_given_before_the_account_was_confirmed(kestrel: Kestrel) -> None:
    strict(kestrel)
    may_override(kestrel, "mei")
    promotion = kestrel.waits_for_production()
    override = overrides(kestrel, "mei", promotion)
    confirms_account(kestrel, "mei", by="second")
    with pytest.raises(SeparationOfDuties):
        review_override(promotion.pk, override.pk, by=kestrel["boss"], verdict="justified", clock=kestrel.clock)


def test_nobody_overrides_where_an_account_of_theirs_voted_before_it_was_confirmed(kestrel: Kestrel) -> None:
    strict(kestrel)
    may_override(kestrel, "boss")
    promotion = kestrel.waits_for_production()
    kestrel.approves("mei", promotion)
    confirms_account(kestrel, "mei", by="second")
    with pytest.raises(NotEligible) as refused:
        overrides(kestrel, "boss", promotion)
    assert (refused.value.details or {})["reasons"] == ["ACCOUNT_ACTED"]


def test_who_approved_deploys_through_no_account_of_theirs(kestrel: Kestrel) -> None:
    changes = {"approvalPolicies": ["apart"]}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=changes)
    promotion = for_staging(kestrel)
    kestrel.approves("boss", promotion)
    kestrel.approves("approver", promotion)
    with pytest.raises(SeparationOfDuties):
        kestrel.reports(promotion, "started", by="mei")
    kestrel.reports(promotion, "started")


def test_nobody_publishes_a_draft_of_an_account_that_may_be_theirs(kestrel: Kestrel) -> None:
    joins(kestrel, "mei", roles=("admin",))
    create_promotion_policy(by=kestrel["mei"], clock=kestrel.clock, name="drafted", document={})
    policy = PromotionPolicy.objects.get(name="drafted")
    seen = IfMatch(promotion_policy_tag(policy))
    with pytest.raises(SecondPersonNeeded):
        publish_promotion_policy(by=kestrel["boss"], clock=kestrel.clock, name="drafted", if_match=seen)
    publish_promotion_policy(by=kestrel["admin"], clock=kestrel.clock, name="drafted", if_match=seen)


def test_nor_one_that_the_account_wrote_before_it_was_confirmed(kestrel: Kestrel) -> None:
    joins(kestrel, "mei", roles=("admin",))
    create_promotion_policy(by=kestrel["mei"], clock=kestrel.clock, name="drafted", document={})
    confirms_account(kestrel, "mei", by="approver")
    seen = IfMatch(promotion_policy_tag(PromotionPolicy.objects.get(name="drafted")))
    with pytest.raises(SecondPersonNeeded):
        publish_promotion_policy(by=kestrel["boss"], clock=kestrel.clock, name="drafted", if_match=seen)


def test_who_approved_through_an_account_deploys_nothing_when_it_is_confirmed(kestrel: Kestrel) -> None:
    changes = {"approvalPolicies": ["apart"]}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=changes)
    promotion = for_staging(kestrel)
    kestrel.approves("mei", promotion)
    confirms_account(kestrel, "mei", by="approver")
    kestrel.approves("approver", promotion)
    with pytest.raises(SeparationOfDuties):
        kestrel.reports(promotion, "started", by="boss")


def test_blind_voting_does_not_tell_that_another_of_them_voted(kestrel: Kestrel) -> None:
    changes = {"approvalPolicies": ["unseen"]}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=changes)
    promotion = for_staging(kestrel)
    kestrel.approves("mei", promotion)
    assert why_not(kestrel, "boss", promotion) == ["NO_OPEN_PLACE"]


def test_what_was_decided_with_them_is_replayed(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel, by="mei")
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    for record in DecisionRecord.objects.filter(promotion=promotion):
        assert replay(record).equal


def test_an_evaluation_asks_no_more_statements(kestrel: Kestrel, django_assert_max_num_queries: Any) -> None:
    promotion = for_staging(kestrel)
    kestrel.wait()
    with django_assert_max_num_queries(12):
        evaluate(promotion.pk, by=kestrel["approver"], clock=kestrel.clock)


HELD = {"mei": {"boss"}, "mo": {"boss"}}


def test_of_several_acts_the_first_counts() -> None:
    acts = [Act("2", "b", "mo"), Act("1", "a", "mei")]
    assert after_another(HELD, acts, []).keys() == {"mo", "boss"}
    assert after_another(HELD, [*acts, Act(FIRST, "c", "boss")], []).keys() == {"mo", "mei"}
    assert after_another({}, acts, []) == {}


def test_those_alike_an_excluded_person_are_excluded_with_their_own_reasons() -> None:
    found = excluded_with(HELD, {"mei": ["RELEASE_CREATOR"]}, "nia")
    assert found == {"mei": ["RELEASE_CREATOR"], "mo": ["ACCOUNT_RESET_BY"], "boss": ["ACCOUNT_RESET_BY"]}


def test_refusals_name_nobody(kestrel: Kestrel) -> None:
    promotion = for_staging(kestrel)
    kestrel.approves("mei", promotion)
    with pytest.raises(ProductError) as refused:
        kestrel.approves("boss", promotion)
    assert "mei" not in refused.value.message
