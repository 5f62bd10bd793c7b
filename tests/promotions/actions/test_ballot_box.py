import pytest

from promotions.actions.ballot_box import Seen
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import Promotion, Vote
from stellapromote.accounts.command_line import command_actor
from stellapromote.api.etag import IfMatch, strong
from stellapromote.errors import ProductError
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from tests.factories import make_approval_policy, make_environment
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def etag_of(promotion: Promotion) -> IfMatch:
    return IfMatch(strong(Promotion.objects.get(pk=promotion.pk).version))


def test_an_etag_binds_a_vote_to_what_was_seen_with_it(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion, seen=Seen(if_match=etag_of(promotion)))
    assert Vote.objects.get(promotion=promotion).subject_binding == "explicit"


def test_an_etag_of_a_subject_that_nobody_has_judged_again_yet_gives_no_vote(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.deploys(kestrel.approved_for_production())
    # The row and its ETag are still those the voter saw; what runs in production is not.
    with pytest.raises(ProductError) as refused:
        kestrel.approves("approver", promotion, seen=Seen(if_match=etag_of(promotion)))
    assert refused.value.code == "RES_SUBJECT_CHANGED"
    assert refused.value.details is not None
    assert refused.value.details["changed"] == ["currentReleaseId"]
    assert not Vote.objects.filter(promotion=promotion).exists()


def test_any_version_is_no_word_about_what_was_seen(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion, seen=Seen(if_match=IfMatch("*")))
    assert Vote.objects.get(promotion=promotion).subject_binding == "implicit"


def test_where_votes_must_say_what_was_seen_an_etag_says_it_and_taking_back_needs_none(kestrel: Kestrel) -> None:
    admin = kestrel["admin"]
    make_approval_policy(admin, "seen", clock=kestrel.clock, requireSubjectDigest=True)
    target = make_environment(admin, "seen", 0, clock=kestrel.clock, approval_policies=["seen"], required_approvals=2)
    promotion = kestrel.ask(kestrel.release(), target)
    with pytest.raises(ProductError) as refused:
        kestrel.approves("approver", promotion)
    assert refused.value.code == "VAL_INVALID"
    kestrel.approves("approver", promotion, seen=Seen(if_match=etag_of(promotion)))
    kestrel.wait()
    assert withdraw_approval(promotion.pk, by=kestrel["approver"], clock=kestrel.clock).approvals_given == 0


def test_who_got_the_role_back_after_the_request_may_reject_and_not_approve(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    who, by = kestrel["approver"].account, command_actor(kestrel.tenant)
    kestrel.wait()
    end_role(by=by, clock=kestrel.clock, user_id=who, role="approver")
    kestrel.wait()
    grant_role(by=by, clock=kestrel.clock, user_id=who, role="approver")
    with pytest.raises(ProductError) as refused:
        kestrel.approves("approver", promotion)
    assert refused.value.code == "PERM_NOT_ELIGIBLE"
    assert kestrel.rejects("approver", promotion).status == "rejected"
