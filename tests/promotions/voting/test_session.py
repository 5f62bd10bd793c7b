from collections.abc import Callable

import pytest

from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import Promotion, Vote
from promotions.voting.etags import promotion_tag
from promotions.voting.session import SeenSubject
from stellapromote.accounts.command_line import command_actor
from stellapromote.api.etag import IfMatch
from stellapromote.errors import ProductError
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from tests.factories import make_approval_policy, make_environment
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db

ANYONE = command_actor()


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def etag_of(promotion: Promotion, *others: str) -> IfMatch:
    """The tag that everybody reads who sees the votes, alone or in a list."""
    now = Promotion.objects.get(pk=promotion.pk)
    return IfMatch(", ".join([*others, promotion_tag(now, ANYONE, blind=False)]))


def test_an_etag_binds_a_vote_to_what_was_seen_with_it(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion, seen=SeenSubject(if_match=etag_of(promotion)))
    assert Vote.objects.get(promotion=promotion).subject_binding == "explicit"


def test_an_etag_of_a_subject_that_nobody_has_judged_again_yet_gives_no_vote(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.deploys(kestrel.approved_for_production())
    # The row and its ETag are still those the voter saw; what runs in production is not.
    with pytest.raises(ProductError) as refused:
        kestrel.approves("approver", promotion, seen=SeenSubject(if_match=etag_of(promotion)))
    assert refused.value.code == "RES_SUBJECT_CHANGED"
    assert refused.value.details is not None
    assert refused.value.details["changed"] == ["currentReleaseId"]
    assert not Vote.objects.filter(promotion=promotion).exists()


def any_version(_: Promotion) -> IfMatch:
    return IfMatch("*")


def one_of_several(promotion: Promotion) -> IfMatch:
    return etag_of(promotion, '"guessed"')


def the_same_twice(promotion: Promotion) -> IfMatch:
    tag = etag_of(promotion).tags
    assert tag is not None
    return etag_of(promotion, *tag)


NOTHING_SEEN = [any_version, one_of_several, the_same_twice]


@pytest.mark.parametrize("condition", NOTHING_SEEN)
def test_what_holds_for_several_versions_is_no_word_about_what_was_seen(
    kestrel: Kestrel, condition: Callable[[Promotion], IfMatch]
) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion, seen=SeenSubject(if_match=condition(promotion)))
    assert Vote.objects.get(promotion=promotion).subject_binding == "implicit"


@pytest.mark.parametrize("condition", NOTHING_SEEN)
def test_where_votes_must_say_what_was_seen_it_is_not_enough(
    kestrel: Kestrel, condition: Callable[[Promotion], IfMatch]
) -> None:
    make_approval_policy(kestrel["admin"], "seen", clock=kestrel.clock, requireSubjectDigest=True)
    target = make_environment(kestrel["admin"], "seen", 0, clock=kestrel.clock, approval_policies=["seen"])
    promotion = kestrel.ask(kestrel.release(), target)
    with pytest.raises(ProductError) as refused:
        kestrel.approves("approver", promotion, seen=SeenSubject(if_match=condition(promotion)))
    assert refused.value.code == "VAL_INVALID"


def test_no_list_of_numbers_holds(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    guesses = IfMatch(", ".join(f'"{number}"' for number in range(1, 200)))
    with pytest.raises(ProductError) as refused:
        kestrel.approves("approver", promotion, seen=SeenSubject(if_match=guesses))
    assert (refused.value.code, refused.value.details) == ("RES_PRECONDITION_FAILED", None)


def test_where_votes_must_say_what_was_seen_an_etag_says_it_and_what_is_safe_needs_none(kestrel: Kestrel) -> None:
    admin = kestrel["admin"]
    make_approval_policy(admin, "seen", clock=kestrel.clock, requireSubjectDigest=True)
    target = make_environment(admin, "seen", 0, clock=kestrel.clock, approval_policies=["seen"], required_approvals=2)
    promotion = kestrel.ask(kestrel.release(), target)
    with pytest.raises(ProductError) as refused:
        kestrel.approves("approver", promotion)
    assert refused.value.code == "VAL_INVALID"
    kestrel.approves("approver", promotion, seen=SeenSubject(if_match=etag_of(promotion)))
    kestrel.wait()
    assert withdraw_approval(promotion.pk, by=kestrel["approver"], clock=kestrel.clock).approvals_given == 0
    assert kestrel.rejects("second", promotion).status == "rejected"


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
